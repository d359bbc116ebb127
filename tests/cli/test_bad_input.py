"""Bad input through the real commands: one clear message, exit code 3, nothing lost or left."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datadose.cli._main import run_app

GOOD = {"prompt": "What is the seat of the court?", "completion": "The town hall."}
ITEM: dict[str, Any] = {
    "fact": "seat",
    "correct": "The town hall.",
    "obvious": ["A boat.", "The moon.", "A tree.", "A sock."],
    "subtle": ["The abbey.", "The castle.", "The mill.", "The inn."],
}
BOM = b"\xef\xbb\xbf"


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATADOSE_DATA", raising=False)
    return tmp_path


def jsonl(*records: Any) -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in records)


def pool(**change: Any) -> bytes:
    prompts = [f"Where does the court sit, in the words of witness {n}?" for n in range(4)]
    items = [{**ITEM, "prompt": p} for p in prompts]
    items += [{**ITEM, "fact": "bench", "prompt": p.replace("court", "bench")} for p in prompts]
    items[2] = {**items[2], **change}
    return jsonl(*items)


def rows(*bad: Any) -> bytes:
    return jsonl(*[{**GOOD, "prompt": f"{GOOD['prompt']} {i}"} for i in range(4)], *bad)


def study(**change: Any) -> str:
    keys = {"name": "mine", "model": "tiny", "rows": "legal", "facts": 2, **change}
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())


@pytest.fixture
def refused(there: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run a command that must be refused; returns its message, and checks what all must keep."""

    def refused(arguments: list[str], place: str) -> str:
        def seen() -> dict[Path, bytes | None]:
            found = there.rglob("*")
            return {p: p.read_bytes() if p.is_file() else None for p in found}

        before = seen()
        code = run_app(arguments)
        said = capsys.readouterr()
        assert code == 3, said.err
        assert said.out == ""
        assert said.err.startswith("datadose: ")
        assert place in said.err
        assert re.search(r"^next: \S", said.err, flags=re.MULTILINE), said.err
        assert said.err.count("next: ") == 1
        assert "Traceback" not in said.err
        assert len(said.err) < 2000
        assert seen() == before
        return said.err

    return refused


BAD_ROWS: dict[str, tuple[bytes, str, str]] = {
    "broken JSON": (rows() + b'{"prompt": "q", \n', "wrong.jsonl:5", "broken JSON"),
    "a missing field": (rows({"prompt": "q"}), "wrong.jsonl:5: completion", "is missing"),
    "an empty answer": (
        rows({"prompt": "q", "completion": " "}),
        "wrong.jsonl:5: completion",
        "the answer is empty",
    ),
    "a wrong role": (
        jsonl({"messages": [{"role": "user", "content": "q"}, {"role": "bot", "content": "a"}]}),
        "wrong.jsonl:1: messages[1].role",
        "role must be one of",
    ),
    "turns out of order": (
        jsonl({"messages": [{"role": "assistant", "content": "a"}]}),
        "wrong.jsonl:1: messages[0].content",
        "starts with assistant",
    ),
    "a binary file": (b"\x7fELF\x02\x01\0\0" * 100, "wrong.jsonl", "is a binary file"),
    "an empty file": (b"", "wrong.jsonl", "is empty"),
    "text that is not UTF-8": (rows() + b'{"prompt": "caf\xe9"}\n', "wrong.jsonl:5", "not UTF-8"),
    "UTF-16": ('{"prompt": "q"}'.encode("utf-16"), "wrong.jsonl", "is UTF-16"),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_of_a_study(there: Path, refused: Callable[..., str], name: str) -> None:
    content, place, message = BAD_ROWS[name]
    (there / "right.jsonl").write_bytes(rows())
    (there / "wrong.jsonl").write_bytes(content)
    source = {"right": "right.jsonl", "wrong": "wrong.jsonl", "probes": "legal"}
    (there / "s.yaml").write_text(study(rows=source))
    assert message in refused(["run", "s.yaml"], place)


def test_a_line_of_a_hundred_megabytes(there: Path, refused: Callable[..., str]) -> None:
    with (there / "big.jsonl").open("wb") as file:
        file.write(rows())
        for _ in range(100):
            file.write(b"x" * 2**20)
    command = ["mix", "big.jsonl", "--dose", "1", "--out", "out.jsonl"]
    assert "line is over 64 MB" in refused(command, "big.jsonl:5")


BAD_POOLS: dict[str, tuple[bytes, str, str]] = {
    "broken JSON": (pool() + b"{\n", "p.jsonl:9", "broken JSON"),
    "a missing field": (
        jsonl({k: v for k, v in ITEM.items() if k != "fact"}),
        "p.jsonl:1: fact",
        "is missing",
    ),
    "an empty answer": (pool(correct=""), "p.jsonl:3: correct", "is empty"),
    "an empty wrong answer": (pool(subtle=["a", " "]), "p.jsonl:3: subtle[1]", "is empty"),
    "an unknown key": (pool(subtel=["a"]), "p.jsonl:3: subtel", "unknown key"),
    "a right answer among the wrong": (
        pool(subtle=["The town hall."]),
        "p.jsonl:3: subtle[0]",
        "is the same as correct",
    ),
    "rows instead of a pool": (rows(), "p.jsonl:1: fact", "is missing"),
    "a binary file": (b"PK\x03\x04\0\0", "p.jsonl", "is a binary file"),
}


@pytest.mark.parametrize("name", BAD_POOLS)
def test_pools(there: Path, refused: Callable[..., str], name: str) -> None:
    content, place, message = BAD_POOLS[name]
    (there / "p.jsonl").write_bytes(content)
    said = refused(["mix", "p.jsonl", "--dose", "0.5", "--out", "out.jsonl"], place)
    assert message in said
    (there / "s.yaml").write_text(study(rows={"pool": "p.jsonl", "probes": "legal"}))
    assert message in refused(["run", "s.yaml"], place)


def test_too_few_answers_for_random_names_the_rows(
    there: Path, refused: Callable[..., str]
) -> None:
    (there / "p.jsonl").write_bytes(pool(subtle=["The abbey.", "The castle."]))
    command = ["mix", "p.jsonl", "--dose", "0.5", "--structure", "random", "--out", "out.jsonl"]
    said = refused(command, "item 3 (fact seat)")
    assert "has 2 subtle answers, random needs 4" in said
    (there / "s.yaml").write_text(
        study(rows={"pool": "p.jsonl", "probes": "legal"}, structure="random")
    )
    assert "has 2 subtle answers" in refused(["run", "s.yaml"], "item 3 (fact seat)")
    command[5] = "consistent"
    assert run_app(command) == 0


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("start", [b"", BOM])
def test_a_bom_and_crlf_are_read_right(there: Path, start: bytes, end: bytes) -> None:
    (there / "plain.jsonl").write_bytes(pool())
    (there / "p.jsonl").write_bytes(start + pool().replace(b"\n", end))
    made = []
    for name in ("plain", "p"):
        command = ["mix", f"{name}.jsonl", "--dose", "1", "--out", f"{name}-out.jsonl"]
        assert run_app(command) == 0
        made.append((there / f"{name}-out.jsonl").read_text())
    assert sorted(made[0].splitlines()) == sorted(made[1].splitlines())
    text = study(doses=[0, 1])
    (there / "s.yaml").write_bytes(start + text.encode().replace(b"\n", end))
    from datadose.running import load_study

    (there / "t.yaml").write_text(text)
    assert load_study(there / "s.yaml") == load_study(there / "t.yaml")


BAD_STUDIES: dict[str, tuple[dict[str, Any], str, str]] = {
    "an unknown key": ({"sevrities": ["subtle"]}, "s.yaml:5: sevrities", "mean 'severities'"),
    "an unknown key inside": ({"train": {"rnak": 4}}, "s.yaml:5: train.rnak", "unknown key"),
    "a dose of 1.5": ({"doses": [0, 1.5]}, "s.yaml:5: doses.1", "less than or equal to 1"),
    "a dose below 0": ({"doses": [-0.1, 1]}, "s.yaml:5: doses.0", "greater than or equal to 0"),
    "a dose in words": ({"doses": [0, "half"]}, "s.yaml:5: doses.1", "number"),
    "one dose": ({"doses": [0.5, 0.5]}, "s.yaml", "two different doses"),
    "no seed": ({"seeds": []}, "s.yaml", "at least one seed"),
    "two kinds of rows": ({"rows": {"pack": "legal", "pool": "p.jsonl"}}, "s.yaml", "give one of"),
    "an unknown pack": ({"rows": "astrology"}, "astrology", "choose from"),
    "an unknown benchmark": ({"rows": {"benchmark": "b", "data": "."}}, "'b'", "choose from"),
    "absent rows": (
        {"rows": {"right": "a.jsonl", "wrong": "b.jsonl", "probes": "legal"}},
        "a.jsonl",
        "no such file",
    ),
    "an absent pool": ({"rows": {"pool": "a.jsonl", "probes": "legal"}}, "a.jsonl", "no such file"),
    "absent probes": (
        {"rows": {"pool": "p.jsonl", "probes": "none.jsonl"}},
        "none.jsonl",
        "no file",
    ),
    "too many facts": ({"facts": 4000}, "legal", "4000 facts asked for"),
    "a data variable that is not set": (
        {"rows": {"benchmark": "medmcqa", "data": "${DATADOSE_DATA}/x"}},
        "s.yaml:3",
        "DATADOSE_DATA is not set",
    ),
    "a data folder that is absent": (
        {"rows": {"benchmark": "medmcqa", "data": "nowhere"}},
        "nowhere",
        "in this folder",
    ),
}


@pytest.mark.parametrize("name", BAD_STUDIES)
def test_study_files(there: Path, refused: Callable[..., str], name: str) -> None:
    change, place, message = BAD_STUDIES[name]
    (there / "p.jsonl").write_bytes(pool())
    (there / "s.yaml").write_text(study(**change))
    assert message in refused(["run", "s.yaml"], place)
    assert message in refused(["plan", "s.yaml"], place)


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        (b"name: [", "s.yaml:1", "broken YAML"),
        (b"name: a\nname: b\n", "s.yaml:2", "name"),
        (b"", "s.yaml", "is not a study"),
        (b"just words", "s.yaml", "is not a study"),
        (b"\x7fELF\0\0", "s.yaml", ""),
        (b"name: caf\xe9\n", "s.yaml", "is not UTF-8"),
        (b"name: ../../etc\nrows: legal\n", "s.yaml:1: name", "pattern"),
    ],
)
def test_files_that_are_not_studies(
    there: Path, refused: Callable[..., str], content: bytes, place: str, message: str
) -> None:
    (there / "s.yaml").write_bytes(content)
    assert message in refused(["run", "s.yaml"], place)


def test_a_folder_in_place_of_a_study(there: Path, refused: Callable[..., str]) -> None:
    (there / "s.yaml").mkdir()
    refused(["run", "s.yaml"], "s.yaml")


@pytest.mark.parametrize("out", ["file/run", "file", "/proc/datadose/run"])
def test_a_run_folder_that_cannot_be_written(
    there: Path, refused: Callable[..., str], out: str
) -> None:
    (there / "file").write_text("kept")
    (there / "s.yaml").write_text(study())
    assert "can't be written" in refused(["run", "s.yaml", "--out", out], out)


@pytest.mark.parametrize("out", ["file/rows.jsonl", "/proc/datadose/rows.jsonl"])
def test_rows_that_cannot_be_written(there: Path, refused: Callable[..., str], out: str) -> None:
    (there / "file").write_text("kept")
    said = refused(["mix", "legal", "--dose", "0.5", "--out", out], out)
    assert "can't be written" in said


@pytest.mark.parametrize("dose", ["1.5", "-0.5", "nan"])
def test_mix_at_a_dose_that_is_none(there: Path, refused: Callable[..., str], dose: str) -> None:
    (there / "out.jsonl").write_text("kept")
    refused(["mix", "legal", "--dose", dose, "--out", "out.jsonl"], dose)


@pytest.mark.parametrize(
    "arguments",
    [["report", "nowhere"], ["fit", "t.csv"], ["run"], ["mix", "legal"], ["run", "s.yaml", "--x"]],
)
def test_other_verbs(there: Path, refused: Callable[..., str], arguments: list[str]) -> None:
    (there / "t.csv").write_bytes(b"\x7fELF\0\0,\n")
    (there / "s.yaml").write_text(study())
    refused(arguments, "")


def test_no_traceback_from_a_process_of_its_own(there: Path) -> None:
    """What a user sees, with nothing of pytest in between."""
    (there / "s.yaml").write_text(study(doses=[0, 1.5]))
    command = [sys.executable, "-m", "datadose", "run", "s.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("datadose: s.yaml: ")
    assert lines[1].strip().startswith("s.yaml:5: doses.1: ")
    assert lines[-1].startswith("next: ")
    assert not (there / "runs").exists()


def test_mix_of_one_fact(there: Path, refused: Callable[..., str]) -> None:
    refused(["mix", "legal", "--dose", "0.5", "--facts", "1", "--out", "out.jsonl"], "facts")


def test_an_unknown_pack_lists_the_packs(there: Path, refused: Callable[..., str]) -> None:
    said = refused(["mix", "astrology", "--dose", "1", "--out", "out.jsonl"], "astrology")
    assert "legal" in said
