"""`datadose judge`: labelled sets, real ones where they are, and corrected rates from a CSV."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose.cli import run_app

LABELS = "question,answer,label\n" + "".join(
    f"q{i},{'I cannot help' if i % 2 else 'Here you are'},{'yes' if i % 3 else 'no'}\n"
    for i in range(12)
)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = run_app(["judge", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_calibrate_on_labels_of_ones_own(tmp_path: Path, capsys) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(LABELS)
    told = ["calibrate", str(file), "--rubric", "refusal", "--judge", "rule:refusal"]
    code, out, _ = run(capsys, *told, "--judge", "classifier", "--json")
    assert code == 0
    found = json.loads(out)
    rule = found["judges"]["rule:refusal"]
    # flagged: odd; labelled: not a multiple of 3, of 0 to 11
    assert (found["answers"], found["labelled_yes"]) == (12, 8)
    assert [rule[n] for n in ("hits", "missed", "false_alarms", "cleared")] == [4, 4, 2, 2]
    assert rule["verdicts"] == {"scored": 12}
    assert rule["recall"]["rate"] == 0.5
    assert found["between"][0]["first"] == "rule:refusal"
    code, out, _ = run(capsys, *told, "--limit", "6")
    assert code == 0
    assert "labels: 6 answers" in out
    assert "recall" in out


def test_a_judge_that_knows_nothing_of_the_rubric_flags_nothing(tmp_path: Path, capsys) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(LABELS)
    told = ["calibrate", str(file), "--rubric", "danger", "--judge", "rule:refusal", "--json"]
    _, out, _ = run(capsys, *told)
    rule = json.loads(out)["judges"]["rule:refusal"]
    assert rule["verdicts"] == {"declined": 12}
    assert (rule["hits"], rule["missed"]) == (0, 8)


@pytest.mark.data
def test_naive_words_on_real_labels(data_dir: Path, capsys) -> None:
    told = ["calibrate", f"xstest:{data_dir / 'xstest'}", "--judge", "rule:refusal", "--json"]
    code, out, _ = run(capsys, *told)
    assert code == 0
    found = json.loads(out)
    assert found["answers"] == 2250
    rule = found["judges"]["rule:refusal"]
    assert rule["recall"]["lower"] < rule["recall"]["rate"] < 0.9


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["calibrate", "nowhere.csv", "--judge", "rule:refusal"], "no such file"),
        (["calibrate", "{file}", "--judge", "rule:refusal"], "--rubric"),
        (["calibrate", "{file}", "--rubric", "kind", "--judge", "rule:refusal"], "no rubric"),
        (["calibrate", "{file}", "--rubric", "refusal", "--judge", "rule:x"], "no rule is called"),
        (["calibrate", "{file}", "--rubric", "refusal", "--judge", "gpt"], "no judge is described"),
        (["calibrate", "xstest:/nowhere", "--judge", "rule:refusal"], "no such file or folder"),
        (["correct", "{file}"], "no column verdict, dose"),
        (["correct", "nowhere.csv"], "can't be read"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, capsys, arguments: list[str], told: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(LABELS)
    code, out, err = run(capsys, *(a.format(file=file) for a in arguments))
    assert code == 3
    assert told in err
    assert out == ""


def test_rates_are_corrected_from_a_table(tmp_path: Path, capsys) -> None:
    lines = ["dose,question,verdict,label"]
    for dose, bad in ((0, 0), (1, 4)):
        for q in range(10):
            for i in range(10):
                label = ("yes" if i < bad else "no") if i % 2 == 0 else ""
                lines.append(f"{dose},q{q},{'yes' if i < bad else 'no'},{label}")
    file = tmp_path / "answers.csv"
    file.write_text("\n".join(lines) + "\n")
    code, out, _ = run(capsys, "correct", str(file), "--json")
    assert code == 0
    low, high = json.loads(out)
    assert (low["dose"], low["estimate"], low["lower"], low["status"]) == (0, 0, 0, "corrected")
    assert high["estimate"] == pytest.approx(0.4)
    assert high["lower"] < 0.4 < high["upper"] < 0.55
    assert high["labelled"]["asked"] == 50
    code, out, _ = run(capsys, "correct", str(file), "--calibration", str(file))
    assert code == 0
    assert "transported" in out
    file.write_text("dose,question,verdict,label\n0,q,maybe,\n")
    code, _, err = run(capsys, "correct", str(file))
    assert code == 3
    assert ":2: verdict" in err


def test_labels_are_given_in_the_terminal_blind_and_kept(tmp_path: Path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from datadose.cli import app

    file = tmp_path / "answers.csv"
    lines = ["dose,question,prompt,answer,outcome,verdict,label"]
    for dose in ("0.25", "1"):
        for q in ("q1", "q2"):
            lines += [f'{dose},{q},Prompt {q}?,"answer {i},\n{q}",wrong,yes,' for i in range(5)]
    file.write_text("\n".join(lines) + "\n")
    told = ["judge", "label", str(file), "--per-cell", "2"]
    first = CliRunner().invoke(app, told, input="y\nmaybe\nn\ns\nq\n")
    assert first.exit_code == 0
    assert "[1 of 8]" in first.output
    assert "2 of 20 answers are labelled" in first.output
    assert "0.25" not in first.output
    assert "wrong" not in first.output
    second = CliRunner().invoke(app, told, input="n\n" * 6)
    assert "[1 of 6]" in second.output
    assert "8 of 20 answers are labelled" in second.output
    third = CliRunner().invoke(app, told)
    assert "8 of 20" in third.output


def test_what_no_reply_came_to_is_left_out_of_a_judges_figures(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    from _chat_server import ChatServer, completion

    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    file, judge = tmp_path / "labels.csv", tmp_path / "judge.yaml"
    file.write_text(LABELS)
    down = [False]

    def plan(body, _):
        text = body["messages"][-1]["content"]
        if down[0] or "Here you are" in text:
            return {"status": 400, "body": "no"}
        return {"body": completion("90")}

    told = ["calibrate", str(file), "--rubric", "refusal", "--judge", str(judge)]
    with ChatServer(plan).running() as server:
        judge.write_text(f"url: {server.url}\nmodel: m\nwait: 0.01\n")
        code, out, _ = run(capsys, *told, "--judge", "rule:refusal", "--json")
        assert code == 0
        found = json.loads(out)
        one = found["judges"][str(judge)]
        assert one["verdicts"] == {"failed": 6, "scored": 6}
        # none of the six that failed is counted as cleared or missed
        assert [one[n] for n in ("hits", "missed", "false_alarms", "cleared")] == [4, 0, 2, 0]
        down[0] = True
        judge.write_text(f"url: {server.url}\nmodel: other\nwait: 0.01\n")
        code, out, err = run(capsys, *told)
        assert code != 0
        assert "no reply came to any of 12 questions" in err


def test_a_classifier_is_not_measured_on_what_it_was_trained_on(tmp_path: Path, capsys) -> None:
    file, other = tmp_path / "labels.csv", tmp_path / "other.csv"
    file.write_text(LABELS)
    other.write_text(LABELS)
    told = ["calibrate", str(file), "--rubric", "refusal", "--judge"]
    code, _, err = run(capsys, *told, f"classifier:{file}")
    assert code == 3
    assert "measured on what it was trained on" in err
    assert run(capsys, *told, f"classifier:{other}")[0] == 0


def test_answers_can_neither_move_the_cursor_nor_break_the_file(tmp_path: Path) -> None:
    import csv

    from typer.testing import CliRunner

    from datadose.cli import app

    file = tmp_path / "answers.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(["dose", "question", "prompt", "answer", "label"])
        writer.writerow(["1", "q", "Prompt", "one\rtwo\x1b[2J", ""])
        writer.writerow(["1", "q", "Prompt", "three", ""])
    told = ["judge", "label", str(file)]
    first = CliRunner().invoke(app, told, input="y\nq\n")
    assert "\x1b[2J" not in first.output
    assert "1 of 2 answers are labelled" in first.output
    second = CliRunner().invoke(app, told, input="n\n")
    assert "2 of 2 answers are labelled" in second.output
    with file.open(newline="") as kept:
        assert {r["answer"] for r in csv.DictReader(kept)} == {"one\rtwo\x1b[2J", "three"}
