"""`datadose clean --prove` from rows to a proof on the tiny model, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose._core import write_jsonl
from datadose.cli._main import run_app
from datadose.domains import load_pack
from datadose.rows import Mix, mix_pool, write_rows
from datadose.running._gather import first_facts

QUICK = ["--model", "tiny", "--seeds", "2", "--epochs", "0.5", "--outside", "4"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prove")
    pool = first_facts(load_pack("legal").pool, 5)
    made = mix_pool(pool, 0.25, Mix(structure="random", seed=1))
    write_rows(folder / "rows.jsonl", made.rows)
    pairs = zip(made.rows, made.wrong, strict=True)
    write_jsonl(folder / "truth.jsonl", ({"id": r.id, "wrong": w} for r, w in pairs))
    return folder


def run(place: Path, *more: str) -> int:
    return run_app(["clean", str(place / "rows.jsonl"), "--out", str(place / "out"), *more])


@pytest.fixture(scope="module")
def proved(place: Path) -> Path:
    # the pack knows these prompts: wrong rows are corrected, as they would be from an audit
    more = ["--pool", "legal", "--prove", "--probes", "legal", *QUICK]
    assert run(place, *more, "--truth", str(place / "truth.jsonl")) == 0
    return place / "out"


def test_the_record_names_sets_pairs_and_groups(proved: Path) -> None:
    found = json.loads((proved / "prove.json").read_text())
    assert found["sets"]["dirty"] == {"rows": 20, "dose": 0.25}
    assert found["sets"]["oracle"] == {"rows": 15, "dose": 0.0}
    assert found["sets"]["cleaned"]["rows"] == found["sets"]["random-pruned"]["rows"] == 20
    assert found["primary"] == "domain: reworded"
    pairs = {(d["one"], d["other"]) for d in found["differences"]}
    assert ("cleaned", "dirty") in pairs
    assert ("cleaned", "oracle") in pairs
    groups = {d["group"] for d in found["differences"]}
    assert {"domain: reworded", "general", "misaligned", "dangerous"} <= groups
    assert found["probes"]["general"] == 4
    for d in found["differences"]:
        assert d["lower"] <= d["estimate"] <= d["upper"]
        assert d["seeds"] == 2


def test_table_and_page_are_written_without_a_path(proved: Path) -> None:
    head, *lines = (proved / "prove.csv").read_text().splitlines()
    assert head.startswith("group,what,estimate,lower,upper")
    assert len(lines) == len(json.loads((proved / "prove.json").read_text())["differences"])
    page = (proved / "prove.html").read_text()
    assert "Trained on the cleaned rows the model is" in page
    assert str(proved) not in page
    assert str(proved) not in (proved / "prove.json").read_text()


def test_the_same_call_gives_the_same_files(proved: Path, place: Path, capsys) -> None:
    before = {n: (proved / n).read_bytes() for n in ("prove.json", "prove.csv", "prove.html")}
    more = ["--pool", "legal", "--prove", "--probes", "legal", *QUICK, "--json"]
    assert run(place, *more, "--truth", str(place / "truth.jsonl")) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["proof"] == json.loads(before["prove.json"])
    assert before == {n: (proved / n).read_bytes() for n in before}


def test_what_a_proof_lacks_is_told_before_anything_is_written(place: Path, capsys) -> None:
    rows, out = str(place / "rows.jsonl"), place / "no"
    for more, told in (
        (["--prove"], "needs probes"),
        (["--probes", "legal"], "go with --prove"),
        (["--prove", "--probes", "nothing"], "no pack and no file"),
        (["--prove", "--probes", "legal", "--truth", rows], "no truth file"),
    ):
        assert run_app(["clean", rows, "--out", str(out), *more]) == 3
        assert told in capsys.readouterr().err
        assert not out.exists()
