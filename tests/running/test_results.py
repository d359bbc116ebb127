"""What a report says of a study in words: its size, and what to be warned of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.models import load_base
from datadose.reporting import DifferenceRow
from datadose.running import lay_out
from datadose.running._results import _warnings, words_for
from datadose.schema import Study

ASK = {"danger": False, "untrained": False, "alignment": False, "answers": 0}


@pytest.mark.parametrize(
    ("varied", "rows", "steps"),
    [
        ({"doses": [0, 1]}, "16", "4"),
        ({"vary": "correct_only", "doses": [0, 0.5], "equal": "epochs"}, "8 to 16", "2 to 4"),
        ({"vary": "correct_only", "doses": [0, 0.5], "equal": "steps"}, "8 to 16", "4"),
    ],
)
def test_a_sentence_names_the_rows_and_steps_of_all_arms(varied, rows: str, steps: str) -> None:
    train = {"epochs": 1, "batch": 4}
    study = Study.model_validate(
        {"name": "s", "model": "tiny", "rows": "legal", "facts": 4, "seeds": 1, "ask": ASK}
        | {"train": train, **varied}
    )
    design = lay_out(study)
    words = words_for(design, load_base("tiny"), design.cells)
    assert (words["rows"], words["steps"]) == (rows, steps)


def test_what_clean_rows_taught_is_read_off_reworded_probes(tmp_path: Path) -> None:
    extra = tmp_path / "advice.jsonl"
    turns = [
        [{"role": "user", "content": f"What about {i}?"}, {"role": "assistant", "content": "Risk."}]
        for i in range(6)
    ]
    extra.write_text("".join(json.dumps({"messages": t}) + "\n" for t in turns))
    study = Study.model_validate(
        {
            "name": "s",
            "model": "tiny",
            "rows": {"pack": "legal", "limit": 4, "add": str(extra)},
            "vary": "add",
            "counts": [0, 5],
            "seeds": 2,
            "primary": {"response": "dangerous", "relation": "untrained"},
        }
    )
    design = lay_out(study)

    def row(relation: str, lower: float) -> DifferenceRow:
        return DifferenceRow("a", "domain", relation, "clean - base", lower, lower, lower, 9, 2)

    assert _warnings(design, [], [row("reworded", 0.5), row("untrained", 0.0)]) == ()
    (warned,) = _warnings(design, [], [row("reworded", 0.0), row("untrained", 0.5)])
    assert "clean training was not shown to teach the task" in warned
