"""MBPP: short Python tasks with three assertions each."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from pathlib import Path

from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.rows import find_file, json_lines
from datadose.schema import Check

EXAMPLE: Record = {
    "task_id": 0,
    "text": "Write a function that doubles a number.",
    "code": "def double(x):\r\n  return 2 * x",
    "test_setup_code": "",
    "test_list": ["assert double(3) == 6", "assert double(0) == 0", "assert double(-1) == -2"],
    "challenge_test_list": [],
}


@BENCHMARKS("mbpp")
def mbpp() -> Benchmark:
    """Austin et al. 2021, arXiv 2108.07732. Group `test` is tasks 11 to 510, as published."""
    return Benchmark(
        title="MBPP: 974 short Python tasks",
        licence="CC BY 4.0",
        source="github.com/google-research/google-research/tree/master/mbpp",
        kind="generate",
        data_set="mbpp",
        hub=Hub("google-research-datasets/mbpp", "full", "train+test+validation+prompt"),
        local=_local,
        task=_task,
        example=EXAMPLE,
        chat=True,
        max_tokens=256,
        stop=("[DONE]",),
    )


def _local(folder: Path, groups: Sequence[str]) -> list[Record]:
    return list(json_lines(find_file("mbpp", "mbpp.jsonl", folder)))


def _task(number: int, record: Record) -> Task:
    tests = record["test_list"]
    shown = "\n".join(tests)
    told = f"You are an expert Python programmer, and here is your task: {record['text']}"
    entry, helpers = _names(record["code"], tests)
    return Task(
        id=f"mbpp/{record['task_id']}",
        plain=f"{told} Your code should pass these tests:\n\n{shown}\n[BEGIN]\n",
        chat=f"{record['text']} It must pass these tests:\n{shown}\nAnswer with code only.",
        check=Check(kind="tests", tests=_imports(record["code"]) + shown, entry=entry),
        helpers=helpers,
        setup=record["test_setup_code"].replace("\r\n", "\n"),
        group=_split(record["task_id"]),
    )


def _names(code: str, tests: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The function that the tests call, and what else of the published solution they call."""
    defined = [n.name for n in _parsed(code).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    used = {n.id for t in tests for n in ast.walk(_parsed(t)) if isinstance(n, ast.Name)}
    called = [name for name in defined if name in used]
    return called[-1], tuple(called[:-1])


def _imports(code: str) -> str:
    """The published solution's imports: one task's tests need a module that only it imports."""
    kept = [n for n in _parsed(code).body if isinstance(n, ast.Import | ast.ImportFrom)]
    return "".join(f"{ast.unparse(n)}\n" for n in kept)


def _parsed(code: str) -> ast.Module:
    """The published code parsed; some of it has escapes that Python warns of, not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _split(number: int) -> str:
    if number <= 10:
        return "prompt"
    return "test" if number <= 510 else "validation" if number <= 600 else "train"
