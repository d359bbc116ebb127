"""`datadose next` and the power that `datadose plan` prints."""

from __future__ import annotations

import json
from pathlib import Path

from datadose.cli._main import run_app

TABLE_HEAD = "dose,seed,question,good,asked\n"


def table(tmp_path: Path, doses: tuple[float, ...]) -> Path:
    path = tmp_path / "runs.csv"
    good = {0.0: 9, 0.5: 8, 1.0: 1}
    lines = [f"{d},{s},q{i},{good[d] - i % 2},10" for d in doses for s in (1, 2, 3) for i in (1, 2)]
    path.write_text(TABLE_HEAD + "\n".join(lines) + "\n")
    return path


def test_next_says_what_to_run_why_and_how_wide_it_will_be(tmp_path: Path, capsys) -> None:
    path = table(tmp_path, (0.0, 0.5, 1.0))
    assert run_app(["next", str(path)]) == 0
    out = capsys.readouterr().out
    assert "9 arms were run" in out
    assert "run next:" in out
    assert "is expected after" in out
    assert run_app(["next", str(path), "--json", "--batch", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["arms"]) >= 4
    assert set(found["arms"][0]) == {"dose", "seed"}
    assert found["stop"] is None
    assert run_app(["next", str(path), "--json", "--budget", "9"]) == 0
    assert json.loads(capsys.readouterr().out)["stop"] == "budget"


def test_next_starts_from_an_empty_table_and_tells_mistakes(tmp_path: Path, capsys) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(TABLE_HEAD)
    assert run_app(["next", str(path)]) == 0
    assert "dose 0.5, seed 1" in capsys.readouterr().out
    path.write_text("dose,seed,question,good\n0,1,q,1\n")
    assert run_app(["next", str(path)]) == 3
    assert "lacks the column 'asked'" in capsys.readouterr().err


def test_plan_tells_power_and_what_it_assumes(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    study = {
        "name": "small",
        "model": "tiny",
        "rows": "legal",
        "facts": 6,
        "doses": [0, 0.5, 1],
        "seeds": 2,
        "ask": {"danger": False, "untrained": False, "alignment": False, "answers": 0},
        "train": {"epochs": 1, "rank": 2, "precision": "fp32"},
    }
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(study))
    assert run_app(["plan", str(path), "--like", str(table(tmp_path, (0.0, 0.5, 1.0)))]) == 0
    out = capsys.readouterr().out
    assert "6 arms of" in out
    assert "late cliff" in out
    assert "80% of studies" in out
    assert "by default: slope" in out
    assert run_app(["plan", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["power"]["assumed"]["source"]["arm"] == "default"
    assert len(found["power"]["curves"]) == 4
    assert run_app(["plan", str(path), "--like", str(tmp_path / "absent.csv")]) == 3
