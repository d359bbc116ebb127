"""Start a program behind the walls, feed it, read it within bounds, end all of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from importlib import resources
from typing import IO, Any

from datadose.sandbox._result import Kind, SandboxResult
from datadose.sandbox._walls import PROCESSES, interpreter, walls

FILE_MB = 16
CHUNK = 65536
GRACE = 0.5
BATCH_GRACE = 2.0
FIRST_UID, UIDS = 61184, 4000
_runs = itertools.count()


@dataclass
class Watched:
    """What was seen of one process: `report` is what came over the private channel."""

    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    report: bytearray = field(default_factory=bytearray)
    ended: Kind | None = None
    code: int = 0
    seconds: float = 0.0


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _gone(process: subprocess.Popen[bytes]) -> bool:
    """Whether it ended; it is not reaped yet, so that its group's number stays its own."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _feed(into: IO[bytes], left: memoryview) -> memoryview:
    """Write what the pipe takes; what is left, which is nothing once the reader has gone."""
    try:
        return left[os.write(into.fileno(), left[:CHUNK]) :]
    except BrokenPipeError:
        return left[:0]


def _read_all(
    process: subprocess.Popen[bytes],
    parts: dict[int, bytearray],
    stdin: bytes,
    timeout: float,
    most: int,
) -> Kind | None:
    """Feed and read until all ends are closed; why it was cut short, if it was.

    The clock starts again with whatever comes over the private channel, the last of `parts`.
    """
    assert process.stdin
    start, done, left = time.monotonic(), 0.0, memoryview(stdin)
    private = list(parts)[-1]
    with selectors.DefaultSelector() as selector:
        for number in parts:
            os.set_blocking(number, False)
            selector.register(number, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE, data="feed")
        open_ends = len(parts)
        while open_ends:
            now = time.monotonic()
            if not done and _gone(process):
                # what it left behind dies with it; its last words are read for a moment more
                _kill(process)
                done = now
            if done and now - done > GRACE:
                break
            if not done and now - start > timeout:
                return "timeout"
            for key, _ in selector.select(0.05):
                if key.data == "feed":
                    left = _feed(process.stdin, left) if left else left
                    if not left:
                        selector.unregister(process.stdin)
                        process.stdin.close()
                    continue
                block = os.read(key.fd, CHUNK)
                if not block:
                    selector.unregister(key.fd)
                    open_ends -= 1
                parts[key.fd] += block
                if key.fd == private:
                    start = time.monotonic()
            if any(len(part) > most for part in parts.values()):
                return "output"
    # all ends closed, yet it may go on in silence
    while not _gone(process):
        if time.monotonic() - start > timeout:
            return "timeout"
        time.sleep(0.005)
    return None


def _watch(
    process: subprocess.Popen[bytes], stdin: bytes, report: int, timeout: float, most: int
) -> Watched:
    seen, start = Watched(), time.monotonic()
    assert process.stdin
    assert process.stdout
    assert process.stderr
    parts = {
        process.stdout.fileno(): seen.stdout,
        process.stderr.fileno(): seen.stderr,
        report: seen.report,
    }
    try:
        seen.ended = _read_all(process, parts, stdin, timeout, most)
    finally:
        _kill(process)
        seen.code = process.wait()
        for end in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                end.close()
    seen.seconds = time.monotonic() - start
    return seen


def _limits(
    timeout: float,
    cpu: int | None,
    memory_mb: int,
    as_root: bool,
    unsafe: bool,
    jobs: int,
    output: int,
) -> str:
    # an own user id for every run, so that runs side by side don't share a process count
    uid = FIRST_UID + (os.getpid() * 61 + next(_runs)) % UIDS if as_root else 0
    return json.dumps(
        {
            "cpu": int(timeout) + 2 if cpu is None else cpu,
            "memory_mb": memory_mb,
            "file_mb": FILE_MB,
            # outside a sandbox the count would include everything the user runs
            "processes": 0 if unsafe else PROCESSES,
            "uid": uid,
            "jobs": jobs,
            "timeout": timeout,
            "output": output,
        }
    )


def start(
    stdin: bytes,
    code: str | None,
    *,
    timeout: float,
    memory_mb: int,
    most: int,
    unsafe: bool,
    jobs: int = 1,
    cpu: int | None = None,
) -> Watched:
    """Run the inside program on `code`, or as judge of the `jobs` on `stdin` where it is None.

    `timeout` and `most` (bytes of each stream) are those of one job.
    """
    command, as_root = ([], False) if unsafe else walls()
    inside = resources.files("datadose.sandbox").joinpath("_inside.py").read_text("utf-8")
    with tempfile.TemporaryFile() as source, tempfile.TemporaryDirectory() as folder:
        source.write((code or "").encode("utf-8", "surrogatepass"))
        source.flush()
        reader, writer = os.pipe()
        passed = (writer, source.fileno())
        number = -1 if code is None else source.fileno()
        limits = _limits(timeout, cpu, memory_mb, as_root, unsafe, jobs, most)
        if jobs > 1:  # each has its own clock and limit inside; JSON takes up to six times as much
            timeout, most = timeout + BATCH_GRACE, jobs * (6 * most + CHUNK)
        line = [*command, interpreter(), "-I", "-S", "-c", inside]
        options: dict[str, Any] = {"env": {}, "start_new_session": True, "pass_fds": passed}
        try:
            process = subprocess.Popen(
                [*line, limits, str(writer), str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder if unsafe else "/",
                **options,
            )
            os.close(writer)
            return _watch(process, stdin, reader, timeout, most)
        finally:
            os.close(reader)


def shown(part: bytearray, most: int) -> str:
    """At most `most` bytes as text; bytes that are no UTF-8 are replaced."""
    return bytes(part[:most]).decode("utf-8", "replace")


def _verdict(seen: Watched) -> Kind:
    if seen.ended is not None:
        return seen.ended
    if not seen.report.startswith(b"ready\n"):
        return "error"
    if seen.code == 0:
        return "ok"
    # bubblewrap gives 128 + signal, a plain subprocess gives -signal
    number = -seen.code if seen.code < 0 else seen.code - 128
    if number == signal.SIGXCPU:
        return "timeout"
    if number > 0:
        return "killed"
    last = seen.stderr.rstrip().rsplit(b"\n", 1)[-1]
    return "memory" if last.startswith(b"MemoryError") else "failed"


def run_python(
    code: str,
    *,
    timeout: float = 5.0,
    memory_mb: int = 512,
    output_limit: int = 65536,
    stdin: str = "",
    unsafe: bool = False,
) -> SandboxResult:
    """Run a Python program; `ok` means that it ended with exit code 0, which it can do at will.

    timeout: seconds of wall clock. memory_mb: address space of each process, in MiB.
    output_limit: bytes of standard output, and of standard error; more ends the run.
    Raises SandboxMissing where there is no sandbox, unless `unsafe`, which sets the limits but
    hides nothing from the code.
    """
    seen = start(
        stdin.encode("utf-8", "surrogatepass"),
        code,
        timeout=timeout,
        memory_mb=memory_mb,
        most=output_limit,
        unsafe=unsafe,
    )
    return SandboxResult(
        outcome=_verdict(seen),
        stdout=shown(seen.stdout, output_limit),
        stderr=shown(seen.stderr, output_limit),
        seconds=seen.seconds,
        sandboxed=not unsafe,
    )
