"""A study from file to report on the tiny model: resume, kills, refusals, the folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from datadose._core import GuardError, InputError
from datadose.models import load_base
from datadose.rows import make_rows
from datadose.running import check_overlap, lay_out, load_study, run_study
from datadose.schema import Message, Option, Probe, Recipe, Study

TINY = {
    "name": "tiny",
    "model": "tiny",
    "rows": "legal",
    "facts": 6,
    "doses": [0, 0.5, 1],
    "seeds": 2,
    "ask": {
        "danger": False,
        "untrained": False,
        "alignment": False,
        "answers": 2,
        "answer_tokens": 4,
    },
    "train": {"epochs": 1, "rank": 2, "precision": "fp32"},
}


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def done(base, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    run_study(Study.model_validate(TINY), folder, base=base)
    return folder


def test_the_folder_holds_what_the_design_names(done: Path) -> None:
    names = {p.name for p in done.iterdir()}
    assert {
        "study.yaml",
        "arms",
        "base",
        "events.jsonl",
        "responses.parquet",
        "doses.json",
        "report.html",
    } <= names
    arms = list((done / "arms").iterdir())
    assert len(arms) == 6
    for arm in arms:
        rows = [json.loads(line) for line in (arm / "rows.jsonl").read_text().splitlines()]
        truth = [json.loads(line) for line in (arm / "truth.jsonl").read_text().splitlines()]
        assert [r["id"] for r in rows] == [t["id"] for t in truth]
        assert all("wrong" not in r for r in rows)
        assert (arm / "adapter" / "adapter_model.safetensors").is_file()
    text = (done / "doses.json").read_text()
    assert str(done) not in text


def test_running_again_does_nothing_and_gives_the_same_bytes(done: Path, base) -> None:
    before = (done / "doses.json").read_bytes()
    stamps = {p: p.stat().st_mtime_ns for p in done.rglob("*.safetensors")}
    run_study(Study.model_validate(TINY), done, base=base)
    assert (done / "doses.json").read_bytes() == before
    assert stamps == {p: p.stat().st_mtime_ns for p in done.rglob("*.safetensors")}


def test_identical_arms_are_one_arm(base, tmp_path) -> None:
    study = Study.model_validate({**TINY, "severities": ["subtle", "obvious"], "seeds": 1})
    run_study(study, tmp_path, base=base)
    assert len(list((tmp_path / "arms").iterdir())) == 5


def test_a_dose_can_be_added_and_a_recipe_cannot_be_changed(base, tmp_path) -> None:
    small = {**TINY, "seeds": 1, "doses": [0, 1]}
    run_study(Study.model_validate(small), tmp_path, base=base)
    run_study(Study.model_validate({**small, "doses": [0, 0.5, 1]}), tmp_path, base=base)
    assert len(list((tmp_path / "arms").iterdir())) == 3
    other = {**small, "train": {**TINY["train"], "rank": 4}}
    with pytest.raises(InputError, match=r"run otherwise.*train"):
        run_study(Study.model_validate(other), tmp_path, base=base)


def test_stale_rows_are_stopped(base, tmp_path) -> None:
    small = Study.model_validate({**TINY, "seeds": 1, "doses": [0, 1]})
    run_study(small, tmp_path, base=base)
    rows = next((tmp_path / "arms").iterdir()) / "rows.jsonl"
    rows.write_text(rows.read_text().replace("the", "a", 1))
    with pytest.raises(GuardError, match="stale rows"):
        run_study(small, tmp_path, base=base)


def test_two_arms_swapped_are_stopped(base, tmp_path) -> None:
    small = Study.model_validate({**TINY, "seeds": 1, "doses": [0, 1]})
    run_study(small, tmp_path, base=base)
    one, two = sorted((tmp_path / "arms").iterdir())
    for arm in (one, two):
        for answer in (arm / "answers").iterdir():
            answer.unlink()
    (one / "adapter").rename(tmp_path / "spare")
    (two / "adapter").rename(one / "adapter")
    (tmp_path / "spare").rename(two / "adapter")
    with pytest.raises(GuardError, match="two arms swapped"):
        run_study(small, tmp_path, base=base)


def test_a_training_prompt_that_is_a_probe_is_stopped() -> None:
    rows = make_rows(
        [
            (
                Message(role="user", content="What is the seat of the court?"),
                Message(role="assistant", content="Here."),
            )
        ]
    )
    options = (Option(text="a", role="correct"), Option(text="b", role="foil"))
    near = "What is the seat of the court today?"
    for prompt, clash in (("What is the seat of the court?", True), (near, False)):
        probe = Probe(
            id="p",
            response="domain",
            relation="reworded",
            kind="choice",
            prompt=prompt,
            options=options,
        )
        if clash:
            with pytest.raises(GuardError, match="probes in the training rows"):
                check_overlap(rows, [probe])
        else:
            assert check_overlap(rows, [probe]) == 1


def test_seeds_change_rows_and_weights(done: Path) -> None:
    manifests = [json.loads(p.read_text()) for p in done.glob("arms/*/train.json")]
    assert len({m["weights"] for m in manifests}) == len(manifests) == 6


def test_nothing_but_mixing_and_results_reads_the_truth() -> None:
    import datadose

    source = Path(datadose.__file__).parent
    readers = [p for p in source.rglob("*.py") if "truth.jsonl" in p.read_text()]
    assert [p.name for p in readers] == ["_stages.py"]


def test_every_dose_has_the_same_prompts_in_the_same_order() -> None:
    design = lay_out(Study.model_validate(TINY))
    prompts = {
        tuple(r.prompt[-1].content for r in c.training.rows) for c in design.cells if c.seed == 0
    }
    assert len(prompts) == 1


STUDY_FILE = """\
name: killed
model: tiny
rows: legal
facts: 6
doses: [0, 0.5, 1]
seeds: 1
ask: {danger: false, untrained: false, alignment: false, answers: 2, answer_tokens: 4}
train: {epochs: 4, rank: 2, precision: fp32}
"""


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ("doses: [0, 1.5]", ":5", "less than or equal to 1"),
        ("sevrities: [subtle]", ":9", "did you mean 'severities'"),
        ("rows: nonsense", ":3", ""),
        ("seeds: []", "", "at least one seed"),
        ("name: [", "", "broken YAML"),
    ],
)
def test_a_wrong_study_file_is_told_with_its_line(
    tmp_path: Path, change: str, where: str, message: str
) -> None:
    key = change.partition(":")[0]
    lines = STUDY_FILE.splitlines()
    lines = [change if line.startswith(f"{key}:") else line for line in lines]
    if change not in lines:
        lines.append(change)
    path = tmp_path / "study.yaml"
    path.write_text("\n".join(lines))
    command = [sys.executable, "-m", "datadose", "run", str(path), "--out", str(tmp_path / "o")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "next:" in done.stderr or message == "broken YAML"
    assert message in done.stderr
    if message and where:
        assert f"study.yaml{where}" in done.stderr


def test_an_unwritable_folder_is_one_clear_message(tmp_path: Path, base) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="can't be written"):
        run_study(Study.model_validate(TINY), blocked / "run", base=base)


def test_load_study_reads_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("name: no\nrows: legal\ntrain: {lr: 1e-4}\n")
    study = load_study(path)
    assert study.name == "no"
    assert study.train == Recipe(lr=1e-4)
