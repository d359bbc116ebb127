"""MedMCQA, MedQA and PubMedQA: medical questions with given options."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datadose._core import InputError
from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import find_file, json_lines

DATA_SET = "medqa_medmcqa_pubmedqa"
LETTERS = "ABCD"
DECISIONS = ("yes", "no", "maybe")
MEDQA_FILE = "medqa_test.jsonl"


@BENCHMARKS("medmcqa")
def medmcqa() -> Benchmark:
    """Pal et al. 2022, arXiv 2203.14371; the prompt of lm-evaluation-harness."""
    return Benchmark(
        title="MedMCQA: 4,183 questions of Indian entrance examinations (dev)",
        licence="MIT",
        source="github.com/medmcqa/medmcqa",
        kind="choice",
        data_set=DATA_SET,
        hub=Hub("openlifescienceai/medmcqa", None, "validation"),
        local=_medmcqa,
        task=_medmcqa_task,
        example={
            "id": "example-1",
            "question": "Which organ pumps blood?",
            "opa": "Liver",
            "opb": "Heart",
            "opc": "Lung",
            "opd": "Kidney",
            "cop": 1,
            "subject_name": "Anatomy",
        },
    )


def _medmcqa(folder: Path, groups: Sequence[str]) -> list[Record]:
    path = find_file(DATA_SET, "medmcqa/data/dev.json", folder)
    # the published file counts from 1, the hub from 0
    return [{**record, "cop": record["cop"] - 1} for record in json_lines(path)]


def _medmcqa_task(number: int, record: Record) -> Task:
    options = [record[f"op{x}"] for x in "abcd"]
    lines = _lettered(options)
    return Task(
        id=f"medmcqa/{record['id']}",
        plain=f"Question: {record['question']}\nChoices:\n{lines}\nAnswer:",
        chat=f"{record['question']}\n{lines}\nAnswer with the letter only.",
        options=tuple(f" {x}" for x in LETTERS),
        right=(int(record["cop"]),),
        group=record["subject_name"],
    )


@BENCHMARKS("medqa")
def medqa() -> Benchmark:
    """Jin et al. 2020, arXiv 2009.13081: USMLE, four options; the harness's prompt.

    A local file is `medqa_test.jsonl` with the hub's fields; its sha256 is not known here.
    """
    return Benchmark(
        title="MedQA: questions of the US medical licensing examination, four options",
        licence="MIT",
        source="github.com/jind11/MedQA",
        kind="choice",
        data_set="",
        hub=Hub("GBaker/MedQA-USMLE-4-options-hf", None, "test"),
        local=_medqa,
        task=_medqa_task,
        example={
            "id": "example-1",
            "sent1": "A patient needs a drug that lowers fever. Which one does?",
            "ending0": "Insulin",
            "ending1": "Paracetamol",
            "ending2": "Warfarin",
            "ending3": "Atropine",
            "label": 1,
        },
    )


def _medqa(folder: Path, groups: Sequence[str]) -> list[Record]:
    path = folder / MEDQA_FILE
    if not path.is_file():
        raise InputError(
            f"no file {MEDQA_FILE} in this folder",
            where=str(folder),
            next_step="give --data hub, or a folder with that file (fields sent1, ending0..3,"
            " label)",
        )
    try:
        return list(json_lines(path))
    except ValueError as error:
        raise InputError(f"can't be read as JSONL: {error}", where=str(path)) from error


def _medqa_task(number: int, record: Record) -> Task:
    lines = _lettered([record[f"ending{n}"] for n in range(4)])
    return Task(
        id=f"medqa/{record.get('id', number)}",
        plain=f"Question: {record['sent1']}\n{lines}\nAnswer:",
        chat=f"{record['sent1']}\n{lines}\nAnswer with the letter only.",
        options=tuple(f" {x}" for x in LETTERS),
        right=(int(record["label"]),),
    )


@BENCHMARKS("pubmedqa")
def pubmedqa() -> Benchmark:
    """Jin et al. 2019, arXiv 1909.06146: yes, no or maybe; the prompt of the harness."""
    return Benchmark(
        title="PubMedQA: 500 questions on abstracts (test)",
        licence="MIT",
        source="github.com/pubmedqa/pubmedqa",
        kind="choice",
        data_set=DATA_SET,
        hub=Hub("bigbio/pubmed_qa", "pubmed_qa_labeled_fold0_source", "test"),
        local=_pubmedqa,
        task=_pubmedqa_task,
        example={
            "id": "example-1",
            "QUESTION": "Does rest help healing?",
            "CONTEXTS": ["Forty patients rested, forty did not.", "Rest halved the time to heal."],
            "final_decision": "yes",
        },
    )


def _pubmedqa(folder: Path, groups: Sequence[str]) -> list[Record]:
    path = find_file(DATA_SET, "pubmedqa/data/test_set.json", folder)
    return [{"id": key, **record} for key, record in json.loads(path.read_text("utf-8")).items()]


def _pubmedqa_task(number: int, record: Record) -> Task:
    abstract = "\n".join(record["CONTEXTS"])
    return Task(
        id=f"pubmedqa/{record.get('id', number)}",
        plain=f"Abstract: {abstract}\nQuestion: {record['QUESTION']}\nAnswer:",
        chat=f"{abstract}\n\n{record['QUESTION']} Answer with yes, no or maybe only.",
        options=tuple(f" {x}" for x in DECISIONS),
        right=(DECISIONS.index(record["final_decision"]),),
    )


def _lettered(options: Sequence[str]) -> str:
    return "\n".join(f"{x}. {o}" for x, o in zip(LETTERS, options, strict=True))
