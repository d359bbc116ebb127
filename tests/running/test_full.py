"""A study that trains all weights, from its file to its doses, broken off and whole."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from datadose._core import GuardError
from datadose.models import load_base
from datadose.running import _results, _stages, load_study, run_study
from datadose.running._plan import _checkpoints_gb
from datadose.schema import Recipe

STUDY = """\
name: whole
model: tiny
rows: legal
facts: 2
doses: [0, 1]
seeds: 1
ask: {danger: false, untrained: false, inferential: false, alignment: false, answers: 0}
train: {method: full, epochs: 2, lr: 5e-3, precision: fp32, checkpoints: [0.5, 1]}
"""


@pytest.fixture(scope="module")
def base() -> Any:
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(STUDY)
    return load_study(path)


@pytest.fixture(scope="module")
def done(study, base, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run_study(study, folder, base=base)
    return folder


def test_it_runs_from_file_to_doses_with_every_guard(done: Path) -> None:
    doses = json.loads((done / "doses.json").read_text())
    assert doses["study"]["rank"] == "full"
    assert {c["steps"] for c in doses["checkpoints"]} == {0.5, 1}
    arms = list((done / "arms").iterdir())
    assert len(arms) == 2
    for arm in arms:
        assert (arm / "adapter" / "model.safetensors").is_file()
        (last,) = (p for p in (arm / "answers").glob("*.json") if "adapter" not in p.name)
        found = json.loads((arm / "train.json").read_text())["guards"]
        found += json.loads(last.read_text())["guards"]
        passed = {g["guard"]: g["passed"] for g in found}
        assert passed.pop("merged equals unmerged") is None
        assert {"adapter changes logits", "adapter at test", "base restored"} <= passed.keys()
        assert set(passed.values()) == {True}
    assert "full fine-tuning" in (done / "report.html").read_text()


def test_the_arms_answer_otherwise_than_the_base_and_each_other(done: Path) -> None:
    answers = [p for p in done.rglob("answers/*.jsonl") if "adapter" not in p.name]
    assert len({p.read_bytes() for p in answers}) == len(answers) == 3


def test_broken_off_in_training_it_ends_with_the_same_doses(
    done: Path, study, base, tmp_path: Path
) -> None:
    seen: list[int] = []

    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "step" and event["step"] == event["of"] // 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(study, tmp_path, base=base, on_event=stop)
    assert [p.name for p in tmp_path.glob("arms/*/adapter*")] == ["adapter-050"]
    run_study(
        study,
        tmp_path,
        base=base,
        on_event=lambda e: seen.append(e["step"]) if e["event"] == "step" else None,
    )
    assert seen[0] == seen[-1] // 2 + 1
    assert (tmp_path / "doses.json").read_bytes() == (done / "doses.json").read_bytes()


def test_weights_that_are_dropped_at_test_are_seen(
    study, base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def planted(b: Any, folder: Path, *, merge: bool = True) -> Any:
        yield b.model

    monkeypatch.setattr(_stages, "saved_adapter", planted)
    with pytest.raises(GuardError) as caught:
        run_study(study, tmp_path, base=base)
    assert caught.value.guard == "adapter at test"


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_plan_knows_what_the_checkpoints_take(base, tmp_path: Path, method: str, study) -> None:
    from datadose.running import lay_out
    from datadose.training import train_arm

    recipe = Recipe(method=method, epochs=1, rank=64, precision="fp32", checkpoints=(0.5, 1))
    train_arm(base, lay_out(study).cells[0].training.rows, recipe, 0, tmp_path)
    taken = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file())
    assert _checkpoints_gb(base, recipe) == pytest.approx(taken / 1e9, rel=0.1)
    assert not any(p.requires_grad for p in base.model.parameters())


def test_a_table_that_breaks_off_leaves_the_old_one(
    done: Path, study, base, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Table:
        def write_parquet(self, file: Any) -> None:
            with open(file, "wb") if isinstance(file, Path) else contextlib.nullcontext(file) as f:
                f.write(b"half")
            raise OSError(28, "No space left on device")

    before = (done / "responses.parquet").read_bytes()
    monkeypatch.setattr(_results, "build_report", lambda *_: (None, Table()))
    with pytest.raises(OSError, match="No space"):
        run_study(study, done, base=base)
    assert (done / "responses.parquet").read_bytes() == before
