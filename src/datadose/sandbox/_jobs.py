"""Unit tests on untrusted code, one at a time or several side by side."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from datadose.sandbox._inside import LENGTH
from datadose.sandbox._result import Kind, SandboxResult
from datadose.sandbox._run import Watched, shown, start

KINDS: tuple[Kind, ...] = ("ok", "failed", "timeout", "memory", "killed")


@dataclass(frozen=True)
class TestJob:
    """Code that defines `entry`, and Python statements that test it.

    helpers: other names of the code that the tests call, such as a class. setup: statements run
    beside the code, before the tests; the tests can hand on the names that it assigns, not look
    into them.
    """

    __test__ = False  # not a test class, whatever pytest thinks of the name

    code: str
    tests: str
    entry: str
    helpers: tuple[str, ...] = ()
    setup: str = ""

    def framed(self, token: str) -> bytes:
        """The job as the inside program reads it: its length in bytes, then JSON."""
        text = json.dumps({**asdict(self), "token": token}).encode()
        return f"{len(text):0{LENGTH}d}".encode() + text


def _read(seen: Watched, token: str) -> tuple[Kind, str]:
    if seen.ended is not None:
        return seen.ended, ""
    ready, _, report = bytes(seen.report).partition(b"\n")
    if ready != b"ready":
        return "error", ""
    try:
        verdict = json.loads(report)
    except ValueError:
        return ("killed" if seen.code not in (0, 1) else "failed"), "no verdict"
    if verdict.get("token") != token or verdict.get("outcome") not in KINDS:
        return "failed", "no verdict"
    return verdict["outcome"], str(verdict["why"])


def run_tests(
    code: str,
    tests: str,
    entry: str,
    *,
    helpers: Sequence[str] = (),
    setup: str = "",
    timeout: float = 5.0,
    cpu: int | None = None,
    memory_mb: int = 512,
    output_limit: int = 65536,
    unsafe: bool = False,
) -> SandboxResult:
    """Run `tests` on the function `entry` of `code`; `ok` means that all of them passed.

    tests: Python statements that call `entry` (also named `candidate`) and raise where it is
    wrong, such as `assert f(2) == 4`. They see only this function, and the `helpers` and what
    `setup` assigns, as `TestJob` says. Arguments and results pass as plain data (numbers, text,
    bytes, lists, tuples, sets, dicts, ranges, iterators as their items); another object equals
    nothing and can only be handed back to the code. Lists, dicts and sets that
    the code changes in place are changed for the tests too. Exceptions keep their builtin type.
    timeout: seconds of wall clock, which also stops what sleeps. cpu: seconds of processor time
    of each process, by default two more than `timeout`: with a generous `timeout` the verdict on
    slow code does not hang on what else the machine does.
    The last line of `stderr` says what failed. Raises SandboxMissing where there is no sandbox.
    """
    token = secrets.token_hex(16)
    job = TestJob(code, tests, entry, tuple(helpers), setup)
    seen = start(
        job.framed(token),
        None,
        timeout=timeout,
        cpu=cpu,
        memory_mb=memory_mb,
        most=output_limit,
        unsafe=unsafe,
    )
    outcome, why = _read(seen, token)
    stderr = shown(seen.stderr, output_limit)
    return SandboxResult(
        outcome=outcome,
        stdout=shown(seen.stdout, output_limit),
        stderr="\n".join(x for x in (stderr.rstrip("\n"), why) if x),
        seconds=seen.seconds,
        sandboxed=not unsafe,
    )


def _batch(
    jobs: Sequence[TestJob], timeout: float, cpu: int | None, memory_mb: int, output_limit: int
) -> list[SandboxResult | None]:
    """Jobs one after the other in one sandbox; None where it ended before the job's verdict."""
    tokens = [secrets.token_hex(16) for _ in jobs]
    stdin = b"".join(job.framed(token) for job, token in zip(jobs, tokens, strict=True))
    started = time.monotonic()
    seen = start(
        stdin,
        None,
        timeout=timeout,
        cpu=cpu,
        memory_mb=memory_mb,
        most=output_limit,
        unsafe=False,
        jobs=len(jobs),
    )
    seconds = (time.monotonic() - started) / len(jobs)
    found: dict[str, SandboxResult] = {}
    begun = ""
    for line in bytes(seen.report).split(b"\n")[1:-1]:
        said = json.loads(line)
        begun = said.get("begun", begun)
        token = said.get("token", begun)
        if "outcome" in said and token in tokens and token not in found:
            found[token] = SandboxResult(
                outcome=said["outcome"],
                stdout=said.get("printed", ""),
                stderr=str(said["why"]),
                seconds=seconds,
            )
    return [found.get(token) for token in tokens]


def run_many(
    jobs: Sequence[TestJob],
    *,
    workers: int = 2,
    per_sandbox: int = 1,
    timeout: float = 5.0,
    cpu: int | None = None,
    memory_mb: int = 512,
    output_limit: int = 65536,
    unsafe: bool = False,
) -> list[SandboxResult]:
    """`run_tests` on every job, `workers` at a time; results stand in the order of the jobs.

    per_sandbox: so many jobs follow each other in one sandbox, which saves most of the cost of
    a short job. Each still has processes, limits and a verdict of its own, and what it leaves
    is killed and deleted before the next; `seconds` is then the batch's mean, and `stdout` holds
    what was printed on both ends. A job whose sandbox ended early runs again in one of its own.
    """
    # outside a sandbox nothing may be swept away, so there every job is on its own
    size = 1 if unsafe else max(1, per_sandbox)

    def alone(job: TestJob) -> SandboxResult:
        return run_tests(
            job.code,
            job.tests,
            job.entry,
            helpers=job.helpers,
            setup=job.setup,
            timeout=timeout,
            cpu=cpu,
            memory_mb=memory_mb,
            output_limit=output_limit,
            unsafe=unsafe,
        )

    def several(part: Sequence[TestJob]) -> list[SandboxResult]:
        if len(part) == 1:
            return [alone(part[0])]
        found = _batch(part, timeout, cpu, memory_mb, output_limit)
        return [alone(job) if r is None else r for job, r in zip(part, found, strict=True)]

    parts = [jobs[at : at + size] for at in range(0, len(jobs), size)]
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return [result for part in pool.map(several, parts) for result in part]
