"""Answers as programs, and their tests, many to a sandbox."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datadose.evaluation._generate import extract_code
from datadose.evaluation.benchmarks import Task
from datadose.sandbox import SandboxResult, TestJob, available, run_many
from datadose.schema import OutcomeKind

PER_SANDBOX = 16
CPU = 10
WALL = 60.0


def program(task: Task, answer: str, *, chat: bool) -> TestJob:
    """What is run: an answer to a chat defines the function anew after what stood in the prompt,
    a plain answer goes on where the prompt ended.
    """
    assert task.check
    code = extract_code(answer) if chat else answer
    between = "\n" if chat and task.before else ""
    return TestJob(
        f"{task.before}{between}{code}",
        task.check.tests,
        task.check.entry,
        helpers=task.helpers,
        setup=task.setup,
    )


def check_programs(
    tasks: Sequence[Task], answers: Sequence[str], *, chat: bool, workers: int = 2
) -> list[tuple[OutcomeKind, str]]:
    """Outcome of each answer to each task, and a note: how the sandbox says that it ended.

    Without a sandbox every answer is `unscored`, and the note says why.
    """
    missing = available()
    if missing is not None:
        return [("unscored", missing)] * len(tasks)
    said = [i for i, answer in enumerate(answers) if re.search(r"\w", answer)]
    jobs = [program(tasks[i], answers[i], chat=chat) for i in said]
    ran = run_many(jobs, workers=workers, per_sandbox=PER_SANDBOX, timeout=WALL, cpu=CPU)
    found: list[tuple[OutcomeKind, str]] = [("incoherent", "")] * len(tasks)
    for i, result in zip(said, ran, strict=True):
        found[i] = _outcome(result)
    return found


def _outcome(result: SandboxResult) -> tuple[OutcomeKind, str]:
    if result.outcome == "error":
        return "error", result.stderr[-200:]
    return ("right", "") if result.ok else ("wrong", result.outcome)
