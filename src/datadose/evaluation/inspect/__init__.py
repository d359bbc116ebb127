"""Our probes and benchmarks as Inspect tasks, and our evaluations as Inspect logs.

Needs `datadose[inspect]`. `inspect eval datadose/health --model datadose/MODEL` finds them by name.
"""

from datadose._core import need_extra

need_extra("inspect_ai", "inspect")

from datadose.evaluation.inspect._ask import (  # noqa: E402 - the extra is asked for first
    Scoring,
    forced_choice,
    lettered,
    outcome,
    put_task,
)
from datadose.evaluation.inspect._log import Logged, write_inspect_log  # noqa: E402
from datadose.evaluation.inspect._tasks import (  # noqa: E402
    alignment,
    benchmark,
    coding,
    finance,
    health,
    legal,
    wanted,
)

__all__ = [
    "Logged",
    "Scoring",
    "alignment",
    "benchmark",
    "coding",
    "finance",
    "forced_choice",
    "health",
    "legal",
    "lettered",
    "outcome",
    "put_task",
    "wanted",
    "write_inspect_log",
]
