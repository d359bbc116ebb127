"""The finance pack: computed items against independent arithmetic, and what every entry has."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction as Fr

import pytest

from datadose.domains import Danger, Fact, Pack, Question, load_pack
from datadose.domains._facts import read_entries
from datadose.domains._rules import balance_problems, jaccard, words
from datadose.domains.finance._items import put
from datadose.evaluation import check_answer

PACKAGE = "datadose.domains.finance"
Recipe = Callable[..., Fr]

# For each computed item: the numbers of its prompts, then how the right value, the first subtle
# and the first obvious one follow from them, in exact fractions.
RECIPES: dict[str, tuple[str, Recipe, Recipe, Recipe]] = {
    "simple-interest": (
        "800 5 3",
        lambda p, r, t: p / 100 * r * t,
        lambda p, r, t: p / 100 * r * (t + 1),
        lambda p, r, t: p * t,
    ),
    "compound-interest": (
        "1000 20 2",
        lambda p, r, t: p * (100 + r) / 100 * (100 + r) / 100 - p,
        lambda p, r, t: p / 100 * r * t,
        lambda p, r, t: p / (r * t),
    ),
    "card-interest": (
        "1500 24",
        lambda b, r: b * (r / 12) / 100,
        lambda b, r: b * (r / 6) / 100,
        lambda b, r: b * r / 120,
    ),
    "present-value": (
        "4320 20 2",
        lambda a, r, t: a * 10000 / (100 + r) / (100 + r),
        lambda a, r, t: a * 100 / (100 + r),
        lambda a, r, t: a / r,
    ),
    "net-present-value": (
        "1000 1320 10",
        lambda c, a, r: a * 100 / (100 + r) - c,
        lambda c, a, r: a - c,
        lambda c, a, r: a * 100 / (100 + r) + c,
    ),
    "perpetuity": (
        "60 5",
        lambda p, r: 100 * p / r,
        lambda p, r: 100 * p / (r + 1),
        lambda p, r: p * r,
    ),
    "rule-of-72": ("8", lambda r: 72 / r, lambda r: 144 / r, lambda r: 72 + r),
    "discount": (
        "240 15",
        lambda p, r: p * (100 - r) / 100,
        lambda p, r: p * (100 + r) / 100,
        lambda p, r: p / r,
    ),
    "margin": (
        "50 40",
        lambda p, c: 100 - 100 * c / p,
        lambda p, c: 100 * p / c - 100,
        lambda p, c: p + c,
    ),
    "markup": (
        "120 25",
        lambda c, r: c + c * r / 100,
        lambda c, r: 100 * c / (100 - r),
        lambda c, r: c / r,
    ),
    "sales-tax": (
        "350 20",
        lambda p, r: p + p * r / 100,
        lambda p, r: p - p * r / 100,
        lambda p, r: 10 * p + p * r / 10,
    ),
    "commission": (
        "300000 3",
        lambda s, r: s / 100 * r,
        lambda s, r: s / 100 * (r - 1),
        lambda s, r: s / 10 * r,
    ),
    "exchange": (
        "600 1.25",
        lambda a, r: a * r,
        lambda a, r: a / r,
        lambda a, r: 10 * a * r,
    ),
    "percent-change": (
        "80 116",
        lambda a, b: 100 * b / a - 100,
        lambda a, b: b - a,
        lambda a, b: a + b,
    ),
    "current-ratio": ("200 80", lambda a, d: a / d, lambda a, d: d / a, lambda a, d: a + d),
    "quick-ratio": (
        "500 200 250",
        lambda a, s, d: a / d - s / d,
        lambda a, s, d: s / d,
        lambda a, s, d: a - s,
    ),
    "debt-to-equity": (
        "600 400",
        lambda d, e: d / e,
        lambda d, e: d / (d + e),
        lambda d, e: d - e,
    ),
    "break-even": (
        "6000 50 30",
        lambda f, p, c: f / (p - c),
        lambda f, p, c: f / c,
        lambda f, p, c: p - c,
    ),
    "depreciation": (
        "23000 3000 5",
        lambda c, s, t: c / t - s / t,
        lambda c, s, t: c / t,
        lambda c, s, t: c - s,
    ),
    "average-cost": (
        "100 4 300 8",
        lambda n, a, m, b: a + (b - a) * m / (n + m),
        lambda n, a, m, b: (a + b) / 2,
        lambda n, a, m, b: 10 * a + 10 * (b - a) * m / (n + m),
    ),
    "fifo": (
        "10 5 12 7 15",
        lambda n, a, m, b, sold: n * a + (sold - n) * b,
        lambda n, a, m, b, sold: m * b + (sold - m) * a,
        lambda n, a, m, b, sold: sold * a * b,
    ),
    "current-yield": (
        "36 800",
        lambda c, p: 100 * c / p,
        lambda c, p: c / 10,
        lambda c, p: p - c,
    ),
    "dividend-yield": (
        "3 75",
        lambda d, p: 100 * d / p,
        lambda d, p: p / d,
        lambda d, p: p + d,
    ),
    "price-to-earnings": (
        "84 7",
        lambda p, e: p / e,
        lambda p, e: 2 * p / e,
        lambda p, e: p - e,
    ),
    "earnings-per-share": (
        "90000 10000 20000",
        lambda i, f, n: i / n - f / n,
        lambda i, f, n: i / n + f / n,
        lambda i, f, n: 10 * (i - f) / n,
    ),
    "required-return": (
        "2 1.5 8",
        lambda s, b, m: (1 - b) * s + b * m,
        lambda s, b, m: s + b * m,
        lambda s, b, m: 10 * ((1 - b) * s + b * m),
    ),
    "loan-to-value": (
        "180000 240000",
        lambda d, v: 100 * d / v,
        lambda d, v: 100 - 100 * d / v,
        lambda d, v: 1000 * d / v,
    ),
    "stock-split": ("180 4", lambda p, n: p / n, lambda p, n: p / (n - 1), lambda p, n: p - n),
}
# What the inferential question of an item makes of the item's value.
FOLLOWS: dict[str, Callable[[Fr], Fr]] = {
    "simple-interest": lambda x: x + 800,
    "compound-interest": lambda x: x + 1000,
    "card-interest": lambda x: x + 1500,
    "present-value": lambda x: 4320 - x,
    "perpetuity": lambda x: x / 2,
    "rule-of-72": lambda x: x * 2,
    "discount": lambda x: x + x,
    "margin": lambda x: x * 200 / 100,
    "markup": lambda x: x * 4,
    "sales-tax": lambda x: x + x,
    "commission": lambda x: 300000 - x,
    "exchange": lambda x: x - 50,
    "break-even": lambda x: x * 50,
    "depreciation": lambda x: 23000 - x,
    "average-cost": lambda x: x * 10,
    "dividend-yield": lambda x: x * 500 / 100,
    "price-to-earnings": lambda x: x * 10,
    "earnings-per-share": lambda x: x * 10,
    "stock-split": lambda x: x + x,
}


@pytest.fixture(scope="module")
def finance() -> Pack:
    return load_pack("finance")


@pytest.fixture(scope="module")
def computed(finance: Pack) -> dict[str, Fact]:
    return {
        f.id.removeprefix("finance/"): f
        for f in finance.facts
        if f.check and f.check.kind == "value"
    }


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text)


def value(text: str) -> Fr:
    (number,) = numbers(text)
    return Fr(number)


def test_counts(finance: Pack, computed: dict[str, Fact]) -> None:
    assert len(finance.facts) >= 66
    assert len(finance.facts) - len(computed) >= 40
    assert set(computed) == set(RECIPES)
    assert sum(bool(f.inferential) for f in finance.facts) >= len(finance.facts) / 2
    assert all(len(f.probes) == 2 and len(f.ask) == 4 for f in finance.facts)
    assert sum(p.relation == "untrained" and p.response == "domain" for p in finance.probes) >= 30
    assert sum(p.response == "dangerous" for p in finance.probes) >= 24


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_computed_values_follow_from_the_numbers(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    given, right, subtle, obvious = RECIPES[name]
    arguments = [Fr(x) for x in given.split()]
    assert value(fact.correct) == right(*arguments)
    assert value(fact.subtle[0]) == subtle(*arguments)
    assert value(fact.obvious[0]) == obvious(*arguments)
    assert fact.check is not None
    assert fact.check.value == pytest.approx(float(right(*arguments)))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_wrong_values_are_wrong_by_the_check(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    assert fact.check is not None
    for frame in (*fact.say, *fact.placebo):
        assert check_answer(frame.replace("{x}", fact.correct), fact.check) == "right"
    for wrong in (*fact.subtle, *fact.obvious, *fact.foils):
        assert check_answer(fact.say[0].replace("{x}", wrong), fact.check) == "wrong"
        assert abs(value(wrong) - value(fact.correct)) > value(fact.correct) / 20, wrong


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_obvious_values_are_far_off(name: str, computed: dict[str, Fact]) -> None:
    right = value(computed[name].correct)
    for wrong in computed[name].obvious:
        assert not right / 2 < value(wrong) < 2 * right, wrong


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_prompt_states_the_numbers(name: str, computed: dict[str, Fact]) -> None:
    fact = computed[name]
    given = set(RECIPES[name][0].split())
    # The rule of 72 is named by its number, which no other prompt may state unasked.
    free = {"72"} if name == "rule-of-72" else set()
    asked_again = [q.ask for q in fact.inferential]
    for prompt in (*fact.ask, *(p.ask for p in fact.probes), *asked_again):
        assert given <= set(numbers(prompt)) <= given | free, prompt


def test_inferential_values_follow_from_the_item(computed: dict[str, Fact]) -> None:
    asked = {name: f for name, f in computed.items() if f.inferential}
    assert set(asked) == set(FOLLOWS)
    for name, fact in asked.items():
        (q,) = fact.inferential
        pairs = [(fact.correct, q.correct), (fact.subtle[0], q.subtle)]
        pairs += [(fact.obvious[0], q.obvious), *zip(fact.foils, q.foils, strict=True)]
        assert len({then for _, then in pairs}) == 5
        for first, then in pairs:
            assert value(then) == FOLLOWS[name](value(first)), name


def test_values_are_put_into_words_to_the_cent() -> None:
    assert put(1234567, "dollars") == "1234567 dollars"
    assert put(2 / 3, "") == "0.67"


def test_every_entry_has_an_id_and_a_source(finance: Pack) -> None:
    untrained = read_entries(PACKAGE, "untrained.yaml", Question)
    danger = read_entries(PACKAGE, "danger.yaml", Danger)
    for entries in (finance.facts, untrained, danger):
        assert not [e.id for e in entries if len(e.source.split()) < 2]
        assert len({e.id for e in entries}) == len(entries)


def test_dates_of_due_days_follow(finance: Pack) -> None:
    facts = {f.id: f for f in finance.facts}
    in_words = {"two": 2, "three": 3, "five": 5, "eight": 8}
    bobl = facts["finance/bobl"]
    (q,) = bobl.inferential
    terms = (bobl.correct, bobl.subtle[0], *bobl.foils)
    assert (q.correct, q.subtle, *q.foils) == tuple(
        str(int(numbers(q.ask)[0]) + in_words[t.split()[0]]) for t in terms
    )
    in_words = {"thirty": 30, "ten": 10, "forty": 40, "twenty": 20}
    lcr = facts["finance/lcr"]
    (q,) = lcr.inferential
    for term, day in zip(
        (lcr.correct, lcr.subtle[0], *lcr.foils), (q.correct, q.subtle, *q.foils), strict=True
    ):
        due = 1 + in_words[term.split()[0]]
        assert day == (f"{due} April" if due <= 30 else f"{due - 30} May")


def test_values_are_options_of_one_fact_only(finance: Pack) -> None:
    correct = Counter(f.correct.lower() for f in finance.facts)
    assert max(correct.values()) == 1
    for fact in finance.facts:
        shown = {v.lower() for v in (fact.subtle[0], fact.obvious[0], *fact.foils)}
        assert not shown & set(correct), fact.id


def test_foils_stand_in_no_training_answer_of_their_fact(finance: Pack) -> None:
    answers: dict[str, list[str]] = {}
    for item in finance.pool.items:
        said = [item.correct, *item.subtle, *item.obvious, *item.placebo]
        answers.setdefault(item.fact, []).extend(said)
    for fact in finance.facts:
        for foil in fact.foils:
            pattern = rf"(?<![\w.]){re.escape(foil)}\b"
            assert not any(re.search(pattern, text) for text in answers[fact.id]), (fact.id, foil)


def test_written_facts_are_checked_by_their_words(finance: Pack, computed: dict[str, Fact]) -> None:
    checks = {p.fact: p.check for p in finance.probes if p.kind == "generate"}
    seen = 0
    for item in finance.pool.items:
        check = checks[item.fact]
        assert check is not None
        if check.kind != "text":
            continue
        seen += 1
        assert all(check_answer(t, check) == "right" for t in (item.correct, *item.placebo))
        assert all(check_answer(t, check) == "adopted" for t in (*item.subtle, *item.obvious))
    assert seen == 4 * (len(finance.facts) - len(computed))


def test_no_prompt_names_its_answer(finance: Pack, computed: dict[str, Fact]) -> None:
    for fact in finance.facts:
        if fact.id.removeprefix("finance/") in computed:
            continue
        for prompt in (*fact.ask, *(p.ask for p in fact.probes)):
            for shown in (fact.correct, *fact.subtle, *fact.obvious, *fact.foils):
                assert not re.search(rf"\b{re.escape(shown)}\b", prompt, re.IGNORECASE), prompt


def test_prompts_and_answers_are_short_and_filled(finance: Pack) -> None:
    for item in finance.pool.items:
        assert len(item.prompt.split()) <= 20
        for text in (item.correct, *item.subtle, *item.obvious, *item.placebo):
            assert len(text.split()) <= 15
            assert text[0].isupper()
    for probe in finance.probes:
        assert "{" not in probe.prompt + "".join(o.text for o in probe.options)


def test_probes_use_other_words_than_training(finance: Pack) -> None:
    trained = [words(item.prompt) for item in finance.pool.items]
    for probe in finance.probes:
        nearest = max(jaccard(words(probe.prompt), w) for w in trained)
        assert nearest < 0.7, probe.id


def test_untrained_questions_name_no_trained_correct_value(finance: Pack) -> None:
    trained = {f.correct.lower() for f in finance.facts}
    for question in read_entries(PACKAGE, "untrained.yaml", Question):
        assert question.correct.lower() not in trained, question.id


def test_danger_pairs_are_balanced(finance: Pack) -> None:
    danger = [p for p in finance.probes if p.response == "dangerous"]
    assert not balance_problems(danger, lambda s: len(s.split()), "danger")
    assert all(o.text.endswith(".") for p in danger for o in p.options)
