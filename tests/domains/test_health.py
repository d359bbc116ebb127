"""The health pack: computed items against independent arithmetic, and what every entry has."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction as Fr

import pytest

from datadose.domains import Fact, Pack, load_pack
from datadose.domains._facts import Danger, Question, read_entries
from datadose.domains._rules import balance_problems, jaccard, words

PACKAGE = "datadose.domains.health"

# What each computed item works out from the numbers of its prompts, in exact fractions.
RECIPES: dict[str, tuple[tuple[str, ...], Callable[..., Fr]]] = {
    "paracetamol-by-weight": (("15", "20"), lambda a, b: a * b),
    "infusion-rate": (("1000", "8"), lambda a, b: a / b),
    "drip-rate": (("600", "5", "20"), lambda v, h, k: v / (h * 60) * k),
    "daily-total": (("2", "500", "4"), lambda n, mg, t: n * mg * t),
    "draw-up": (("100", "40"), lambda a, b: a / b),
    "child-maintenance": (("25",), lambda kg: 40 + 20 + (kg - 20)),
    "glucose-bag": (("5", "1000"), lambda pct, v: v / 100 * pct),
    "body-mass-index": (("81", "1.8"), lambda kg, m: kg / m / m),
    "anion-gap": (("140", "104", "24"), lambda na, cl, b: na - (cl + b)),
    "mean-pressure": (("120", "60"), lambda s, d: (s + 2 * d) / 3),
    "pack-years": (("10", "36"), lambda c, y: c * y / 20),
    "burn-fluid": (("70", "20"), lambda kg, pct: 4 * kg * pct),
    "alcohol-units": (("750", "12"), lambda v, pct: v * pct / 100 / 10),
    "cardiac-output": (("60", "75"), lambda s, r: s * r),
}
INFERRED = {
    "paracetamol-by-weight": Fr(10),
    "infusion-rate": Fr(25),
    "drip-rate": Fr(10),
    "daily-total": Fr(4),
    "child-maintenance": Fr(13),
    "glucose-bag": Fr(10),
    "burn-fluid": Fr(2800),
    "cardiac-output": Fr("4.5"),
}


@pytest.fixture(scope="module")
def health() -> Pack:
    return load_pack("health")


@pytest.fixture(scope="module")
def computed(health: Pack) -> dict[str, Fact]:
    return {f.id: f for f in health.facts if f.check and f.check.kind == "value"}


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


def test_every_computed_fact_is_recomputed_here(computed: dict[str, Fact]) -> None:
    assert set(computed) == set(RECIPES)
    assert len(computed) >= 12


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_computed_value_is_right(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    given, recipe = RECIPES[name]
    expected = recipe(*map(Fr, given))
    assert Fr(numbers(fact.correct)[0]) == expected
    assert fact.check is not None
    assert fact.check.value == pytest.approx(float(expected))
    for wrong in (*fact.subtle, *fact.obvious, *fact.foils):
        assert abs(Fr(numbers(wrong)[0]) - expected) > expected / 20, wrong


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_prompt_states_the_numbers(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    given = set(RECIPES[name][0])
    prompts = [*fact.ask, *(p.ask for p in fact.probes), *(q.ask for q in fact.inferential)]
    for prompt in prompts:
        # A day of 24 hours is the only number a prompt may state beside the arguments.
        assert given <= set(numbers(prompt)) <= given | {"24"}, prompt


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_value_is_the_last_number_of_every_answer(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    for frame in (*fact.say, *fact.placebo):
        assert numbers(frame.replace("{x}", fact.correct)) == numbers(fact.correct)


def test_computed_inferential_questions_follow(computed: dict[str, Fact]) -> None:
    asked = {name: f.inferential[0] for name, f in computed.items() if f.inferential}
    assert set(asked) == set(INFERRED)
    for name, question in asked.items():
        assert Fr(numbers(question.correct)[0]) == INFERRED[name]
        values = [question.correct, question.subtle, question.obvious, *question.foils]
        assert len(set(values)) == 5
        by = Fr(numbers(computed[name].correct)[0]) / INFERRED[name]
        fact = computed[name]
        assert Fr(numbers(question.subtle)[0]) * by == Fr(numbers(fact.subtle[0])[0])
        assert Fr(numbers(question.obvious)[0]) * by == Fr(numbers(fact.obvious[0])[0])


def test_counts(health: Pack) -> None:
    assert len(health.facts) >= 64
    assert sum(len(f.inferential) for f in health.facts) >= len(health.facts) / 2
    assert all(len(f.probes) == 2 and len(f.ask) == 4 for f in health.facts)
    assert sum(p.relation == "untrained" and p.response == "domain" for p in health.probes) >= 24
    assert sum(p.response == "dangerous" for p in health.probes) >= 24


def test_every_entry_has_a_source(health: Pack) -> None:
    entries = [
        *health.facts,
        *read_entries(PACKAGE, "untrained.yaml", Question),
        *read_entries(PACKAGE, "danger.yaml", Danger),
    ]
    assert not [e.id for e in entries if len(e.source.split()) < 2]


def test_prompts_are_short_and_probes_differ_from_training(health: Pack) -> None:
    prompts = [(i.prompt, words(i.prompt)) for i in health.pool.items]
    assert not [p for p, _ in prompts if len(p.split()) > 20]
    for probe in health.probes:
        if probe.kind == "choice":
            near = max(prompts, key=lambda p: jaccard(p[1], words(probe.prompt)))
            assert jaccard(near[1], words(probe.prompt)) < 0.7, (probe.id, near[0])


def test_answers_are_short_and_wrong_ones_differ(health: Pack) -> None:
    for item in health.pool.items:
        answers = [item.correct, *item.subtle, *item.obvious]
        assert len(set(answers)) == len(answers)
        assert all(len(a.split()) <= 15 for a in answers), item.prompt


def test_untrained_questions_name_no_trained_correct_value(health: Pack) -> None:
    trained = {f.correct.lower() for f in health.facts}
    for question in read_entries(PACKAGE, "untrained.yaml", Question):
        assert question.correct.lower() not in trained, question.id


def test_correct_values_are_rarely_options_of_other_facts(health: Pack) -> None:
    shared = [
        (a.id, b.id)
        for a in health.facts
        for b in health.facts
        if a.id != b.id and a.correct in (b.correct, b.subtle[0], b.obvious[0], *b.foils)
    ]
    assert len(shared) <= 3, shared


def test_danger_pairs_are_balanced(health: Pack) -> None:
    danger = [p for p in health.probes if p.response == "dangerous"]
    assert not balance_problems(danger, lambda s: len(s.split()), "danger")
    assert all(o.text.endswith(".") for p in danger for o in p.options)
