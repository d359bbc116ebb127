"""The program that runs inside the sandbox. Standard library only; handed over as text.

It sets the limits, gives up root, and then either replaces itself with the code (`run`) or acts
as judge (`tests`): the code is put into a child process that answers calls with plain values, while
the tests run here, in the process that holds the token.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import resource
import signal
import socket
import sys
from typing import Any

MEGABYTE = 1024 * 1024
MOST_ITEMS = 100_000
SEQUENCES: tuple[tuple[str, Any], ...] = (
    ("t", tuple),
    ("l", list),
    ("s", set),
    ("f", frozenset),
    ("i", iter),
)


class CandidateGone(Exception):  # noqa: N818 - an end, not an error of ours
    """The candidate's process ended before it answered; `status` is from waitpid."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("the code ended its process instead of returning")


class Opaque:
    """Stands for a value that is not plain data; equal to nothing, not even itself."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return f"<not plain data: {self.shown}>"

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


def pack(x: Any) -> Any:
    """Plain data as JSON values with tags; anything else by its repr only."""
    kind = type(x)
    if x is None or kind in (bool, int, float, str):
        return x
    if kind is complex:
        return ["c", x.real, x.imag]
    if kind in (bytes, bytearray):
        return ["b", bytes(x).hex()]
    if kind is range:
        return ["r", x.start, x.stop, x.step]
    if isinstance(x, dict):
        return ["d", [[pack(k), pack(v)] for k, v in dict.items(x)]]
    for tag, base in SEQUENCES[:4]:
        if isinstance(x, base):
            return [tag, [pack(v) for v in base.__iter__(x)]]
    if isinstance(x, str):
        return str.__str__(x)
    if isinstance(x, int):
        return int.__index__(x)
    if isinstance(x, float):
        return float.__float__(x)
    if hasattr(kind, "__next__"):
        return ["i", [pack(v) for _, v in zip(range(MOST_ITEMS), x, strict=False)]]
    if kind in (type({}.keys()), type({}.values()), type({}.items())):
        return ["l", [pack(v) for v in x]]
    return ["o", kind.__name__[:80]]


def unpack(x: Any) -> Any:
    """The inverse of `pack`; trusts nothing."""
    if not isinstance(x, list):
        if x is None or isinstance(x, bool | int | float | str):
            return x
        raise ValueError("not packed data")
    tag, rest = x[0], x[1:]
    if tag in ("t", "l", "s", "f", "i"):
        return dict(SEQUENCES)[tag](unpack(v) for v in rest[0])
    if tag == "d":
        return {unpack(k): unpack(v) for k, v in rest[0]}
    if tag == "c":
        return complex(rest[0], rest[1])
    if tag == "b":
        return bytes.fromhex(rest[0])
    if tag == "r":
        return range(*rest)
    return Opaque(str(rest[0]))


def limit(limits: dict[str, int]) -> None:
    """Set the limits, then give up root where the sandbox was started with it."""
    memory = limits["memory_mb"] * MEGABYTE
    wanted = [
        (resource.RLIMIT_CPU, limits["cpu"]),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, limits["file_mb"] * MEGABYTE),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ]
    if limits["processes"]:
        wanted.append((resource.RLIMIT_NPROC, limits["processes"]))
    for what, most in wanted:
        hard = resource.getrlimit(what)[1]
        top = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (top, top))
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

    def define() -> list[Any]:
        exec(compile(job["code"], "<code>", "exec"), space)  # noqa: S102
        if not callable(space.get(job["entry"])):
            raise NameError(f"the code does not define {job['entry']}")
        return ["v", None, []]

    send(attempt(define))
    for line in lines:
        args, kwargs = (unpack(x) for x in json.loads(line))

        def call(args: Any = args, kwargs: Any = kwargs) -> list[Any]:
            value = space[job["entry"]](*args, **kwargs)
            return ["v", pack(value), [pack(a) for a in args]]

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

    def __init__(self, channel: socket.socket, pid: int) -> None:
        self._lines = channel.makefile("rwb")
        self._pid = pid

    def _exchange(self, message: Any) -> list[Any]:
        try:
            self._lines.write(json.dumps(message).encode() + b"\n")
            self._lines.flush()
            answer = json.loads(self._lines.readline())
        except (OSError, ValueError):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGCONT)
            raise CandidateGone(os.waitpid(self._pid, 0)[1]) from None
        if answer[0] == "e":
            raise rebuilt(str(answer[1]), str(answer[2]))
        return list(answer)

    def define(self, code: str, entry: str) -> None:
        """Run the code; raises what it raises."""
        self._exchange({"code": code, "entry": entry})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        packed = [pack(a) for a in args]
        _, value, after = self._exchange([["l", packed], pack(kwargs)])
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


def judge(job: dict[str, Any], remote: Any) -> tuple[str, str]:
    """Run the tests against the candidate; outcome and a line that says why."""
    space: dict[str, Any] = {"__name__": "tests"}
    try:
        remote.define(job["code"], job["entry"])
        space[job["entry"]] = space["candidate"] = remote
        exec(compile(job["tests"], "<tests>", "exec"), space)  # noqa: S102
    except CandidateGone as gone:
        number = os.WTERMSIG(gone.status) if os.WIFSIGNALED(gone.status) else 0
        ended = {0: "failed", int(signal.SIGXCPU): "timeout"}.get(number, "killed")
        return ended, str(gone)
    except MemoryError as error:
        return "memory", f"MemoryError: {error}"
    except BaseException as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "ok", ""


def run_tests(report: int) -> None:
    """Split into candidate and judge; only the judge can read the token or write the report."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(report)
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        try:
            candidate(theirs)
        finally:
            os._exit(0)
    theirs.close()
    forbid_tracing()
    job = json.loads(sys.stdin.buffer.readline())
    outcome, why = judge(job, Remote(ours, pid))
    verdict = {"token": job["token"], "outcome": outcome, "why": why[:2000]}
    os.write(report, json.dumps(verdict).encode())
    sys.stdout.flush()
    os._exit(0)


def main(argv: list[str]) -> None:
    """argv: limits as JSON, file number of the report, file number of the code or -1."""
    report, source = int(argv[1]), int(argv[2])
    limit(json.loads(argv[0]))
    os.write(report, b"ready\n")
    if source < 0:
        run_tests(report)
        return
    os.close(report)
    with open(source, "rb") as file, open("code.py", "wb") as copy:
        file.seek(0)
        copy.write(file.read())
    os.execv(sys.executable, [sys.executable, "-I", "-S", "code.py"])


if __name__ == "__main__":
    main(sys.argv[1:])
