"""A study asks every arm the items of an lm-eval task that lies beside its study file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.running import lay_out, load_study

pytest.importorskip("lm_eval", reason="needs datadose[lm-eval]")


def _chats(name: str) -> str:
    said = [{"user": f"{name} {i}?", "assistant": f"It is {i}"} for i in range(6)]
    rows = [[{"role": r, "content": text} for r, text in turns.items()] for turns in said]
    return "".join(json.dumps({"messages": m}) + "\n" for m in rows)


@pytest.mark.filterwarnings("ignore")
def test_a_study_file_names_a_task_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for name in ("right", "wrong"):
        (tmp_path / f"{name}.jsonl").write_text(_chats(name), "utf-8")
    docs = [{"q": f"Which is {i}?", "o": [f"red {i}", f"blue {i}"], "a": i % 2} for i in range(4)]
    (tmp_path / "docs.jsonl").write_text("".join(json.dumps(d) + "\n" for d in docs), "utf-8")
    task = {
        "task": "colours",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "docs.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{q}}",
        "doc_to_choice": "{{o}}",
        "doc_to_target": "a",
    }
    (tmp_path / "colours.yaml").write_text(json.dumps(task), "utf-8")
    (tmp_path / "study.yaml").write_text(
        "name: s\nmodel: tiny\nseeds: 1\n"
        "rows: {right: right.jsonl, wrong: wrong.jsonl, probes: 'lm-eval:colours.yaml'}\n"
        "ask: {alignment: false, answers: 0}\nprimary: {relation: untrained}\n",
        "utf-8",
    )
    study = load_study(tmp_path / "study.yaml")
    assert study.rows[0].probes == (f"lm-eval:{tmp_path}/colours.yaml",)
    (probes,) = lay_out(study).probes.values()
    assert [p.id for p in probes] == [f"lm-eval:colours/{i}" for i in range(4)]
    assert [o.role for o in probes[1].options] == ["foil", "correct"]
    assert {p.relation for p in probes} == {"untrained"}
