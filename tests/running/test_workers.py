"""Several workers on one folder: the same numbers, every arm once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.running import load_study, plan_study, run_study
from datadose.running._workers import threads_for

STUDY = """\
name: shared
model: tiny
rows: legal
facts: 4
doses: [0, 0.5, 1]
seeds: 1
ask: {danger: false, untrained: false, alignment: false, answers: 0}
train: {epochs: 1, rank: 2, precision: fp32, checkpoints: [1]}
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


def test_threads_are_shared_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert [threads_for(tmp_path, n) for n in (1, 2, 4, 9)] == [6, 3, 1, 1]
    (tmp_path / "environment.json").write_text(json.dumps({"threads": 5}))
    assert threads_for(tmp_path, 2) == 5


@pytest.mark.slow
def test_two_workers_give_the_numbers_of_one(study_file: Path, tmp_path: Path) -> None:
    study = load_study(study_file)
    whole = run_study(study, tmp_path / "one").parent / "doses.json"
    shared = run_study(study, tmp_path / "two", workers=2).parent / "doses.json"
    assert whole.read_bytes() == shared.read_bytes()
    events = [json.loads(x) for x in (tmp_path / "two" / "events.jsonl").read_text().splitlines()]
    asked = [e["arm"] for e in events if e["event"] == "asking"]
    assert len(set(asked)) == 3


@pytest.mark.slow
def test_a_plan_counts_arms_and_is_remembered(
    study_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    study = load_study(study_file)
    first = plan_study(study)
    assert (first.arms, first.rows, first.steps) == (3, 16, 4)
    assert first.seconds > first.arms * (first.train_seconds + first.ask_seconds)
    again = plan_study(study)
    assert again.train_seconds == first.train_seconds
    assert len(list((tmp_path / "cache" / "timings").iterdir())) == 1
