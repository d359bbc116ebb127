"""LegalBench: does a contract's clause say this or not?"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import data_set, find_file

DATA_SET = "legalbench_fewshot"
FAMILIES = ("cuad_", "contract_nli_", "contract_qa")
ANSWERS = ("Yes", "No")
EXAMPLE: Record = {
    "group": "cuad_audit_rights",
    "text": "The licensor may inspect the licensee's books once a year.",
    "answer": "Yes",
}


@BENCHMARKS("legalbench")
def legalbench() -> Benchmark:
    """Guha et al. 2023, arXiv 2308.11462: its CUAD, ContractNLI and contract_qa tasks.

    Local files are the few rows that each task shows as examples; the hub has the test rows of
    the tasks named. The question is put in our words, since a task's own prompt is not among
    those files: rates are not those of the LegalBench table.
    """
    return Benchmark(
        title="LegalBench: clauses of contracts, yes or no",
        licence="CC BY 4.0",
        source="github.com/HazyResearch/legalbench",
        kind="choice",
        data_set=DATA_SET,
        hub=Hub("nguha/legalbench", "{group}", "test"),
        local=_local,
        task=_task,
        example=EXAMPLE,
    )


def _local(folder: Path, groups: Sequence[str]) -> list[Record]:
    known = [f for f in data_set(DATA_SET).files if f.startswith(FAMILIES)]
    wanted = [f"{g}/train.tsv" for g in groups if f"{g}/train.tsv" in known] or known
    found: list[Record] = []
    for name in wanted:
        with find_file(DATA_SET, name, folder).open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t")
            group = name.partition("/")[0]
            found += [{**row, "group": group, "number": n} for n, row in enumerate(rows, 1)]
    return found


def _task(number: int, record: Record) -> Task:
    group = record["group"]
    if "question" in record:
        asked = record["question"]
    else:
        topic = group.removeprefix("cuad_").removeprefix("contract_nli_").replace("_", " ")
        asked = f"Does the clause provide for this: {topic}?"
    return Task(
        id=f"legalbench/{group}/{record.get('number', number)}",
        plain=f"Clause: {record['text']}\nQuestion: {asked}\nAnswer:",
        chat=f"Clause: {record['text']}\n{asked} Answer with yes or no only.",
        options=tuple(f" {x}" for x in ANSWERS),
        right=(ANSWERS.index(record["answer"].strip().capitalize()),),
        group=group,
    )
