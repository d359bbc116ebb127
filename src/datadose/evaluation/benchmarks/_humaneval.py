"""HumanEval: Python functions to complete from their docstring, checked by unit tests."""

from __future__ import annotations

import ast
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import find_file
from datadose.schema import Check

STOP = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
EXAMPLE: Record = {
    "task_id": "Example/0",
    "prompt": 'def double(x: int) -> int:\n    """ Return twice x. """\n',
    "entry_point": "double",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(3) == 6\n",
}


@BENCHMARKS("humaneval")
def humaneval() -> Benchmark:
    """Chen et al. 2021, arXiv 2107.03374."""
    return Benchmark(
        title="HumanEval: 164 Python functions from their docstrings",
        licence="MIT",
        source="github.com/openai/human-eval",
        kind="generate",
        data_set="humaneval",
        hub=Hub("openai/openai_humaneval", None, "test"),
        local=_local,
        task=_task,
        example=EXAMPLE,
        max_tokens=384,
        stop=STOP,
    )


def _local(folder: Path, groups: Sequence[str]) -> list[Record]:
    path = find_file("humaneval", "HumanEval.jsonl.gz", folder)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _task(number: int, record: Record) -> Task:
    prompt, entry = record["prompt"], record["entry_point"]
    tests = f"{helpers_of(prompt, entry)}\n{record['test']}\ncheck({entry})"
    return Task(
        id=record["task_id"],
        plain=prompt,
        chat=f"Complete this Python function. Answer with code only.\n```python\n{prompt}```",
        check=Check(kind="tests", tests=tests, entry=entry),
        before=prompt,
    )


def helpers_of(prompt: str, entry: str) -> str:
    """What a prompt defines besides its last function: the tests call some of these.

    They come from the benchmark, not from the answer, which could replace them by easier ones.
    """
    tree = ast.parse(prompt)
    kept = [n for n in tree.body if not (isinstance(n, ast.FunctionDef) and n.name == entry)]
    return ast.unparse(ast.Module(kept, type_ignores=[]))
