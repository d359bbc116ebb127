"""Verbs as a user types them: output, exit codes, no traceback for a user's mistake."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from datadose.cli._main import run_app


def test_help_and_unknown_verbs(capsys) -> None:
    assert run_app(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "run" in shown
    # no verb's sentence is cut off
    assert "..." not in shown.replace("[ARGS]...", "")
    assert run_app(["judge", "--help"]) == 0
    assert "..." not in capsys.readouterr().out.replace("[ARGS]...", "")
    assert run_app(["nonsense"]) == 3
    assert "No such command" in capsys.readouterr().err


def test_init_writes_a_study_that_loads_and_never_writes_over_one(tmp_path: Path, capsys) -> None:
    from datadose.running import load_study

    path = tmp_path / "mine.yaml"
    assert run_app(["init", str(path)]) == 0
    assert load_study(path).name == "mine"
    assert run_app(["init", str(path)]) == 3
    assert "--force" in capsys.readouterr().err


def test_mix_writes_an_exact_dose_and_its_truth_apart(tmp_path: Path) -> None:
    rows, truth = tmp_path / "rows.jsonl", tmp_path / "truth.jsonl"
    command = ["mix", "legal", "--dose", "0.25", "--facts", "10", "--out", str(rows)]
    assert run_app([*command, "--truth", str(truth)]) == 0
    flags = [json.loads(line)["wrong"] for line in truth.read_text().splitlines()]
    assert sum(flags) / len(flags) == 0.25
    assert "wrong" not in json.loads(rows.read_text().splitlines()[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mix", "legal", "--dose", "1.5", "--out", "x.jsonl"], "not between 0 and 1"),
        (["mix", "astrology", "--dose", "1", "--out", "x.jsonl"], "choose from"),
        (["run", "absent.yaml"], "no such study file"),
        (["fit", "absent.csv"], "no such table"),
        (["model", "add", "absent.whl"], "can't be read as a wheel"),
    ],
)
def test_mistakes_are_clear_and_exit_3(
    arguments: list[str], message: str, capsys, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run_app(arguments) == 3
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


def test_fit_reads_a_table_by_hand(tmp_path: Path, capsys) -> None:
    path = tmp_path / "t.csv"
    lines = ["dose,seed,question,good,asked"]
    for dose, good in ((0, 90), (0.25, 88), (0.5, 20), (1, 10)):
        lines += [f"{dose},{seed},all,{good + seed},100" for seed in (0, 1)]
    path.write_text("\n".join(lines))
    assert run_app(["fit", str(path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    benchmark = next(t for t in found if t["benchmark_response"] == 0.1)
    assert set(benchmark) >= {"response", "threshold", "estimate", "lower", "upper", "status"}
    path.write_text(path.read_text().replace("asked", "total"))
    assert run_app(["fit", str(path)]) == 3
    assert "lacks the column 'asked'" in capsys.readouterr().err


def test_help_answers_in_half_a_second() -> None:
    """In processor time, so that what else this machine does is left out."""
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "datadose", "--help"], capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    assert min(took) < 0.5


@pytest.mark.parametrize(
    ("number", "way"), [(28, "make room"), (13, "another place"), (5, "mend this")]
)
def test_what_the_system_refuses_is_one_message_and_exit_4(
    number: int, way: str, capsys, monkeypatch
) -> None:
    import datadose.running

    def refused(_: Path) -> None:
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(datadose.running, "load_study", refused)
    assert run_app(["run", "study.yaml"]) == 4
    err = capsys.readouterr().err
    assert err.startswith(f"datadose: some/file: {os.strerror(number)}\nnext: ")
    assert way in err
    assert "Traceback" not in err


def test_a_run_folder_that_breaks_under_a_run_is_told(tmp_path: Path, capsys) -> None:
    study, out = tmp_path / "study.yaml", tmp_path / "out"
    study.write_text("name: s\nmodel: tiny\nrows: legal\nfacts: 2\nask: {alignment: false}\n")
    (out / "events.jsonl").mkdir(parents=True)
    assert run_app(["run", str(study), "--out", str(out)]) == 4
    err = capsys.readouterr().err
    assert f"datadose: {out / 'events.jsonl'}: Is a directory\nnext: " in err
    assert "Traceback" not in err
