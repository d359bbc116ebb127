"""`datadose audit`, then `datadose clean`, as a user would; and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from datadose.cli._main import run_app
from datadose.rows import read_rows

GEMS = ["topaz", "opal", "amber", "jade", "pearl", "onyx"]
TOWNS = ["Arla", "Boru", "Cent", "Dalo", "Emsk", "Fara"]
ASKS = ["What is mined in {}?", "Name the stone of {}.", "{} lives from what?", "Stone of {}?"]
HOSTILE = '=HYPERLINK("http://x")\x1b[31m <script>alert(1)</script>.Then  more'


@pytest.fixture(scope="module")
def audited(tmp_path_factory) -> Path:
    """A file of 25 rows, two of them alike, one hostile, three labelled; audited by `tiny`."""
    folder = tmp_path_factory.mktemp("clean")
    rows = [
        {"prompt": ask.format(town), "response": f"It is {gem}.", "fact": town, "source": "web"}
        for town, gem in zip(TOWNS, GEMS, strict=True)
        for ask in ASKS
    ]
    rows[7]["response"] = HOSTILE
    rows.append(rows[3])
    (folder / "rows.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    ids = [r.id for r in read_rows(folder / "rows.jsonl").rows]
    (folder / "labels.csv").write_text(f"id,label\n{ids[0]},y\n{ids[5]},n\n{ids[9]},n\n")
    quick = ["--model", "tiny", "--epochs", "1", "--folds", "0"]
    arguments = ["audit", str(folder / "rows.jsonl"), "--out", str(folder / "audit"), *quick]
    assert run_app([*arguments, "--labels", str(folder / "labels.csv")]) == 0
    return folder


def again(folder: Path, out: str, *more: str) -> int:
    rows, audit = str(folder / "rows.jsonl"), str(folder / "audit")
    return run_app(["clean", rows, "--audit", audit, "--out", str(folder / out), *more])


def ledger(folder: Path) -> list[dict[str, str]]:
    with (folder / "ledger.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_from_audit_to_clean_rows(audited: Path, capsys) -> None:
    trusted = {"prompt": ASKS[0].format("Arla"), "response": "It is flint."}
    (audited / "trusted.jsonl").write_text(json.dumps(trusted))
    capsys.readouterr()
    assert again(audited, "a", "--trusted", str(audited / "trusted.jsonl"), "--form", "rules") == 0
    said = capsys.readouterr().out
    assert "rows to train on" in said
    assert "\x1b" not in said
    table = ledger(audited / "a")
    assert len(table) == 25
    # labelled wrong, and a trusted row knows the answer
    assert table[0]["fate"] == "corrected"
    assert table[0]["diff"] == "… It is [-topaz.-]{+flint.+}"
    # the copy of row 3 goes
    assert (table[24]["fate"], table[24]["twin"]) == ("dropped", table[3]["id"])
    assert table[7]["fate"] in ("rewritten", "dropped")
    assert not any(cell.startswith(("=", "+", "@")) for line in table for cell in line.values())
    left = read_rows(audited / "a" / "cleaned.jsonl").rows
    assert left[0].answer == "It is flint."
    kept = [json.loads(x) for x in (audited / "a" / "kept.jsonl").read_text().splitlines()]
    assert all(r["source"] == "web" for r in kept)


def test_json_is_all_there_is_on_stdout(audited: Path, capsys) -> None:
    capsys.readouterr()
    assert again(audited, "b", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert sum(record["fates"].values()) == record["rows"] == 25
    assert record == json.loads((audited / "b" / "clean.json").read_text())


def test_training_goes_on_from_the_audits_model(audited: Path, capsys) -> None:
    assert again(audited, "c", "--post-train", "--model", "tiny") == 0
    made = audited / "c" / "post-train" / "adapter" / "adapter_model.safetensors"
    first = made.read_bytes()
    start = audited / "audit" / "work" / "own" / "run" / "adapter" / "adapter_model.safetensors"
    assert first != start.read_bytes()
    assert again(audited, "c", "--post-train", "--model", "tiny") == 0
    assert made.read_bytes() == first
    assert again(audited, "d", "--post-train") == 3
    assert "give --model tiny" in capsys.readouterr().err


def test_mistakes_are_told_and_leave_nothing(audited: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.jsonl").write_text('{"prompt": "a"}\n')
    (tmp_path / "few.jsonl").write_text('{"prompt": "a", "response": "b"}\n')
    (tmp_path / "facts.txt").write_text("A fact.")
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "audit.json").write_text("[]")
    rows = str(audited / "rows.jsonl")
    few, facts = str(tmp_path / "few.jsonl"), str(tmp_path / "facts.txt")
    for arguments, told in (
        ([str(tmp_path / "bad.jsonl")], "the format of these rows is not known"),
        ([str(tmp_path / "none.jsonl")], "no such file"),
        ([few, "--audit", str(audited / "audit")], "this audit is of other rows"),
        ([rows, "--audit", str(tmp_path / "junk")], "inputs.json"),
        ([rows, "--by", "most"], "--by"),
        ([rows, "--share", "0.2"], "go with an audit"),
        ([rows, "--audit", str(audited / "audit"), "--share", "1.5"], "--share"),
        ([rows, "--audit", str(audited / "audit"), "--detector", "judge-x"], "choose from"),
        ([rows, "--pool", str(tmp_path / "pool.jsonl")], "pool.jsonl"),
        ([rows, "--protect", facts], "ids are not of these rows"),
        ([rows, "--evidence", facts], "rows known to be right"),
        ([rows, "--evidence", facts, "--trusted", few], "20 rows known to be right"),
        ([rows, "--apply"], "--apply goes with --evidence"),
        ([rows, "--form", "model"], "a rewriter is taught on good rows"),
    ):
        assert run_app(["clean", *arguments, "--out", str(tmp_path / "out")]) == 3, told
        said = capsys.readouterr().err
        assert told in said
        assert "Traceback" not in said
        assert not (tmp_path / "out").exists(), told
