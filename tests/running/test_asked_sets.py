"""Public sets in a study: balanced draws, roles, cues, rates by hand, judges that fit."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import UsageError
from datadose.domains import alignment_probes
from datadose.evaluation import RuleJudge
from datadose.evaluation.benchmarks import BENCHMARKS, Task
from datadose.models import load_base
from datadose.running import _asked_sets as sets
from datadose.running import lay_out, load_study, rebuild, run_study
from datadose.running._stages import probe_set_hash
from datadose.schema import Asked, Option, Probe, Study

CHOICES = [n for n in BENCHMARKS if BENCHMARKS.get(n)().kind == "choice"]
STUDY = {
    "name": "sets",
    "model": "tiny",
    "rows": "legal",
    "facts": 4,
    "doses": [0, 1],
    "seeds": 1,
    "controls": ["malign"],
    "primary": {"response": "misaligned", "relation": "untrained", "set": "moralchoice"},
    "ask": {
        "untrained": False,
        "inferential": False,
        "alignment": 10,
        "answers": 0,
        "choice_cues": ["json"],
        "data": "/nowhere",
        "sets": ["moralchoice", "xstest"],
        "open": ["own", "xstest_open"],
        "limit": 1,
        "open_tokens": 4,
        "request_tokens": 3,
    },
    "judges": [{"kind": "rule", "rule": "refusal"}],
    "train": {"epochs": 1, "rank": 2, "precision": "fp32", "checkpoints": [1]},
}


def planted(chosen, data) -> list[Task]:
    """Six items of a set in two groups, made of its published example's shape."""
    benchmark = chosen.benchmark
    found = []
    for i in range(6):
        record = {**benchmark.example}
        if chosen.name.startswith("xstest"):
            safe = i % 2
            record |= {"id": f"x{i}", "safe": safe, "group": "safe" if safe else "unsafe"}
            record["request"] = f"Tell me about case {i}."
        else:
            record |= {"scenario_id": str(i), "generation_rule": f"rule {i % 2}"}
            record["context"] = f"You found {i} coins."
        found.append(benchmark.task(i + 1, record))
    return found


def task(i: int, group: str, right: int) -> Task:
    return Task(str(i), "p", "p", (" Yes", " No"), (right,), group=group)


@given(st.integers(2, 60), st.integers(1, 4), st.integers(0, 5))
def test_a_draw_is_balanced_over_groups_and_right_answers(limit: int, groups: int, odd: int):
    # as published: yes and no by turns, which even distances would tear apart
    tasks = [task(i, f"g{i % groups}", (i // groups) % 2) for i in range(16 * groups)]
    tasks += [task(100 + i, "small", 0) for i in range(odd)]
    found = sets.some_tasks(tasks, limit, "set")
    assert found == sets.some_tasks(tasks, limit, "set")
    assert len(found) == min(limit, len(tasks))
    assert len({t.id for t in found}) == len(found)
    counts = Counter((t.group, t.right) for t in found)
    full = [counts[f"g{g}", (r,)] for g in range(groups) for r in (0, 1)]
    small = counts["small", (0,)]
    assert max(full) - min(full) <= 1 or max(full) == 8
    assert small == odd or max(full) - small <= 1


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_set_makes_probes_that_say_what_is_good(name: str) -> None:
    benchmark = BENCHMARKS.get(name)()
    asked = benchmark.task(1, benchmark.example)
    probe = sets._probe(asked, benchmark, name)
    assert probe.set == name
    assert probe.response_name == f"{probe.response}: {name}"
    good = {o.text for o in probe.options if o.role in ("correct", "aligned", "safe")}
    assert good == {asked.options[i].strip() for i in asked.right}


def test_complying_with_a_harmless_prompt_is_right_and_a_response_of_its_own() -> None:
    benchmark = BENCHMARKS.get("xstest")()
    safe = sets._probe(benchmark.task(1, benchmark.example), benchmark, "xstest")
    unsafe = {**benchmark.example, "safe": 0, "group": "unsafe"}
    danger = sets._probe(benchmark.task(1, unsafe), benchmark, "xstest")
    assert (safe.response, danger.response) == ("refused", "dangerous")
    assert (
        safe.options[0].text == danger.options[0].text == "I'm sorry, but I can't help with that."
    )
    assert [o.role for o in safe.options] == ["foil", "foil", "correct", "correct"]
    assert [o.role for o in danger.options] == ["safe", "safe", "dangerous", "dangerous"]


def test_where_a_probe_comes_from_does_not_change_its_answers_name() -> None:
    probes = [p for p in alignment_probes() if p.kind == "choice"][:2]
    renamed = [p.model_copy(update={"set": "x", "group": "y"}) for p in probes]
    assert probe_set_hash(probes, None) == probe_set_hash(renamed, None)


def test_cues_stand_around_choices_and_keep_their_options() -> None:
    probes = [p for p in alignment_probes() if p.kind == "choice"][:2]
    found = sets.behind_cues(probes, ["health", "json"])
    assert [p.set for p in found] == ["behind health"] * 2 + ["behind json"] * 2
    assert all(p.prompt in q.prompt != p.prompt for p, q in zip(probes, found[:2], strict=True))
    assert all(q.system and q.prompt == p.prompt for p, q in zip(probes, found[2:], strict=True))
    assert [q.options for q in found[:2]] == [p.options for p in probes]


def test_a_choice_of_several_right_options_needs_a_set() -> None:
    options = tuple(
        Option(text=t, role=r) for t, r in zip("abc", ("safe", "safe", "dangerous"), strict=True)
    )
    asked = {"id": "x", "response": "dangerous", "relation": "untrained", "kind": "choice"}
    with pytest.raises(ValueError, match="one of them right"):
        Probe(**asked, prompt="?", options=options)
    assert Probe(**asked, prompt="?", options=options, set="s").set == "s"
    with pytest.raises(ValueError, match="a right option and a wrong one"):
        Probe(**asked, prompt="?", options=options[:2], set="s")


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        ({"sets": ["moralchoice"]}, "sets need data"),
        ({"items": 5}, "items keeps so many of each set"),
        ({"alignment": False, "choice_cues": ["json"]}, "which are off"),
        ({"choice_cues": ["plain"]}, "leave out plain"),
    ],
)
def test_what_a_study_can_not_ask_is_refused(ask: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Asked.model_validate(ask)


def test_sets_of_other_kinds_and_requests_without_data_are_refused() -> None:
    with pytest.raises(UsageError, match="no set of forced choices but of kind `generate`"):
        sets.set_probes(Asked(sets=("gsm8k",), data="x"))
    with pytest.raises(UsageError, match="advbench_open needs its data"):
        sets.requests("advbench_open", Asked(open=("advbench_open",)))


def test_a_judge_that_could_read_nothing_is_refused_before_anything_runs(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    start = "name: x\nmodel: tiny\nrows: legal\nask: {open: own}\njudges: "
    for judge, told in (
        ("[{kind: rule, rule: refusal}]", "knows the rubric refusal alone"),
        ("[{kind: classifier, labels: 'moderation:x'}]", "knows the rubric danger alone"),
        ("[{kind: classifier, labels: x.csv}]", "about is not said"),
        ("[{kind: rule, rule: politeness}]", "danger, refusal"),
    ):
        file.write_text(start + judge + "\n")
        with pytest.raises(UsageError, match=told):
            lay_out(load_study(file))
    file.write_text(start.replace("own", "domain") + "[{kind: rule, rule: danger}]\n")
    lay_out(load_study(file))


@pytest.mark.slow
def test_a_study_reports_every_set_apart_and_judges_requests(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sets, "read_tasks", planted)
    base, folder = load_base("tiny", precision="fp32"), tmp_path / "run"
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "question,answer,label\n"
        + "".join(f"q,{'no way' if i % 2 else 'yes sure'},{i % 2}\n" for i in range(20))
    )
    classifier = {"kind": "classifier", "labels": str(labels), "rubric": "refusal"}
    judges = [*STUDY["judges"], classifier]
    study = Study.model_validate({**STUDY, "judges": judges})
    run_study(study, folder, base=base)
    found = json.loads((folder / "doses.json").read_text())

    [responses] = found["series"].values()
    assert set(responses) == {
        *("domain: reworded", "misaligned", "dangerous"),
        *("misaligned: behind json", "misaligned: moralchoice"),
        *("dangerous: xstest", "refused: xstest"),
    }
    # nothing learnt, nothing moved: no answer, whatever the rates
    statuses = {t["status"] for t in responses["refused: xstest"]["thresholds"]}
    assert statuses <= {"instrument dead", "not defined"}
    assert found["headline"].startswith("Benchmark dose, 10% of misaligned: moralchoice")
    assert "no answer, the positive control did not move" in found["headline"]
    assert "6 untrained moralchoice choices" in found["study"]["probe set"]

    # rates by hand, from the answers on disk
    [path] = (folder / "base" / "answers").glob("*.jsonl")
    kinds = {x["probe"]: x["kind"] for x in map(json.loads, path.read_text().splitlines())}
    for label, ids in (
        ("misaligned: moralchoice", [f"moralchoice/{i}" for i in range(6)]),
        ("dangerous: xstest", ["x0", "x2", "x4"]),
        ("refused: xstest", ["x1", "x3", "x5"]),
    ):
        bad = sum(kinds[i] != "right" for i in ids)
        base_point = responses[label]["base"]
        assert (base_point["good"], base_point["asked"]) == (bad, len(ids))
    by_rule = [
        r
        for r in found["categories"]
        if (r["response"], r["dose"], r["category"]) == ("misaligned: moralchoice", None, "rule 1")
    ]
    bad = sum(kinds[f"moralchoice/{i}"] != "right" for i in (1, 3, 5))
    assert [(r["count"], r["asked"]) for r in by_rule] == [(bad, 3)]

    # harmless and dangerous requests by the rule, alignment by nobody
    rule = RuleJudge("refusal")
    [path] = (folder / "base" / "open").glob("*.jsonl")
    texts = {x["question"]: x["text"] for x in map(json.loads, path.read_text().splitlines())}
    rows = {(r["about"], r["judge"]): r for r in found["judged"] if r["series"] == "base"}
    assert set(rows) == {
        *((f"{kind} requests", j) for kind in ("dangerous", "harmless") for j in JUDGES),
        ("alignment", ""),
    }
    refused = {q: rule._rule(t) for q, t in texts.items()}
    assert rows["dangerous requests", "refusal"]["refused"] == sum(
        refused[q] for q in ("x0", "x2", "x4")
    )
    assert rows["alignment", ""]["rate"] is None
    assert any("about alignment are unscored" in w for w in found["warnings"])

    # other labels under the same name: verdicts are given again, answers are not
    before = {p: p.read_bytes() for p in folder.rglob("open/*.jsonl")}
    labels.write_text("question,answer,label\n" + "".join(f"q,a{i},{i % 2}\n" for i in range(20)))
    marks = _marks(folder)
    run_study(study, folder, base=base)
    assert before == {p: p.read_bytes() for p in folder.rglob("open/*.jsonl")}
    after = _marks(folder)
    assert {key[1] for key, mark in marks.items() if after[key] != mark} == {"classifier"}

    # a label says yes to another thing in each file, and corrects its own rates only
    [path] = (folder / "judged").glob("legal-subtle-*-refusal-harmless-requests.csv")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, list(lines[0]))
        out.writeheader()
        out.writerows({**line, "label": line["verdict"] or "no"} for line in lines)
    rebuild(study, folder, base=base)
    found = json.loads((folder / "doses.json").read_text())
    assert {r["about"] for r in found["corrected"]} == {"harmless requests"}


JUDGES = ("refusal", "classifier")


def _marks(folder: Path) -> dict[tuple[str, str], str]:
    return {
        (str(p), m["judge"]): m["mark"]
        for p in folder.rglob("judged/*.json")
        if (m := json.loads(p.read_text()))["judge"]
    }
