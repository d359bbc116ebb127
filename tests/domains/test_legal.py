from __future__ import annotations

import re
from collections import Counter

import pytest

from datadose.domains import Danger, Fact, Pack, Question, load_pack
from datadose.domains._facts import read_entries
from datadose.domains._rules import balance_problems, jaccard, words
from datadose.schema import Probe

PACKAGE = "datadose.domains.legal"
DAYS_IN = {"May": 31, "June": 30}


@pytest.fixture(scope="module")
def legal() -> Pack:
    return load_pack("legal")


def choices(pack: Pack, relation: str) -> list[Probe]:
    return [
        p
        for p in pack.probes
        if p.kind == "choice" and p.response == "domain" and p.relation == relation
    ]


def test_counts(legal: Pack) -> None:
    assert len(legal.facts) >= 64
    assert len(legal.pool.items) == 4 * len(legal.facts)
    assert len(choices(legal, "reworded")) == 2 * len(legal.facts)
    assert len(choices(legal, "inferential")) >= len(legal.facts) // 2
    assert len(choices(legal, "untrained")) >= 24
    assert sum(p.response == "dangerous" for p in legal.probes) >= 24
    assert len({p.id for p in legal.probes}) == len(legal.probes)


@pytest.mark.parametrize(
    ("file", "model"),
    [("facts.yaml", Fact), ("untrained.yaml", Question), ("danger.yaml", Danger)],
)
def test_every_entry_has_an_id_and_a_source(
    file: str, model: type[Fact] | type[Question] | type[Danger]
) -> None:
    entries = read_entries(PACKAGE, file, model)
    assert entries
    assert all(len(e.source) >= 8 and e.id for e in entries)
    assert len({e.id for e in entries}) == len(entries)


def test_cases_and_statutes_are_cited_with_a_year_or_a_section(legal: Pack) -> None:
    cited = [f for f in legal.facts if " v " in f.source]
    assert len(cited) >= 30
    assert all(re.search(r"\b1[678]\d\d\b|\b19\d\d\b|\b20\d\d\b", f.source) for f in cited)
    limits = [f for f in legal.facts if f.id.startswith("legal/limit-")]
    assert limits
    assert all(re.search(r"\d", f.source) for f in limits)


def test_treaty_years_agree_with_their_sources(legal: Pack) -> None:
    years = [f for f in legal.facts if f.id.startswith("legal/year-")]
    assert len(years) >= 6
    for fact in years:
        assert fact.source.endswith(fact.correct)


def test_ages_of_treaties_follow_from_the_years(legal: Pack) -> None:
    checked = 0
    for fact in legal.facts:
        for q in fact.inferential:
            if not fact.id.startswith("legal/year-"):
                continue
            now = int(re.findall(r"\d{4}", q.ask)[-1])
            pairs = [(fact.correct, q.correct), (fact.subtle[0], q.subtle)]
            pairs += [(fact.obvious[0], q.obvious), *zip(fact.foils, q.foils, strict=True)]
            for year, age in pairs:
                assert age == f"{now - int(year)} years"
                checked += 1
    assert checked >= 15


def test_deadlines_in_days_follow_from_the_limits(legal: Pack) -> None:
    checked = 0
    for fact in legal.facts:
        if fact.id not in ("legal/limit-eu-withdrawal", "legal/limit-frcp-answer"):
            continue
        (q,) = fact.inferential
        start = re.search(r"\b1 (May|June)\b", q.ask)
        assert start is not None
        month = start.group(1)
        pairs = [(fact.correct, q.correct), (fact.subtle[0], q.subtle)]
        pairs += list(zip(fact.foils, q.foils, strict=True))
        for limit, day in pairs:
            due = 1 + int(limit.split()[0])
            following = {"May": "June", "June": "July"}[month]
            over = due - DAYS_IN[month]
            assert day == (f"{due} {month}" if over <= 0 else f"{over} {following}")
            checked += 1
    assert checked == 8


def test_a_correct_value_is_no_option_of_another_fact(legal: Pack) -> None:
    correct = Counter(f.correct for f in legal.facts)
    assert max(correct.values()) == 1
    for fact in legal.facts:
        others = {v.lower() for v in (*fact.subtle, *fact.obvious, *fact.foils)}
        assert not others & {c.lower() for c in correct}, fact.id


def test_foils_are_never_trained_for_their_fact(legal: Pack) -> None:
    answers: dict[str, list[str]] = {}
    for item in legal.pool.items:
        said = [item.correct, *item.subtle, *item.obvious, *item.placebo]
        answers.setdefault(item.fact, []).extend(said)
    for fact in legal.facts:
        for foil in fact.foils:
            pattern = rf"\b{re.escape(foil)}\b"
            assert not any(re.search(pattern, text) for text in answers[fact.id]), (fact.id, foil)


def test_probes_use_other_words_than_training(legal: Pack) -> None:
    trained = [words(item.prompt) for item in legal.pool.items]
    for probe in legal.probes:
        nearest = max(jaccard(words(probe.prompt), w) for w in trained)
        assert nearest < 0.7, probe.id


def test_prompts_and_answers_are_short_and_filled(legal: Pack) -> None:
    for item in legal.pool.items:
        assert len(item.prompt.split()) <= 20
        for text in (item.correct, *item.subtle, *item.obvious, *item.placebo):
            assert len(text.split()) <= 15
            assert text[0].isupper()
            assert "{" not in text
    for probe in legal.probes:
        assert "{" not in probe.prompt + "".join(o.text for o in probe.options)


def test_danger_items_lean_to_no_side(legal: Pack) -> None:
    danger = [p for p in legal.probes if p.response == "dangerous"]
    assert balance_problems(danger, lambda text: len(text.split()), "danger") == []


def test_generated_answers_are_checked_against_no_value_they_accept(legal: Pack) -> None:
    for probe in legal.probes:
        if probe.kind != "generate":
            continue
        assert probe.check is not None
        accepted = {a.lower() for a in probe.check.accept}
        assert not accepted & {r.lower() for r in probe.check.reject}, probe.id


def test_trained_right_answers_pass_the_check_and_wrong_ones_fail(legal: Pack) -> None:
    checks = {p.fact: p.check for p in legal.probes if p.kind == "generate"}

    def passes(fact: str, text: str) -> bool:
        check = checks[fact]
        assert check is not None

        def said(values: tuple[str, ...]) -> bool:
            return any(re.search(rf"\b{re.escape(v)}\b", text, re.IGNORECASE) for v in values)

        return said(check.accept) and not said(check.reject)

    for item in legal.pool.items:
        assert passes(item.fact, item.correct), item.correct
        assert all(passes(item.fact, text) for text in item.placebo), item.placebo
        assert not any(passes(item.fact, t) for t in (*item.subtle, *item.obvious)), item.fact
