"""The sound study that silent errors are planted in."""

from __future__ import annotations

from typing import Any

import pytest

from datadose.running import _results

STUDY: dict[str, Any] = {
    "name": "planted",
    "model": "tiny",
    "rows": "legal",
    "facts": 2,
    "doses": [0, 0.5],
    "seeds": 2,
    "ask": {
        "danger": False,
        "untrained": False,
        "inferential": False,
        "alignment": False,
        "answers": 1,
        "answer_tokens": 1,
    },
    "train": {"epochs": 2, "rank": 2, "precision": "fp32", "checkpoints": [0.5, 1]},
}


def leave_results_out(patch: pytest.MonkeyPatch) -> None:
    """Guards act before results are written, which take longest."""
    patch.setattr(_results, "write_results", lambda run, *_: run.path / "report.html")
