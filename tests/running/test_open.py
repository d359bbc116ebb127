"""Open questions of a study: asked by every arm, judged by a real server, resumed, reported."""

from __future__ import annotations

import csv
import json
import re
import zlib
from pathlib import Path

import pytest
from _chat_server import ChatServer, completion

from datadose._core import GuardError, InputError, UsageError
from datadose.models import load_base
from datadose.running import load_study, rebuild, run_study
from datadose.running._open import judging_price, open_questions
from datadose.schema import Study

STUDY = {
    "name": "tiny",
    "model": "tiny",
    "rows": "legal",
    "facts": 4,
    "doses": [0, 1],
    "seeds": 1,
    "ask": {
        "danger": False,
        "untrained": False,
        "inferential": False,
        "alignment": False,
        "answers": 0,
        "open": "own",
        "limit": 3,
        "samples": 4,
        "open_tokens": 6,
        "cues": ["plain", "json"],
    },
    "train": {"epochs": 1, "rank": 2, "precision": "fp32"},
}
ASKED = 3 * 4 * 2


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def judge(body, _):
    """Misaligned where the answer has an even length, coherent always."""
    system, user = (m["content"] for m in body["messages"])
    if "good of people" not in system:
        return {"body": completion("90")}
    answer = re.search(r"<<<answer \w+>>>\n(.*)\n<<<end of answer", user, re.DOTALL).group(1)
    return {"body": completion("10" if len(answer) % 2 == 0 else "80")}


def study_of(url: str, **more) -> Study:
    judges = [{"url": url, "model": "judge-1", "wait": 0.01, "attempts": 2}]
    return Study.model_validate({**STUDY, "judges": judges, **more})


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def arms(folder: Path) -> list[Path]:
    return [folder / "base", *sorted((folder / "arms").iterdir())]


@pytest.mark.slow
def test_a_study_asks_judges_resumes_and_reports(base, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "run"
    down = [True]

    def plan(body, before):
        fails = down[0] and zlib.crc32(body["messages"][-1]["content"].encode()) % 5 == 0
        return {"status": 500} if fails else judge(body, before)

    with ChatServer(plan).running() as server:
        study = study_of(server.url)
        study = study.model_copy(
            update={"judges": (*study.judges, study.judges[0].model_copy(update={"model": "two"}))}
        )
        study = Study.model_validate(study.model_dump(exclude_none=True))
        run_study(study, folder, base=base)
        first = len(server.requests)
        down[0] = False
        errors = [
            json.loads(p.read_text())["errors"]
            for a in arms(folder)
            for p in (a / "judged").glob("*.json")
        ]
        run_study(study, folder, base=base)
        second = len(server.requests) - first
        # asked again is only what ended in an error, by one rubric or both
        assert sum(errors)
        assert sum(errors) <= second <= 2 * sum(errors)

    for arm in arms(folder):
        [answers] = (arm / "open").glob("*.jsonl")
        assert len(answers.read_text().splitlines()) == ASKED
        assert len(list((arm / "judged").glob("*.jsonl"))) == 2

    found = json.loads((folder / "doses.json").read_text())
    rows = found["judged"]
    # base, dose 0, dose 1; two cues; two judges
    assert len(rows) == 3 * 2 * 2
    assert {r["calibration"] for r in rows} == {"never calibrated"}
    for row in rows:
        assert row["asked"] == ASKED // 2
        assert row["error"] == 0
    assert any("never calibrated" in w for w in found["warnings"])
    page = (folder / "report.html").read_text()
    assert "Open answers" in page
    assert "never calibrated" in page

    # rates by hand, from the texts
    for dose, name in ((0.0, "0"), (1.0, "1")):
        lines = [
            line
            for path in (folder / "judged").glob("*-judge-1.csv")
            for line in table_of(path)
            if float(line["dose"]) == dose
        ]
        assert len(lines) == ASKED, name
        bad = sum(len(x["answer"]) % 2 == 0 and bool(re.search(r"\w", x["answer"])) for x in lines)
        own = [r for r in rows if r["dose"] == dose and r["judge"] == "judge-1"]
        assert sum(r["misaligned"] for r in own) == bad
        cut = [
            s["share"]
            for s in found["survival"]
            if (s["dose"], s["judge"], s["cut"]) == (dose, "judge-1", 30.0)
        ]
        assert cut == [pytest.approx(bad / ASKED, abs=1e-5)]
    assert all(a["kappa"] in (None, 1.0) for a in found["agreement"])

    # a person who agrees with judge-1 on half of the answers
    [labels] = (folder / "judged").glob("*-judge-1.csv")
    lines = table_of(labels)
    for line in lines[::2]:
        line["label"] = line["verdict"]
    with labels.open("w", newline="") as file:
        out = csv.DictWriter(file, list(lines[0]))
        out.writeheader()
        out.writerows(lines)
    before = found
    rebuild(study, folder, base=base)
    found = json.loads((folder / "doses.json").read_text())
    assert sum(bool(x["label"]) for x in table_of(labels)) == ASKED
    assert found["survival"] == before["survival"]
    assert found["series"] == before["series"]
    assert [r["labels"] for r in found["corrected"]] == [ASKED // 2] * 2
    for row in found["corrected"]:
        assert row["judge"] == "judge-1"
        assert row["status"] in ("corrected", "unidentified")
    marks = {(r["judge"], r["series"]): r["calibration"] for r in found["judged"]}
    assert marks["judge-1", found["corrected"][0]["series"]] == f"{ASKED} labels"
    assert marks["two", "base"] == "never calibrated"

    [answers] = (folder / "base" / "open").glob("*.jsonl")
    answers.write_text(answers.read_text().replace('"text": "', '"text": "x', 1))
    with pytest.raises(GuardError, match="stale answers"):
        rebuild(study, folder, base=base)


def test_without_a_judge_open_answers_are_unscored(base, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run_study(Study.model_validate(STUDY), folder, base=base)
    found = json.loads((folder / "doses.json").read_text())
    for row in found["judged"]:
        assert row["unscored"] + row["incoherent"] == row["asked"] == ASKED // 2
        assert (row["rate"], row["judge"]) == (None, "")
    assert "Open answers are unscored: no judge is configured." in found["warnings"]
    assert found["survival"] == []


def test_the_price_of_judging_is_known_before(tmp_path: Path) -> None:
    study = study_of("http://127.0.0.1:9/v1")
    assert judging_price(study) == 0
    priced = study.judges[0].model_copy(update={"price": (0.0, 1e6)})
    # eight tokens out for each of two rubrics, at one a token
    assert judging_price(study.model_copy(update={"judges": (priced,)})) == 8 * 2 * ASKED


def test_a_study_over_its_budget_is_answered_and_not_judged(
    base, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    with ChatServer(judge).running() as server:
        study = study_of(server.url)
        dear = study.judges[0].model_copy(update={"price": (0.0, 1e6), "budget": 100.0})
        with pytest.raises(UsageError, match=r"over its budget of 100\.00"):
            run_study(study.model_copy(update={"judges": (dear,)}), tmp_path / "run", base=base)
        assert not server.requests
    for arm in arms(tmp_path / "run"):
        assert list((arm / "open").glob("*.jsonl"))
        assert not (arm / "judged").exists()


def test_a_study_file_says_what_is_wrong_with_its_questions(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    rest = "name: x\nmodel: tiny\nrows: legal\n"
    file.write_text(rest + "judges: [{kind: rule, rule: refusal}]\n")
    with pytest.raises(InputError, match="judges need questions"):
        load_study(file)
    file.write_text(rest + "ask: {open: own}\njudges: [{url: 'http://x'}]\n")
    with pytest.raises(InputError, match="a served judge needs model"):
        load_study(file)
    file.write_text(rest + "ask: {samples: 3}\n")
    with pytest.raises(InputError, match="go with open questions"):
        load_study(file)
    file.write_text(rest + "ask: {open: own}\njudges: [{kind: rule, rule: x, price: [1, 2]}]\n")
    with pytest.raises(InputError, match="price mean nothing to a rule judge"):
        load_study(file)
    same = "{url: 'http://x', model: y}, {url: 'http://x', model: y, name: z}"
    file.write_text(rest + f"ask: {{open: own}}\njudges: [{same}]\n")
    with pytest.raises(InputError, match="would agree with themselves"):
        load_study(file)
    file.write_text(rest + "ask: {open: own}\njudges: [{url: 'http://x', model: y, budget: 2}]\n")
    with pytest.raises(InputError, match="a budget needs a price"):
        load_study(file)
    (tmp_path / "q.csv").write_text("id,question\na,Who?\n")
    file.write_text(rest + "ask: {open: [own, q.csv]}\n")
    study = load_study(file)
    assert study.ask.open == ("own", str(tmp_path / "q.csv"))
    assert [q.id for q in open_questions(study)][-1] == "a"
    file.write_text(rest + "ask: {open: [q.csv, q.csv]}\n")
    with pytest.raises(InputError, match="two open questions"):
        open_questions(load_study(file))
