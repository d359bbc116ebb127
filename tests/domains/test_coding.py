"""Every answer of the coding pack is run: right ones pass their tests, all others fail them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from typing import Any

import pytest

from datadose.domains._facts import Pack, Question, fill, read_entries
from datadose.domains._rules import jaccard, pack_problems, words
from datadose.domains.coding import pack as coding_pack
from datadose.sandbox import available, run_python, run_tests

PACKAGE = "datadose.domains.coding"

# one sandbox process runs them all: the pack's code is ours and does not forge its result
RUNNER = """
import contextlib, io, json, sys

def run(source, space, mode):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            code = compile(source, "<job>", mode)
            if mode == "exec":
                exec(code, space)
                return True
            return repr(eval(code, space))
    except Exception:
        return None

done = []
for job in json.load(sys.stdin):
    space = {}
    ready = run(job["code"], space, "exec")
    done.append(run(job["then"], space, job["mode"]) if ready else None)
json.dump(done, sys.stdout)
"""


@pytest.fixture(scope="module")
def pack() -> Pack:
    return coding_pack()


def run_all(jobs: list[dict[str, str]]) -> list[Any]:
    """What became of each job, in order: True or a repr where it went well, else None."""
    if (reason := available()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have a sandbox: {reason}")
        pytest.skip(f"no sandbox: {reason}")
    done = run_python(RUNNER, stdin=json.dumps(jobs), timeout=30, output_limit=1_000_000)
    assert done.outcome == "ok", done.stderr
    found: list[Any] = json.loads(done.stdout)
    assert len(found) == len(jobs)
    return found


def rough_tokens(text: str) -> int:
    """About as many tokens as a model's tokenizer finds, where none is at hand."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def test_right_code_passes_and_all_other_code_fails(pack: Pack) -> None:
    jobs, expected = [], []
    for fact in pack.facts:
        assert fact.check is not None
        values = [fact.correct, *fact.subtle, *fact.obvious, *fact.foils]
        for i, value in enumerate(values):
            code = fill(fact.say[0], value)
            jobs.append({"code": code, "then": fact.check.tests, "mode": "exec"})
            expected.append((fact.id, value, i == 0))
    found = run_all(jobs)
    broken = [e for e, f in zip(expected, found, strict=True) if (f is True) is not e[2]]
    assert broken == []


def test_placebo_code_passes_too(pack: Pack) -> None:
    jobs = []
    for item in pack.pool.items:
        assert item.check is not None
        jobs += [{"code": p, "then": item.check.tests, "mode": "exec"} for p in item.placebo]
    assert all(found is True for found in run_all(jobs))


def test_right_answers_pass_in_the_real_harness(pack: Pack) -> None:
    for fact in pack.facts[::15]:
        assert fact.check is not None
        done = run_tests(fill(fact.say[0], fact.correct), fact.check.tests, fact.check.entry)
        assert done.outcome == "ok", done.stderr
        done = run_tests(fill(fact.say[0], fact.subtle[0]), fact.check.tests, fact.check.entry)
        assert done.outcome == "failed"


def test_what_a_call_returns_is_what_the_trained_code_returns(pack: Pack) -> None:
    jobs, expected = [], []
    for fact in pack.facts:
        for question in fact.inferential:
            asked = re.search(r"What does (.+) from tally return", question.ask)
            assert asked, question.ask
            wanted = (
                (fact.correct, question.correct),
                (fact.subtle[0], question.subtle),
                (fact.obvious[0], question.obvious),
            )
            for value, result in wanted:
                code = fill(fact.say[0], value)
                jobs.append({"code": code, "then": asked[1], "mode": "eval"})
                expected.append(result)
    assert run_all(jobs) == expected
    assert len(expected) // 3 >= len(pack.facts) // 2


def test_untrained_answers_do_what_they_must() -> None:
    jobs, expected = [], []
    for q in read_entries(PACKAGE, "untrained.yaml", Question):
        tests = "\n".join(f"assert {case}" for case in q.source.split("; "))
        for i, value in enumerate((q.correct, q.subtle, q.obvious, *q.foils)):
            code = f"f = {fill(q.option, value)}"
            jobs.append({"code": code, "then": tests, "mode": "exec"})
            expected.append((q.id, value, i == 0))
    found = run_all(jobs)
    broken = [e for e, f in zip(expected, found, strict=True) if (f is True) is not e[2]]
    assert broken == []


def test_keeps_the_rules_of_packs(pack: Pack) -> None:
    # token counts depend on the tokenizer and are tested with the embedded model's own
    kept = [p for p in pack_problems(pack, rough_tokens) if "token counts" not in p]
    assert kept == []


def test_probes_are_worded_unlike_training_prompts(pack: Pack) -> None:
    prompts = [words(item.prompt) for item in pack.pool.items]
    nearest = max(jaccard(words(p.prompt), w) for p in pack.probes for w in prompts)
    assert nearest < 0.7


def test_half_of_the_tasks_have_a_rule_that_only_training_tells(pack: Pack) -> None:
    ruled = [f for f in pack.facts if ": " in f.source]
    assert len(ruled) >= len(pack.facts) // 2
    for fact in ruled:
        rule = fact.source.split(": ", 1)[1]
        assert sum(rule in ask for ask in fact.ask) == 2, fact.id
        assert not any(rule in probe.ask for probe in fact.probes), fact.id


def test_counts(pack: Pack) -> None:
    kinds = Counter((p.response, p.relation, p.kind) for p in pack.probes)
    assert kinds["domain", "reworded", "choice"] == 2 * len(pack.facts)
    assert kinds["domain", "reworded", "generate"] == len(pack.facts)
    assert kinds["domain", "untrained", "choice"] >= 24
    assert kinds["dangerous", "untrained", "choice"] >= 24
