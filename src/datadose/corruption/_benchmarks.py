"""Read public benchmark files, after checking that they are the known ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadose._core import InputError, UsageError, sha256_file
from datadose.corruption._choices import ChoiceQuestion
from datadose.corruption._hashes import SHA256


def find_file(data_set: str, name: str, folder: Path) -> Path:
    """The file `name` of a data set in `folder`, in a folder of the data set's name there, or by
    its last part alone; its sha256 is checked. Raises InputError where it is absent or another.
    """
    places = (folder / name, folder / data_set / name, folder / Path(name).name)
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        raise InputError(
            f"no file {name} of {data_set} in this folder",
            where=str(folder),
            next_step="give the folder that holds the data set",
        )
    try:
        seen = sha256_file(path)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    wanted = SHA256[data_set][name]
    if seen != wanted:
        raise InputError(
            f"is not the known {name} of {data_set}: sha256 {seen[:12]}..., not {wanted[:12]}...",
            where=str(path),
            next_step="get the published file again",
        )
    return path


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
        if name not in SHA256["mmlu_test"]:
            known = sorted(n[5:-9] for n in SHA256["mmlu_test"])
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


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file whose hash has been checked."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
