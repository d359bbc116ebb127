"""`datadose audit` from rows to files, its labelling form, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from datadose.cli._main import run_app

GEMS = ["topaz", "opal", "amber", "jade", "pearl", "onyx"]
TOWNS = ["Arla", "Boru", "Cent", "Dalo", "Emsk", "Fara"]
ASKS = [
    "What is mined in {}?",
    "Name the stone of {}.",
    "{} lives from which stone?",
    "Which stone is cut in {}?",
]
HOSTILE = "It is <script>alert(1)</script> jade."
QUICK = ["--model", "tiny", "--epochs", "1", "--folds", "0"]


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    rows = []
    for i, (town, gem) in enumerate(zip(TOWNS, GEMS, strict=True)):
        for j, ask in enumerate(ASKS):
            answer = HOSTILE if (i, j) == (3, 2) else f"It is {gem}."
            rows.append({"prompt": ask.format(town), "response": answer, "fact": town})
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    # a truth file beside the rows, which nothing may open
    (folder / "truth.jsonl").write_text("not to be read\n")
    opened: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple) -> None:
        if watching[0] and event == "open" and isinstance(arguments[0], str | os.PathLike):
            opened.append(os.fspath(arguments[0]))

    sys.addaudithook(watch)
    assert run_app(["audit", str(folder / "rows.jsonl"), "--out", str(folder / "out"), *QUICK]) == 0
    watching[0] = False
    assert any(name.endswith("rows.jsonl") for name in opened)
    assert not any(name.endswith("truth.jsonl") for name in opened)
    return folder


def scores(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "out" / "scores.csv").read_text())))


def again(folder: Path, *more: str) -> int:
    return run_app(
        ["audit", str(folder / "rows.jsonl"), "--out", str(folder / "out"), *QUICK, *more]
    )


def test_scores_name_every_row_once_in_the_files_order(audited: Path) -> None:
    rows = scores(audited)
    assert [int(r["line"]) for r in rows] == list(range(1, 25))
    assert len({r["id"] for r in rows}) == 24
    assert sorted(int(r["rank"]) for r in rows) == list(range(1, 25))
    assert all(0 <= float(r["suspicion"]) <= 1 for r in rows)
    by_rank = sorted(rows, key=lambda r: int(r["rank"]))
    suspicion = [float(r["suspicion"]) for r in by_rank]
    assert suspicion == sorted(suspicion, reverse=True)
    assert {"loss", "aum", "neighbours", "donod-min", "grads-band", "length"} <= set(rows[0])


def test_the_record_holds_share_verdict_and_calibration(audited: Path) -> None:
    found = json.loads((audited / "out" / "audit.json").read_text())
    assert found["rows"] == 24
    assert found["planted"]["random"] == 2
    assert found["chosen"]["name"] not in ("length", "length-short")
    assert found["status"] in ("model-based", "none")
    assert found["verdict"]["action"] == "can't say"
    assert {m["name"] for m in found["calibration"]} >= {"loss", "held-out", "self-validation"}
    statuses = {m["status"] for m in found["calibration"]}
    assert statuses <= {"detects", "near chance", "reversed", "not measured"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.outside += [v for k, v in attrs if k in ("src", "href") and v and v.startswith("http")]


def test_the_page_is_self_contained_and_escapes_rows(audited: Path) -> None:
    page = (audited / "out" / "audit.html").read_text()
    tags = _Tags()
    tags.feed(page)
    assert tags.scripts == 1
    assert not tags.outside
    assert "&lt;script&gt;alert(1)" in page
    assert page.count('<article class="row"') == 24
    assert "'sha256-" in page


def test_the_form_stops_resumes_undoes_and_gives_a_share(
    audited: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\nn\nu\nn\n?\nq\n"))
    assert again(audited, "--label", "20") == 0
    labels = (audited / "out" / "labels.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in labels[1:]] == ["y", "n", "?"]
    part = json.loads((audited / "out" / "audit.json").read_text())
    assert part["labels"] == {"wrong": 1, "right": 1, "unsure": 1}
    assert part["share"]["method"] == "labels alone, exact"
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n" * 17))
    capsys.readouterr()
    assert again(audited, "--label", "20", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["labels"] == {"wrong": 1, "right": 18, "unsure": 1}
    assert shown["share"]["labelled"] == 19
    assert 0 < shown["share"]["lower"] < shown["share"]["estimate"] < shown["share"]["upper"] < 1
    # a call without --label keeps them
    assert again(audited) == 0
    assert json.loads((audited / "out" / "audit.json").read_text())["share"] == shown["share"]
    with_state = {r["state"] for r in scores(audited)}
    assert with_state == {"open", "labelled wrong", "labelled right", "labelled unsure"}


def test_detectors_are_held_against_rows_whose_truth_is_known(
    audited: Path, tmp_path: Path, capsys
) -> None:
    ids = [r["id"] for r in scores(audited)]
    file = tmp_path / "labels.csv"
    file.write_text("id,label\n" + "".join(f"{n},{'ny'[i % 2]}\n" for i, n in enumerate(ids[:12])))
    capsys.readouterr()
    assert again(audited, "--labels", str(file)) == 0
    assert "known rows" in capsys.readouterr().out
    record = json.loads((audited / "out" / "audit.json").read_text())
    known = record["on_known"]
    measured = {m["name"] for m in record["calibration"] if m["auroc"] is not None}
    assert set(known) == measured
    assert all(k["lower"] <= k["auroc"] <= k["upper"] for k in known.values())
    assert "on known rows" in (audited / "out" / "audit.html").read_text()
    # labels that err would make every detector look worse than it is
    assert again(audited, "--labels", str(file), "--labeller-error", "0.05") == 0
    assert json.loads((audited / "out" / "audit.json").read_text())["on_known"] == {}
    # the choice stays one of planted rows
    file.write_text(f"id,label\n{ids[0]},y\n")
    assert again(audited, "--labels", str(file)) == 0
    bare = json.loads((audited / "out" / "audit.json").read_text())
    assert bare["on_known"] == {}
    assert bare["chosen"] == record["chosen"]


def test_a_pool_that_knows_answers_is_asked_first(audited: Path, tmp_path: Path) -> None:
    pool = [
        {
            "prompt": ASKS[0].format(town),
            "fact": town,
            "correct": f"It is {gem if town != 'Arla' else 'ruby'}.",
            "subtle": [f"It is {gem}." if town == "Arla" else "It is coal."],
        }
        for town, gem in zip(TOWNS, GEMS, strict=True)
    ]
    file = tmp_path / "pool.jsonl"
    file.write_text("".join(json.dumps(p) + "\n" for p in pool))
    assert again(audited, "--pool", str(file)) == 0
    rows = scores(audited)
    states = [r["state"] for r in rows if r["state"].startswith("checked")]
    assert states == ["checked wrong"] + ["checked right"] * 5
    first = next(r for r in rows if r["state"] == "checked wrong")
    assert (first["suspicion"], first["line"]) == ("1", "1")


def test_mistakes_are_told_without_a_traceback(audited: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "few.jsonl").write_text('{"prompt": "a", "response": "b"}\n' * 3)
    assert (
        run_app(["audit", str(tmp_path / "few.jsonl"), "--out", str(tmp_path / "o"), *QUICK]) == 3
    )
    assert "3 rows are too few" in capsys.readouterr().err
    assert again(audited, "--seed", "5") == 3
    assert "this folder was run otherwise" in capsys.readouterr().err
    assert again(audited, "--label", "5", "--labels", "x.csv") == 3
    assert "exclude each other" in capsys.readouterr().err
    # told before any training: these folders are new
    for more, told in (
        (["--epochs", "1.5"], "1.5 epochs would leave rows unseen"),
        (["--labeller-error", "0.5"], "errs 0.5 of the time"),
        (["--study", str(tmp_path)], "doses.json"),
        (["--labels", str(tmp_path / "x.csv")], "x.csv"),
    ):
        out = tmp_path / "new"
        rows = str(audited / "rows.jsonl")
        assert run_app(["audit", rows, "--out", str(out), *QUICK, *more]) == 3
        assert told in capsys.readouterr().err
        assert not (out / "work").exists()


def test_a_folder_of_another_planting_is_refused_with_the_way_out(
    audited: Path, monkeypatch, capsys
) -> None:
    from datadose import auditing

    assert json.loads((audited / "out" / "inputs.json").read_text())["planting"] == (
        auditing.PLANT_VERSION
    )
    monkeypatch.setattr(auditing, "PLANT_VERSION", auditing.PLANT_VERSION + 1)
    assert again(audited) == 3
    told = capsys.readouterr().err
    assert "planting" in told
    assert "use another --out" in told


def test_a_draw_among_unchecked_rows_does_not_stand_for_all(
    audited: Path, tmp_path: Path, capsys
) -> None:
    plan = audited / "out" / "sample.json"
    before = plan.read_text() if plan.is_file() else None
    ids = [r["id"] for r in scores(audited)]
    drawn = {"ids": ids[1:5], "probability": [0.2] * 4, "checked": ids[:1]}
    plan.write_text(json.dumps(drawn))
    try:
        assert again(audited) == 3
        assert "give the same --pool" in capsys.readouterr().err
    finally:
        plan.unlink() if before is None else plan.write_text(before)
