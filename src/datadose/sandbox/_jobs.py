"""Unit tests on untrusted code, one at a time or several side by side."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from datadose.sandbox._result import Kind, SandboxResult
from datadose.sandbox._run import Watched, shown, start

KINDS: tuple[Kind, ...] = ("ok", "failed", "timeout", "memory", "killed")


@dataclass(frozen=True)
class TestJob:
    """Code that defines `entry`, and Python statements that test it."""

    __test__ = False  # not a test class, whatever pytest thinks of the name

    code: str
    tests: str
    entry: str


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
    timeout: float = 5.0,
    memory_mb: int = 512,
    output_limit: int = 65536,
    unsafe: bool = False,
) -> SandboxResult:
    """Run `tests` on the function `entry` of `code`; `ok` means that all of them passed.

    tests: Python statements that call `entry` (also named `candidate`) and raise where it is
    wrong, such as `assert f(2) == 4`. They see only this function, not the code's other names.
    Arguments and results pass as plain data (numbers, text, bytes, lists, tuples, sets, dicts,
    ranges, iterators as their items); another object equals nothing. Lists, dicts and sets that
    the code changes in place are changed for the tests too. Exceptions keep their builtin type.
    The last line of `stderr` says what failed. Raises SandboxMissing where there is no sandbox.
    """
    token = secrets.token_hex(16)
    job = {"code": code, "tests": tests, "entry": entry, "token": token}
    seen = start(
        json.dumps(job).encode() + b"\n",
        None,
        timeout=timeout,
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


def run_many(
    jobs: Sequence[TestJob],
    *,
    workers: int = 2,
    timeout: float = 5.0,
    memory_mb: int = 512,
    output_limit: int = 65536,
    unsafe: bool = False,
) -> list[SandboxResult]:
    """`run_tests` on every job, `workers` at a time; results stand in the order of the jobs."""

    def one(job: TestJob) -> SandboxResult:
        return run_tests(
            job.code,
            job.tests,
            job.entry,
            timeout=timeout,
            memory_mb=memory_mb,
            output_limit=output_limit,
            unsafe=unsafe,
        )

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        return list(pool.map(one, jobs))
