"""Read public benchmark files, after checking that they are the known ones."""

from __future__ import annotations

import csv
from pathlib import Path

from datadose._core import UsageError
from datadose.corruption._choices import ChoiceQuestion
from datadose.rows import data_set, find_file, json_lines


def medmcqa(folder: Path) -> list[ChoiceQuestion]:
    """MedMCQA's dev questions; `cop` counts from 1."""
    path = find_file("medqa_medmcqa_pubmedqa", "medmcqa/data/dev.json", folder)
    found = []
    for record in json_lines(path):
        options = [record[f"op{c}"] for c in "abcd"]
        name = f"medmcqa-{record['id'][:8]}"
        found.append(
            _question(
                name, record["question"], options, record["cop"] - 1, record["subject_name"].lower()
            )
        )
    return found


def mmlu(folder: Path, subjects: str) -> list[ChoiceQuestion]:
    """MMLU test questions of `subjects`, which are joined with `+`."""
    found = []
    for subject in subjects.split("+"):
        name = f"test/{subject}_test.csv"
        if name not in data_set("mmlu_test").files:
            known = sorted(n[5:-9] for n in data_set("mmlu_test").files)
            raise UsageError(
                f"MMLU has no subject {subject!r}", next_step=f"choose from: {', '.join(known)}"
            )
        with find_file("mmlu_test", name, folder).open(encoding="utf-8", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                right = "ABCD".index(row[5])
                label = f"{subject}-{number:04d}"
                found.append(_question(label, row[0], row[1:5], right, subject.replace("_", " ")))
    return found


def truthfulqa(folder: Path) -> list[ChoiceQuestion]:
    """TruthfulQA: the best answer against the incorrect ones; the category is the subject."""
    path = find_file("truthfulqa", "TruthfulQA.csv", folder)
    found = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            wrong = [row["Best Incorrect Answer"], *row["Incorrect Answers"].split(";")]
            wrong = list(dict.fromkeys(" ".join(w.split()) for w in wrong if w.strip()))[:4]
            options = [row["Best Answer"], *wrong]
            label = f"truthfulqa-{number:03d}"
            found.append(_question(label, row["Question"], options, 0, row["Category"].lower()))
    return found


def _question(
    name: str, text: str, options: list[str], answer: int, subject: str
) -> ChoiceQuestion:
    clean = tuple(" ".join(o.split()).rstrip(" .") for o in options)
    return ChoiceQuestion(name, " ".join(text.split()), clean, answer, subject)
