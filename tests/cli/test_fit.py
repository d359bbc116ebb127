"""`datadose fit` as a person meets it: a table by hand, in an empty folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.cli._main import run_app

EIGHT = """dose, seed, question, good, asked
0, 0, all, 90, 100
0, 1, all, 88, 100
0.25, 0, all, 87, 100
0.25, 1, all, 85, 100
0.5, 0, all, 30, 100
0.5, 1, all, 35, 100
1, 0, all, 12, 100
1, 1, all, 9, 100
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(EIGHT)
    return tmp_path


def test_eight_lines_give_sentence_table_and_plot(folder: Path, capsys) -> None:
    assert run_app(["fit", "t.csv", "--plot", "t.svg"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("The dose at which domain gets worse by 10% is ")
    assert "one-sided limits)." in out.splitlines()[0]
    for name in ("benchmark 5%", "benchmark 20%", "recovery", "ed50", "parity", "change point"):
        assert f"\ndomain    {name} " in out
    assert "seed x fact bootstrap" in out
    assert "drawn: t.svg" in out
    assert err == ""
    assert (folder / "t.svg").read_text().count("<svg") == 1


def test_json_is_a_list_and_nothing_else(folder: Path, capsys) -> None:
    assert run_app(["fit", "t.csv", "--json", "--plot", "t.png"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    for t in found:
        assert set(t) >= {"response", "threshold", "estimate", "lower", "upper", "status"}
    names = {"benchmark", "recovery", "ed50", "parity", "change_point"}
    assert {t["threshold"] for t in found} == names


def test_a_wrong_column_is_one_clear_error(folder: Path, capsys) -> None:
    (folder / "t.csv").write_text(EIGHT.replace("asked", "total"))
    assert run_app(["fit", "t.csv"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "datadose: columns: dose, seed, question, good, total: the table lacks the column 'asked'\n"
        "next: name the columns dose, seed, question, good, asked\n"
    )


def test_a_base_model_brings_the_lost_gain(folder: Path, capsys) -> None:
    (folder / "t.csv").write_text(EIGHT + ",,all,40,100\n")
    assert run_app(["fit", "t.csv"]) == 0
    out = capsys.readouterr().out
    table = out[out.index("that is lost, Fieller's limits:") :].splitlines()
    assert table[1].split()[:2] == ["response", "dose"]
    assert table[3].startswith("domain    0.5 ")
    # 56.5 of the 49 points of gain are lost: more than all
    assert float(table[3].split()[2]) == pytest.approx(56.5 / 49, abs=0.03)
    told = _lost_gain(capsys)
    assert [t["dose"] for t in told] == [0.25, 0.5, 1.0]
    assert {t["status"] for t in told} == {"estimated"}
    for line, t in zip(table[2:], told, strict=False):
        assert line.split()[2:5] == [f"{t[k]:.3g}" for k in ("estimate", "lower", "upper")]
    (folder / "t.csv").write_text(EIGHT + ",,all,89,100\n")
    assert run_app(["fit", "t.csv"]) == 0
    assert "too uncertain to divide by" in capsys.readouterr().out
    told = _lost_gain(capsys)
    assert {(t["estimate"], t["lower"], t["upper"]) for t in told} == {(None, None, None)}
    assert all(t["status"] == "not defined" and t["why"] for t in told)


def _lost_gain(capsys) -> list[dict[str, object]]:
    assert run_app(["fit", "t.csv", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert all(("lost_gain" in t) == (t["threshold"] == "parity") for t in found)
    return next(t["lost_gain"] for t in found if t["threshold"] == "parity")


def test_the_count_axis_speaks_of_rows(folder: Path, capsys) -> None:
    counted = EIGHT.replace("\n0.25", "\n25").replace("\n0.5", "\n50").replace("\n1,", "\n100,")
    (folder / "t.csv").write_text(counted)
    assert run_app(["fit", "t.csv", "--axis", "count", "--plot", "t.png"]) == 0
    out = capsys.readouterr().out
    assert " wrong rows (" in out.splitlines()[0]
    assert "%" not in out.splitlines()[0].split(" is ")[1].replace("95% one-sided", "")


def test_a_score_by_hand(folder: Path, capsys) -> None:
    _, *rest = EIGHT.splitlines()
    lines = [line.rsplit(",", 1)[0] for line in rest]
    (folder / "t.csv").write_text("\n".join(["dose,seed,question,value", *lines]))
    assert run_app(["fit", "t.csv", "--scale", "continuous", "--unit", "100"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("The dose at which domain gets worse by 10 is ")
    assert "benchmark 10 " in out
    assert err == ""
    turned = ["fit", "t.csv", "--scale", "continuous", "--unit", "100", "--direction", "up"]
    assert run_app([*turned, "--json"]) == 0
    out, err = capsys.readouterr()
    assert {t["unit"] for t in json.loads(out)} == {100.0}
    assert err.startswith("note: domain falls by 78.5 up to dose 1,")
    assert run_app(["fit", "t.csv", "--scale", "continuous"]) == 3
    assert "needs a unit" in capsys.readouterr().err


def test_copied_lines_are_noted(folder: Path, capsys) -> None:
    (folder / "t.csv").write_text(EIGHT + "1, 1, all, 9, 100\n")
    assert run_app(["fit", "t.csv", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert "repeat a dose, seed and question: 1 (first in line 10)" in err
