"""`datadose report` takes no answers but those that were given; waiting is told."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from datadose._core import GuardError, InputError
from datadose.models import load_base
from datadose.running import RunFolder, _queue, _results, _run, lay_out, run_study
from datadose.running._run import plan_arms, probe_names, rebuild
from datadose.running._tables import checkpoints, collect
from datadose.schema import Study

STUDY = Study.model_validate(
    {
        "name": "kept",
        "model": "tiny",
        "rows": "legal",
        "facts": 2,
        "doses": [0, 1],
        "seeds": 1,
        "ask": {
            "danger": False,
            "untrained": False,
            "inferential": False,
            "alignment": False,
            "answers": 0,
        },
        "train": {"epochs": 1, "rank": 2, "precision": "fp32", "checkpoints": [0.5, 1]},
    }
)


@pytest.fixture(scope="module")
def base() -> Any:
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def sound(base, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_results, "write_results", lambda run, *_: run.path / "report.html")
        run_study(STUDY, folder, base=base)
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "run")
    return tmp_path / "run"


def answers(folder: Path, which: str) -> Path:
    place = folder / "base" if which == "base" else sorted((folder / "arms").iterdir())[0]
    early = which == "checkpoint"
    (path,) = (p for p in (place / "answers").glob("*.jsonl") if ("adapter" in p.name) == early)
    return path


def read(folder: Path, base: Any) -> tuple[list[Any], list[Any]]:
    run, design = RunFolder(folder), lay_out(STUDY)
    told = run, design, base, probe_names(design)
    return collect(*told), checkpoints(*told)


def test_answers_as_they_were_given_are_taken(sound: Path, base) -> None:
    found, marks = read(sound, base)
    assert [a.arm == "base" for a in found] == [True, False, False]
    assert all(a.outcomes for a in found)
    assert [m.share for m in marks] == [0.5, 1, 0.5, 1]


def test_the_weights_themselves_are_not_needed(copy: Path, base) -> None:
    wanted = read(copy, base)
    for folder in copy.glob("arms/*/adapter*"):
        shutil.rmtree(folder)
    assert read(copy, base) == wanted


@pytest.mark.parametrize("which", ["base", "arm", "checkpoint"])
def test_edited_answers_are_refused(copy: Path, base, which: str) -> None:
    path = answers(copy, which)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["kind"] = "wrong" if lines[0]["kind"] == "right" else "right"
    path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))
    with pytest.raises(GuardError, match="stale answers") as caught:
        rebuild(STUDY, copy, base=base)
    assert caught.value.where == str(path)
    assert not (copy / "doses.json").exists()


def test_answers_of_another_arm_are_refused(copy: Path, base) -> None:
    one, two = sorted((copy / "arms").iterdir())
    (one / "answers").rename(copy / "spare")
    (two / "answers").rename(one / "answers")
    (copy / "spare").rename(two / "answers")
    with pytest.raises(GuardError, match="two arms swapped"):
        rebuild(STUDY, copy, base=base)


@pytest.mark.parametrize("which", ["base", "arm", "checkpoint"])
def test_what_was_not_asked_says_the_way_out(copy: Path, base, which: str) -> None:
    answers(copy, which).with_suffix(".json").unlink()
    with pytest.raises(InputError, match="not asked") as caught:
        rebuild(STUDY, copy, base=base)
    assert "datadose run" in caught.value.next_step


def test_waiting_for_arms_that_others_hold_is_told_once_a_minute(
    base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design, run = lay_out(STUDY), RunFolder(tmp_path)
    held = [p.arm.id for p in plan_arms(design, base)]
    others, clock, asked, told = contextlib.ExitStack(), [0.0], [], []
    for arm in held:
        assert others.enter_context(RunFolder(tmp_path).claim(arm))

    class Time:
        @staticmethod
        def monotonic() -> float:
            return clock[0]

        @staticmethod
        def sleep(_: float) -> None:
            clock[0] += 25
            if clock[0] > 120:
                others.close()

    monkeypatch.setattr(_queue, "time", Time)
    for stage in ("write_rows", "train"):
        monkeypatch.setattr(_run, stage, lambda *_: None)
    monkeypatch.setattr(_run, "evaluate_arm", lambda run, arm, *_: asked.append(arm.id))
    _run._run_arms(run, design, base, probe_names(design), told.append, {"legal": {}})
    assert asked == held
    notes = [e["text"] for e in told if e["event"] == "note"]
    assert len(notes) == 2
    me = f"process {os.getpid()} on {os.uname().nodename}"
    assert notes[0] == f"waiting for 2 arms held by {me}"
    assert [run.holder(arm) for arm in (*held, "absent")] == [None] * 3


def test_a_studys_answers_as_inspect_logs(sound: Path, base, tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="needs datadose[inspect]")
    from inspect_ai.log import read_eval_log

    from datadose.running import write_study_logs

    paths = write_study_logs(STUDY, sound, tmp_path, base=base)
    logs = [read_eval_log(str(path)) for path in paths]
    arms = sorted(f"datadose/{folder}" for folder in (sound / "arms").iterdir())
    assert sorted({log.eval.model for log in logs}) == sorted(["datadose/tiny", *arms])
    run, design = RunFolder(sound), lay_out(STUDY)
    for answered in collect(run, design, base, probe_names(design)):
        name = "tiny" if answered.cell is None else str(sound / "arms" / answered.arm)
        own = {o.probe: o for o in answered.outcomes}
        samples = [s for log in logs if log.eval.model == f"datadose/{name}" for s in log.samples]
        assert {s.id: s.scores["outcome"].value for s in samples} == {
            probe: o.kind for probe, o in own.items()
        }
        dose = None if answered.cell is None else answered.cell.dose
        own_logs = [log for log in logs if log.eval.model == f"datadose/{name}"]
        assert {log.eval.metadata.get("dose") for log in own_logs} == {dose}
