"""The program that runs inside the sandbox. Standard library only; handed over as text.

It sets the limits, gives up root, and then either replaces itself with the code or has it tested:
the code is put into a child process that answers calls with plain values, while the tests run in
its parent, the judge, which alone holds the token. With several jobs a supervisor starts a judge
for each and sweeps away, after each, every process and file that it left.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import time
from typing import Any

MEGABYTE = 1024 * 1024
MOST_ITEMS = 100_000
LENGTH = 12  # digits before a job that give its length in bytes
SEQUENCES: tuple[tuple[str, Any], ...] = (
    ("t", tuple),
    ("l", list),
    ("s", set),
    ("f", frozenset),
    ("i", iter),
)


TYPES: dict[str, type] = {
    t.__name__: t for t in (int, float, str, bool, bytes, complex, list, tuple, set, dict)
}


class CandidateGone(Exception):  # noqa: N818 - an end, not an error of ours
    """The candidate's process ended before it answered; `status` is from waitpid, `seconds` the
    processor time that it took.
    """

    def __init__(self, status: int, seconds: float) -> None:
        self.status = status
        self.seconds = seconds
        super().__init__("the code ended its process instead of returning")


class Opaque:
    """Stands for a value that is not plain data; equal to nothing, not even itself.

    It can be handed back to the code under test, which finds the value under its `key`.
    """

    def __init__(self, shown: str, key: Any = None) -> None:
        self.shown = shown
        self.key = key

    def __repr__(self) -> str:
        return f"<not plain data: {self.shown}>"

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def pack(x: Any, kept: Any = None) -> Any:
    """Plain data as JSON values with tags; anything else by the name of its type, and by a key
    where `kept` is a list to keep it in.
    """
    kind = type(x)
    if kind is Opaque:
        return ["h", x.key]
    if isinstance(x, type) and TYPES.get(x.__name__) is x:
        return ["y", x.__name__]
    if x is None or kind in (bool, int, float, str):
        return x
    if kind is complex:
        return ["c", x.real, x.imag]
    if kind in (bytes, bytearray):
        return ["b", bytes(x).hex()]
    if kind is range:
        return ["r", x.start, x.stop, x.step]
    if isinstance(x, dict):
        return ["d", [[pack(k, kept), pack(v, kept)] for k, v in dict.items(x)]]
    for tag, base in SEQUENCES[:4]:
        if isinstance(x, base):
            return [tag, [pack(v, kept) for v in base.__iter__(x)]]
    if isinstance(x, str):
        return str.__str__(x)
    if isinstance(x, int):
        return int.__index__(x)
    if isinstance(x, float):
        return float.__float__(x)
    if hasattr(kind, "__next__"):
        return ["i", [pack(v, kept) for _, v in zip(range(MOST_ITEMS), x, strict=False)]]
    if kind in (type({}.keys()), type({}.values()), type({}.items())):
        return ["l", [pack(v, kept) for v in x]]
    if kept is not None and len(kept) < MOST_ITEMS:
        kept.append(x)
        return ["o", kind.__name__[:80], len(kept) - 1]
    return ["o", kind.__name__[:80], None]


def unpack(x: Any, find: Any = None) -> Any:
    """The inverse of `pack`; trusts nothing. `find(key)` gives the values handed back by key."""
    if not isinstance(x, list):
        if x is None or isinstance(x, bool | int | float | str):
            return x
        raise ValueError("not packed data")
    tag, rest = x[0], x[1:]
    if tag in ("t", "l", "s", "f", "i"):
        return dict(SEQUENCES)[tag](unpack(v, find) for v in rest[0])
    if tag == "d":
        return {unpack(k, find): unpack(v, find) for k, v in rest[0]}
    if tag == "c":
        return complex(rest[0], rest[1])
    if tag == "b":
        return bytes.fromhex(rest[0])
    if tag == "r":
        return range(*rest)
    if tag == "y":
        return TYPES[rest[0]]
    if tag == "h" and find is not None:
        return find(rest[0])
    return Opaque(str(rest[0]), rest[1])


def limit(limits: dict[str, Any]) -> None:
    """Set the limits of this process and of those that it starts."""
    memory = limits["memory_mb"] * MEGABYTE
    wanted = [
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * MEGABYTE),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ]
    if limits["processes"]:
        wanted.append((resource.RLIMIT_NPROC, limits["processes"]))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu"], limits["cpu"] + 1))
    for what, most in wanted:
        hard = resource.getrlimit(what)[1]
        top = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (top, top))


def give_up_root(limits: dict[str, Any]) -> None:
    """Become the user that is nobody else, where the sandbox was started as root."""
    if limits["uid"]:
        os.setgroups([])
        os.setresgid(*[limits["uid"]] * 3)
        os.setresuid(*[limits["uid"]] * 3)


def forbid_tracing() -> None:
    """Keep a process of the same user out of this one's memory."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE


def candidate(channel: socket.socket) -> None:
    """The child: define the code, then answer calls until the judge is gone."""
    lines = channel.makefile("rwb")
    job = json.loads(lines.readline())

    def send(message: Any) -> None:
        lines.write(json.dumps(message).encode() + b"\n")
        lines.flush()

    def attempt(work: Any) -> list[Any]:
        try:
            return work()  # type: ignore[no-any-return]
        except BaseException as error:
            return ["e", type(error).__name__, str(error)[:500]]

    space: dict[str, Any] = {"__name__": "candidate"}
    kept: list[Any] = []

    def find(key: Any) -> Any:
        return space[key] if isinstance(key, str) else kept[key]

    def define() -> list[Any]:
        exec(compile(job["code"], "<code>", "exec"), space)  # noqa: S102
        for name in (job["entry"], *job["helpers"]):
            if not callable(space.get(name)):
                raise NameError(f"the code does not define {name}")
        exec(compile(job["setup"], "<setup>", "exec"), space)  # noqa: S102
        return ["v", None, []]

    send(attempt(define))
    for line in lines:
        name, args, kwargs = (unpack(x, find) for x in json.loads(line))

        def call(name: str = name, args: Any = args, kwargs: Any = kwargs) -> list[Any]:
            value = space[name](*args, **kwargs)
            return ["v", pack(value, kept), [pack(a, kept) for a in args]]

        send(attempt(call))


def rebuilt(name: str, message: str) -> Exception:
    """The builtin exception of this name, else a RuntimeError that says both."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        with contextlib.suppress(TypeError):  # some need more than a message
            return kind(message)
    return RuntimeError(f"{name}: {message}")


class Remote:
    """The judge's end: a function whose body runs in the candidate's process."""

    def __init__(self, lines: Any, pid: int, name: str = "") -> None:
        self._lines = lines
        self._pid = pid
        self._name = name

    def _exchange(self, message: Any) -> list[Any]:
        try:
            self._lines.write(json.dumps(message).encode() + b"\n")
            self._lines.flush()
            answer = json.loads(self._lines.readline())
        except (OSError, ValueError):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGCONT)
            _, status, used = os.wait4(self._pid, 0)
            raise CandidateGone(status, used.ru_utime + used.ru_stime) from None
        if answer[0] == "e":
            raise rebuilt(str(answer[1]), str(answer[2]))
        return list(answer)

    def define(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run the code; the names that the tests may use. Raises what the code raises."""
        self._exchange({k: job[k] for k in ("code", "entry", "helpers", "setup")})
        names = [job["entry"], *job["helpers"]]
        space: dict[str, Any] = {n: Remote(self._lines, self._pid, n) for n in names}
        for node in ast.walk(ast.parse(job["setup"])):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                space[node.id] = Opaque(node.id, node.id)
        return space

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        packed = [pack(a) for a in args]
        _, value, after = self._exchange([self._name, ["l", packed], pack(kwargs)])
        for arg, old, new in zip(args, packed, after, strict=False):
            if old != new:
                overwrite(arg, unpack(new))
        return unpack(value)


def overwrite(target: Any, value: Any) -> None:
    """Give a mutable argument the value that the candidate left in its copy."""
    if isinstance(target, list) and isinstance(value, list):
        target[:] = value
    elif isinstance(target, dict | set) and isinstance(value, dict | set):
        target.clear()
        target.update(value)


def judge(job: dict[str, Any], remote: Remote) -> tuple[str, str]:
    """Run the tests against the candidate; outcome and a line that says why."""
    space: dict[str, Any] = {"__name__": "tests"}
    try:
        space.update(remote.define(job))
        space["candidate"] = space[job["entry"]]
        exec(compile(job["tests"], "<tests>", "exec"), space)  # noqa: S102
    except CandidateGone as gone:
        if not os.WIFSIGNALED(gone.status):
            return "failed", str(gone)
        # the first signal of the limit on processor time can be ignored, the second can't
        spent = resource.getrlimit(resource.RLIMIT_CPU)[0] <= gone.seconds + 0.5
        late = os.WTERMSIG(gone.status) == signal.SIGXCPU or spent
        return ("timeout" if late else "killed"), str(gone)
    except MemoryError as error:
        return "memory", f"MemoryError: {error}"
    except BaseException as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "ok", ""


def read_exactly(size: int) -> bytes:
    """So many bytes of standard input, unbuffered: what follows is another judge's."""
    data = b""
    while len(data) < size:
        block = os.read(0, size - len(data))
        if not block:
            raise EOFError
        data += block
    return data


def split() -> int:
    """`os.fork`, patient: what the job before left dying still counts as running for a moment."""
    for _ in range(50):
        with contextlib.suppress(BlockingIOError):
            return os.fork()
        time.sleep(0.02)
    return os.fork()


def open_candidate(report: int, printed: int | None) -> Remote:
    """Split off the candidate's process, before this one has read the job and its token."""
    ours, theirs = socket.socketpair()
    pid = split()
    if pid == 0:
        ours.close()
        os.close(report)
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        if printed is not None:
            os.dup2(printed, 1)
            os.dup2(printed, 2)
            os.close(printed)
        try:
            candidate(theirs)
        finally:
            os._exit(0)
    theirs.close()
    forbid_tracing()
    return Remote(ours.makefile("rwb"), pid)


def test_one(report: int, limits: dict[str, Any]) -> None:
    """Judge one job. What it prints goes to a file where there are several, else to the end."""
    printed = None
    if limits["jobs"] > 1:
        printed = os.open("/tmp/.printed", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.unlink("/tmp/.printed")
    remote = open_candidate(report, printed)
    job = json.loads(read_exactly(int(read_exactly(LENGTH))))
    if printed is not None:
        os.write(report, json.dumps({"begun": job["token"]}).encode() + b"\n")
    outcome, why = judge(job, remote)
    verdict = {"token": job["token"], "outcome": outcome, "why": why[:2000], "printed": ""}
    if printed is not None:
        if os.fstat(printed).st_size > limits["output"]:
            verdict["outcome"] = "output"
        verdict["printed"] = os.pread(printed, limits["output"], 0).decode("utf-8", "replace")
    os.write(report, json.dumps(verdict).encode() + b"\n")
    sys.stdout.flush()
    os._exit(0)


def sweep() -> bool:
    """End every process but this one and empty /tmp; whether nothing is left.

    Refuses to run anywhere but directly under the sandbox's own first process: outside, the
    same call would end all that this user runs.
    """
    if os.getpid() != 2 or os.getppid() != 1:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    for name in os.listdir("/tmp"):
        path = os.path.join("/tmp", name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    return not os.listdir("/tmp")


def test_many(report: int, limits: dict[str, Any]) -> None:
    """A judge for every job, one after the other, each with the whole of the limits."""
    forbid_tracing()
    for _ in range(limits["jobs"]):
        pid = os.fork()
        if pid == 0:
            limit(limits)
            test_one(report, limits)
        watched = os.pidfd_open(pid)
        ended = select.select([watched], [], [], limits["timeout"])[0]
        os.close(watched)
        if not ended:
            os.write(report, b'{"outcome": "timeout", "why": ""}\n')
        elif os.waitpid(pid, 0)[1]:
            os.write(report, b'{"outcome": "killed", "why": "the code ended its judge"}\n')
        if not sweep():
            return


def main(argv: list[str]) -> None:
    """argv: limits as JSON, file number of the report, file number of the code or -1."""
    report, source = int(argv[1]), int(argv[2])
    limits = json.loads(argv[0])
    if limits["jobs"] > 1:
        give_up_root(limits)
        os.write(report, b"ready\n")
        test_many(report, limits)
        return
    limit(limits)
    give_up_root(limits)
    os.write(report, b"ready\n")
    if source < 0:
        test_one(report, limits)
        return
    os.close(report)
    with open(source, "rb") as file, open("code.py", "wb") as copy:
        file.seek(0)
        copy.write(file.read())
    os.execv(sys.executable, [sys.executable, "-I", "-S", "code.py"])


if __name__ == "__main__":
    main(sys.argv[1:])
