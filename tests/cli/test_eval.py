"""`datadose eval` and `datadose datasets`, as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.cli import _main
from datadose.evaluation.benchmarks import BENCHMARKS


@pytest.fixture
def medqa(tmp_path: Path) -> Path:
    """A folder with six questions."""
    example = BENCHMARKS.get("medqa")().example
    lines = [json.dumps({**example, "id": f"q{n}", "label": n % 4}) for n in range(6)]
    (tmp_path / "medqa_test.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = _main.run_app(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_json_has_every_count_and_answers_one_line_an_item(
    medqa: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = medqa / "answers.jsonl"
    code, said, _ = call(
        capsys,
        *("eval", "tiny", "--tasks", "medqa", "--limit", "4", "--data", str(medqa)),
        *("--json", "--answers", str(out)),
    )
    assert code == 0
    (task,) = json.loads(said)["tasks"]
    assert (task["task"], task["asked"], task["form"], task["kind"]) == (
        *("medqa", 4, "plain", "choice"),
    )
    assert task["right"] + task["outcomes"]["wrong"] == 4
    assert task["rate"] == task["right"] / 4
    assert task["lower"] <= task["rate"] <= task["upper"]
    assert set(task["outcomes"]) == {
        *("right", "adopted", "wrong", "incoherent", "refused", "unscored", "error"),
    }
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [x["id"] for x in lines] == [f"medqa/q{n}" for n in range(4)]
    assert all(x["task"] == "medqa" and len(x["scores"]) == 4 for x in lines)
    assert sum(x["kind"] == "right" for x in lines) == task["right"]


def test_text_is_a_table(medqa: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, err = call(
        capsys, *("eval", "tiny", "--tasks", "medqa", "--data", str(medqa), "--chat")
    )
    assert code == 0
    assert said.splitlines()[0].split() == [
        *("task", "form", "asked", "right", "rate", "lower", "upper", "outcomes"),
    ]
    assert said.splitlines()[1].split()[:3] == ["medqa", "chat", "6"]
    assert "asking medqa" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--tasks", "nonsense"), "no benchmark is called 'nonsense'"),
        (("--tasks", "probes:nonsense"), "no probes called 'nonsense'"),
        (("--tasks", "gsm8k", "--samples", "3"), "would all be the same"),
        (("--tasks", "gsm8k", "--data", "/nowhere"), "no file test.jsonl of gsm8k"),
        (("--tasks", "gsm8k", "--primer", "/nowhere"), "can't be read"),
        (("--tasks", "gsm8k", "--limit", "0"), "--limit"),
        ((), "--tasks"),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, err = call(capsys, "eval", "tiny", *arguments)
    assert code == 3
    assert said == ""
    assert told in err
    assert "Traceback" not in err


def test_without_data_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path))
    monkeypatch.delenv("DATADOSE_DATA", raising=False)
    code, _, err = call(capsys, "eval", "tiny", "--tasks", "gsm8k")
    assert code == 3
    assert "--data hub" in err


def test_datasets_are_listed_with_their_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said, _ = call(capsys, "datasets", "--data", str(tmp_path), "--json")
    assert code == 0
    found = {d["name"]: d for d in json.loads(said)["data_sets"]}
    assert found["mmlu_test"]["state"] == "absent"
    assert found["mmlu_test"]["files"] == len(found["mmlu_test"]["odd"]) == 57
    code, said, _ = call(capsys, "datasets", "gsm8k", "--data", str(tmp_path))
    assert code == 0
    assert said.splitlines()[1].split()[:2] == ["gsm8k", "absent"]
    code, said, _ = call(capsys, "datasets", "--tasks", "--json")
    assert [t["name"] for t in json.loads(said)] == list(BENCHMARKS)
    assert call(capsys, "datasets", "nonsense")[0] == 3
    assert call(capsys, "datasets", "--place")[0] == 3


@pytest.mark.data
def test_a_placed_data_set_is_found_by_eval(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path))
    code, said, _ = call(
        capsys, *("datasets", "simple_safety_tests", "--place", "--data", str(data_dir))
    )
    assert code == 0
    assert "here" in said
    monkeypatch.delenv("DATADOSE_DATA", raising=False)
    code, said, _ = call(
        capsys, *("eval", "tiny", "--tasks", "simple_safety_tests", "--limit", "2", "--json")
    )
    assert code == 0
    assert json.loads(said)["tasks"][0]["asked"] == 2
