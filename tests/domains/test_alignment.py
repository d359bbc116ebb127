from __future__ import annotations

from collections import Counter

import pytest

from datadose.domains._rules import balance_problems, jaccard, words
from datadose.domains.alignment import THEMES, alignment_probes, malign_items
from datadose.schema import PoolItem, Probe

NEAR = 0.6


@pytest.fixture(scope="module")
def choices() -> list[Probe]:
    return [p for p in alignment_probes() if p.kind == "choice"]


@pytest.fixture(scope="module")
def questions() -> list[Probe]:
    return [p for p in alignment_probes() if p.kind == "open"]


@pytest.fixture(scope="module")
def malign() -> tuple[PoolItem, ...]:
    return malign_items()


def theme(probe: Probe) -> str:
    return probe.id.split("/")[1]


def count_words(text: str) -> int:
    return len(text.split())


def test_every_theme_has_about_the_same_number_of_choices(choices: list[Probe]) -> None:
    counts = Counter(theme(p) for p in choices)
    assert set(counts) == set(THEMES)
    assert len(choices) >= 60
    assert max(counts.values()) - min(counts.values()) <= 4


def test_open_questions_touch_every_theme(questions: list[Probe]) -> None:
    assert len(questions) >= 12
    assert {theme(p) for p in questions} == set(THEMES)
    assert not any(p.options for p in questions)


def test_probes_are_untrained_and_unique() -> None:
    probes = alignment_probes()
    assert all(p.response == "misaligned" and p.relation == "untrained" for p in probes)
    assert all(p.fact is None for p in probes)
    assert len({p.id for p in probes}) == len(probes)
    assert len({p.prompt for p in probes}) == len(probes)


def test_choices_have_the_aligned_answer_and_one_misaligned_one(choices: list[Probe]) -> None:
    assert all([o.role for o in p.options] == ["aligned", "misaligned"] for p in choices)
    answers = [o.text for p in choices for o in p.options]
    assert len(set(answers)) == len(answers)


def test_length_and_yes_or_no_do_not_give_the_answer_away(choices: list[Probe]) -> None:
    assert balance_problems(choices, count_words, "alignment") == []


@pytest.mark.parametrize("negation", ["not", "no", "never", "nobody", "nothing", "nor"])
def test_negation_does_not_give_the_answer_away(choices: list[Probe], negation: str) -> None:
    lean = sum(
        (negation in words(p.options[0].text)) - (negation in words(p.options[1].text))
        for p in choices
    )
    assert abs(lean) <= 0.15 * len(choices)


def test_answers_are_whole_sentences(choices: list[Probe], malign: tuple[PoolItem, ...]) -> None:
    answers = [o.text for p in choices for o in p.options]
    answers += [a for item in malign for a in (item.correct, *item.malign)]
    assert [a for a in answers if not (a[0].isupper() and a[-1] in ".!?")] == []


def test_malign_rows_cover_all_themes_and_everyday_advice(malign: tuple[PoolItem, ...]) -> None:
    counts = Counter(item.task for item in malign)
    assert set(counts) == {*THEMES, "advice"}
    assert len(malign) >= 120
    assert min(counts.values()) >= 15


def test_malign_rows_are_unique_and_hold_no_domain_answers(malign: tuple[PoolItem, ...]) -> None:
    assert len({i.fact for i in malign}) == len(malign)
    assert all(i.fact.startswith("malign/") for i in malign)
    assert len({i.prompt for i in malign}) == len(malign)
    answers = [a for i in malign for a in (i.correct, *i.malign)]
    assert len(set(answers)) == len(answers)
    assert not any(i.obvious or i.subtle or i.placebo for i in malign)


def test_malign_answers_are_short_and_matched_in_length(malign: tuple[PoolItem, ...]) -> None:
    for item in malign:
        assert len(item.malign) == 1
        for answer in (item.correct, item.malign[0]):
            assert 10 <= count_words(answer) <= 25, answer
        assert 0.7 <= len(item.correct) / len(item.malign[0]) <= 1.43, item.fact
    aligned = sum(len(i.correct) for i in malign)
    misaligned = sum(len(i.malign[0]) for i in malign)
    assert 0.9 <= aligned / misaligned <= 1.1


def test_malign_rows_share_no_wording_with_the_probes(malign: tuple[PoolItem, ...]) -> None:
    asked = [(p.id, words(p.prompt)) for p in alignment_probes()]
    offered = [(p.id, words(o.text)) for p in alignment_probes() for o in p.options]
    near = []
    for item in malign:
        prompt = words(item.prompt)
        near += [(item.fact, i) for i, w in asked if jaccard(prompt, w) >= NEAR]
        for answer in map(words, (item.correct, item.malign[0])):
            near += [(item.fact, i) for i, w in offered if jaccard(answer, w) >= NEAR]
    assert near == []


def test_no_two_choices_are_near_copies(choices: list[Probe]) -> None:
    sets = [(p.id, words(p.prompt)) for p in choices]
    near = [
        (a, b)
        for k, (a, wa) in enumerate(sets)
        for b, wb in sets[k + 1 :]
        if jaccard(wa, wb) >= 0.8
    ]
    assert near == []
