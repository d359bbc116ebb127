"""GSM8K and TAT-QA: computed answers, checked by value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import find_file, json_lines
from datadose.schema import Check

TATQA_FILES = ("tatqa_dataset_dev.json", "tatqa_dataset_test_gold.json")
NUMERIC = ("arithmetic", "count")


@BENCHMARKS("gsm8k")
def gsm8k() -> Benchmark:
    """Cobbe et al. 2021, arXiv 2110.14168: the last number of the answer counts, exactly."""
    return Benchmark(
        title="GSM8K: 1,319 grade-school sums (test)",
        licence="MIT",
        source="github.com/openai/grade-school-math",
        kind="generate",
        data_set="gsm8k",
        hub=Hub("openai/gsm8k", "main", "test"),
        local=_gsm8k,
        task=_gsm8k_task,
        example={
            "question": "Two boxes hold 3 pens each. How many pens?",
            "answer": "2*3=6\n#### 6",
        },
        chat=True,
        max_tokens=256,
        stop=("Question:",),
    )


def _gsm8k(folder: Path, groups: Sequence[str]) -> list[Record]:
    return list(json_lines(find_file("gsm8k", "test.jsonl", folder)))


def _gsm8k_task(number: int, record: Record) -> Task:
    value = float(record["answer"].rpartition("####")[2].replace(",", ""))
    return Task(
        id=f"gsm8k/{number}",
        plain=f"Question: {record['question']}\nAnswer:",
        chat=f"{record['question']}\nReason step by step, and end with the number asked for.",
        check=Check(kind="value", value=value, tolerance=0),
    )


@BENCHMARKS("tatqa")
def tatqa() -> Benchmark:
    """Zhu et al. 2021, arXiv 2105.07624: arithmetic and counting questions only.

    The number is asked for in the scale of the published answer, which the question names; the
    last number of the answer counts, within 1%.
    """
    return Benchmark(
        title="TAT-QA: computed answers over report tables and their text",
        licence="CC BY 4.0",
        source="github.com/NExTplusplus/TAT-QA",
        kind="generate",
        data_set="tatqa",
        hub=None,
        local=_tatqa,
        task=_tatqa_task,
        example={
            "uid": "example-1",
            "table": [["", "2019", "2018"], ["Sales", "12.5", "10.0"]],
            "paragraphs": ["Sales are in millions."],
            "question": "What is the change in sales?",
            "answer": 2.5,
            "answer_type": "arithmetic",
            "scale": "million",
        },
        chat=True,
        max_tokens=96,
        stop=("\nQuestion:",),
    )


def _tatqa(folder: Path, groups: Sequence[str]) -> list[Record]:
    found = []
    for name in TATQA_FILES:
        for context in json.loads(find_file("tatqa", name, folder).read_text("utf-8")):
            found += [
                {
                    "uid": q["uid"],
                    "table": context["table"]["table"],
                    "paragraphs": [p["text"] for p in context["paragraphs"]],
                    "question": q["question"],
                    "answer": float(q["answer"]),
                    "answer_type": q["answer_type"],
                    "scale": q["scale"],
                }
                for q in context["questions"]
                if q["answer_type"] in NUMERIC
            ]
    return found


def _tatqa_task(number: int, record: Record) -> Task:
    table = "\n".join(" | ".join(c.strip() for c in row) for row in record["table"])
    text = "\n".join(record["paragraphs"])
    scale = record["scale"]
    asked = f"{record['question']}" + (f" Give it in {scale}." if scale else "")
    return Task(
        id=f"tatqa/{record['uid']}",
        plain=f"{table}\n{text}\nQuestion: {asked}\nAnswer:",
        chat=f"{table}\n\n{text}\n\n{asked} End with the number.",
        check=Check(kind="value", value=record["answer"], tolerance=0.01),
        group=record["answer_type"],
    )
