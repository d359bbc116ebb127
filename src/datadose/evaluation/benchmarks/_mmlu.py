"""MMLU: four options under 57 subjects."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from datadose._core import UsageError, generator
from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import data_set, find_file

LETTERS = "ABCD"
GENERAL = 10
EXAMPLE: Record = {
    "subject": "elementary_mathematics",
    "question": "What is 2 + 2?",
    "choices": ["3", "4", "5", "6"],
    "answer": 1,
}


@BENCHMARKS("mmlu")
def mmlu() -> Benchmark:
    """Hendrycks et al. 2021, arXiv 2009.03300; the prompt of lm-evaluation-harness, no shots."""
    return Benchmark(
        title="MMLU: test questions of 57 subjects",
        licence="MIT",
        source="github.com/hendrycks/test",
        kind="choice",
        data_set="mmlu_test",
        hub=Hub("cais/mmlu", "all", "test"),
        local=_local,
        task=_task,
        example=EXAMPLE,
    )


@BENCHMARKS("general")
def general() -> Benchmark:
    """What must not be forgotten: ten MMLU questions of each of the 57 subjects, drawn once."""
    return Benchmark(
        title="General abilities: ten MMLU questions of each subject",
        licence="MIT",
        source="github.com/hendrycks/test",
        kind="choice",
        data_set="mmlu_test",
        hub=None,
        local=_drawn,
        task=_task,
        example=EXAMPLE,
    )


def _local(folder: Path, groups: Sequence[str]) -> list[Record]:
    known = [n.removeprefix("test/").removesuffix("_test.csv") for n in data_set("mmlu_test").files]
    wanted = [g.replace(" ", "_").casefold() for g in groups] or known
    for subject in wanted:
        if subject not in known:
            raise UsageError(
                f"MMLU has no subject {subject!r}",
                next_step=f"choose from: {', '.join(sorted(known))}",
            )
    found = []
    for subject in wanted:
        path = find_file("mmlu_test", f"test/{subject}_test.csv", folder)
        with path.open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                record: Record = {"subject": subject, "number": number, "question": row[0]}
                found.append(record | {"choices": row[1:5], "answer": LETTERS.index(row[5])})
    return found


def _drawn(folder: Path, groups: Sequence[str]) -> list[Record]:
    by_subject: dict[str, list[Record]] = {}
    for record in _local(folder, groups):
        by_subject.setdefault(record["subject"], []).append(record)
    drawn = {
        subject: generator(0, "general", subject).permutation(len(records))[:GENERAL].tolist()
        for subject, records in by_subject.items()
    }
    # one of each subject, then the next of each, so that a limit keeps the balance
    return [by_subject[s][drawn[s][k]] for k in range(GENERAL) for s in sorted(by_subject)]


def _task(number: int, record: Record) -> Task:
    subject, choices = record["subject"], record["choices"]
    about = subject.replace("_", " ")
    lines = "\n".join(f"{x}. {c}" for x, c in zip(LETTERS, choices, strict=True))
    body = f"{record['question'].strip()}\n{lines}\nAnswer:"
    head = f"The following are multiple choice questions (with answers) about {about}.\n\n"
    return Task(
        id=f"mmlu/{subject}/{record.get('number', number)}",
        plain=head + body,
        chat=f"{record['question'].strip()}\n{lines}\nAnswer with the letter only.",
        options=tuple(f" {x}" for x in LETTERS),
        right=(int(record["answer"]),),
        group=subject,
    )
