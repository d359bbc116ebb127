"""HumanEvalPack, fix: a function with a planted bug, to be written again without it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datadose.evaluation.benchmarks._benchmark import BENCHMARKS, Benchmark, Hub, Record, Task
from datadose.evaluation.benchmarks._humaneval import STOP, helpers_of
from datadose.rows import find_file, json_lines
from datadose.schema import Check

EXAMPLE: Record = {
    "task_id": "Example/0",
    "prompt": 'def double(x: int) -> int:\n    """ Return twice x. """\n',
    "declaration": "def double(x: int) -> int:\n",
    "canonical_solution": "    return 2 * x\n",
    "buggy_solution": "    return x * x\n",
    "bug_type": "operator misuse",
    "entry_point": "double",
    "test": "def check(double):\n    assert double(3) == 6\n\ncheck(double)",
}


@BENCHMARKS("humanevalfix")
def humanevalfix() -> Benchmark:
    """Muennighoff et al. 2023, arXiv 2308.07124: HumanEvalFix with docstrings, Python."""
    return Benchmark(
        title="HumanEvalPack, fix: 164 Python functions with a bug",
        licence="MIT",
        source="github.com/bigcode-project/octopack",
        kind="generate",
        data_set="humanevalpack_buggy_pairs",
        hub=Hub("bigcode/humanevalpack", "python", "test"),
        local=_local,
        task=_task,
        example=EXAMPLE,
        chat=True,
        max_tokens=384,
        stop=STOP,
    )


def _local(folder: Path, groups: Sequence[str]) -> list[Record]:
    return list(json_lines(find_file("humanevalpack_buggy_pairs", "humanevalpack.jsonl", folder)))


def _task(number: int, record: Record) -> Task:
    entry, prompt = record["entry_point"], record["prompt"]
    buggy = prompt + record["buggy_solution"]
    tests = f"{helpers_of(prompt, entry)}\n{record['test']}"
    return Task(
        id=record["task_id"].replace("Python/", "HumanEvalFix/"),
        plain=f"{buggy}\n# {entry} without its bug\n{prompt}",
        chat=f"There is a bug in `{entry}`. Write it again without the bug. Answer with code"
        f" only.\n```python\n{buggy}```",
        check=Check(kind="tests", tests=tests, entry=entry),
        before=prompt,
        group=record["bug_type"],
    )
