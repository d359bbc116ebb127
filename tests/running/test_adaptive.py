"""An adaptive design on the tiny model: steps on record, resumed where they stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from datadose import curves
from datadose.models import load_base
from datadose.running import added as added_arms
from datadose.running import foresee, lay_out, rebuild, recorded, run_study
from datadose.running._adaptive import candidate_steps
from datadose.schema import Study

ADAPTIVE = {
    "name": "tiny",
    "model": "tiny",
    "rows": "legal",
    "facts": 6,
    "seeds": 2,
    "ask": {
        "danger": False,
        "untrained": False,
        "inferential": False,
        "alignment": False,
        "answers": 0,
    },
    "train": {"epochs": 1, "rank": 2, "precision": "fp32", "checkpoints": [1.0]},
    # the half-loss dose is looked for whatever the answers are
    "primary": {"threshold": "ed50"},
    "design": {"adaptive": {"width": 0.001, "budget": 10}},
}


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def done(base, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("adaptive")
    run_study(Study.model_validate(ADAPTIVE), folder, base=base)
    return folder


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == kind]


def test_steps_are_events_and_on_record_and_keep_to_the_budget(done: Path) -> None:
    steps = recorded(done)
    assert steps[-1]["stop"] == "budget"
    assert all(s["arms"] for s in steps[:-1])
    assert len(steps) >= 2
    assert [e["why"] for e in events(done, "next")] == [s["why"] for s in steps]
    assert 6 < len(list((done / "arms").iterdir())) <= 10
    assert json.loads((done / "doses.json").read_text())["steps"] == steps
    study = Study.model_validate(ADAPTIVE)
    assert study.axis == (0, 0.5, 1)
    design = lay_out(study, added_arms(done))
    seeds = {c.seed for c in design.cells}
    assert all((0.0, s) in {(c.dose, c.seed) for c in design.cells} for s in seeds)


def test_the_same_command_and_report_change_nothing(done: Path, base) -> None:
    before = (done / "doses.json").read_bytes(), (done / "steps.json").read_bytes()
    study = Study.model_validate(ADAPTIVE)
    run_study(study, done, base=base)
    rebuild(study, done, base=base)
    assert before == ((done / "doses.json").read_bytes(), (done / "steps.json").read_bytes())


def test_interrupted_after_a_step_it_ends_as_if_it_had_not_been(
    done: Path, base, tmp_path: Path
) -> None:
    study = Study.model_validate(ADAPTIVE)

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "next":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path, base=base, on_event=stop)
    assert len(recorded(tmp_path)) == 1
    run_study(study, tmp_path, base=base)
    assert (tmp_path / "steps.json").read_bytes() == (done / "steps.json").read_bytes()
    assert (tmp_path / "doses.json").read_bytes() == (done / "doses.json").read_bytes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"doses": [0, 1]}, "starts from dose 0 and two more"),
        ({"seeds": 1}, "starts from dose 0 and two more"),
        ({"design": {"adaptive": {"budget": 5}}}, "the start alone has 6 arms"),
        ({"design": {"adaptive": {"width": 0}}}, "greater than 0"),
    ],
)
def test_a_design_that_cannot_start_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Study.model_validate({**ADAPTIVE, **change})


@pytest.mark.parametrize(("unit", "finest"), [("fact", 6), ("row", curves.STEPS)])
def test_candidates_are_no_finer_than_facts_or_rows(
    unit: str, finest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study.model_validate({**ADAPTIVE, "unit": unit})
    cell = lay_out(study).cells[0]
    assert candidate_steps(study, cell) == min(finest, cell.full_rows)
    asked = []

    def simulated(*args: Any, **options: Any) -> Any:
        asked.append(options["steps"])
        raise KeyboardInterrupt

    monkeypatch.setattr(curves, "adaptive", simulated)
    with pytest.raises(KeyboardInterrupt):
        foresee(study)
    assert asked == [candidate_steps(study, cell)]


def test_what_a_design_can_find_rests_on_its_own_questions(done: Path) -> None:
    fixed = {k: v for k, v in ADAPTIVE.items() if k not in ("design", "primary")}
    study = Study.model_validate({**fixed, "doses": [0, 0.5, 1], "facts": 20})
    found = foresee(study)
    assert found.assumed.world.facts >= 20
    assert set(found.assumed.source.values()) == {"default"}
    like = foresee(study, like=done)
    assert like.assumed.source["clean"] == like.assumed.source["arm"] == "estimated"
    assert like.assumed.world.facts == found.assumed.world.facts
    assert like.assumed != found.assumed
