"""Public benchmarks: one small file each, with its source, licence and an example.

A benchmark is a function under `BENCHMARKS` that returns a `Benchmark`. To add one: a file here,
an import below, its files' sha256 in `rows/data_sets.json`; `tests/evaluation/test_benchmarks.py`
then tests its example and, where the data are, every record.
"""

from datadose.evaluation.benchmarks import (  # noqa: F401 - importing them registers them
    _alignment,
    _danger,
    _humaneval,
    _humanevalfix,
    _legalbench,
    _mbpp,
    _medicine,
    _mmlu,
    _sums,
    _truthfulqa,
)
from datadose.evaluation.benchmarks._benchmark import (
    BENCHMARKS,
    Benchmark,
    Chosen,
    Hub,
    Task,
    choose,
    read_tasks,
)

__all__ = ["BENCHMARKS", "Benchmark", "Chosen", "Hub", "Task", "choose", "read_tasks"]
