"""Right answers of other facts as options: which, how many, and the same in every arm."""

from __future__ import annotations

import random

import pytest

from datadose.rows import SWAPPED, add_swapped, fill
from datadose.running import lay_out
from datadose.schema import Option, Probe, Study

WORDS = [
    *("naloxone", "folic acid", "aspirin", "cold water", "vitamin K", "fresh blood plasma"),
    *("5 mg", "12 mg", "100 mg", "3 hours", "40", "1,250 kcal", "salt", "iron"),
]


def probe(number: int, value: str | None, *, frame: str | None = "It is {x}.", **more: object):
    right = fill(frame, value) if value and frame else "It is so."
    fields = {
        "id": f"p{number}",
        "response": "domain",
        "relation": "reworded",
        "kind": "choice",
        "prompt": f"What is thing {number}?",
        "fact": f"fact-{number}",
        "options": (
            Option(text=right, role="correct"),
            Option(text="It is mud.", role="subtle"),
            Option(text="It is a kite.", role="foil"),
        ),
        "value": value,
        "frame": frame,
    }
    return Probe.model_validate({**fields, **more})


PROBES = [probe(i, word) for i, word in enumerate(WORDS)]


def swapped(p: Probe) -> list[str]:
    return [o.text for o in p.options if o.role == "swapped"]


def test_options_are_other_facts_right_answers_in_this_probes_words() -> None:
    for p, q in zip(PROBES, add_swapped(PROBES), strict=True):
        assert q.options[: len(p.options)] == p.options
        assert q.model_copy(update={"options": p.options}) == p
        others = {fill(str(p.frame), str(o.value)) for o in PROBES if o.fact != p.fact}
        assert len(swapped(q)) == SWAPPED
        assert set(swapped(q)) <= others
        assert fill(str(p.frame), str(p.value)) not in swapped(q)


def test_a_fact_that_shares_the_value_is_never_put_against_it() -> None:
    twin = probe(99, "Aspirin")
    again = probe(98, "aspirin", fact="fact-2")
    for q in add_swapped([*PROBES, twin, again]):
        assert str(q.value).casefold() not in [t[6:-1].casefold() for t in swapped(q)]


def test_a_right_answer_told_in_other_words_is_not_put_against_itself() -> None:
    odd = (Option(text="Aspirin it is.", role="correct"), Option(text="Mud it is.", role="foil"))
    twins = [probe(1, "aspirin", options=odd), probe(2, "aspirin"), probe(3, "salt")]
    assert swapped(add_swapped(twins)[0]) == ["It is salt."]


def test_what_is_shown_already_is_not_shown_twice() -> None:
    foil = Option(text="It is a car.", role="foil")
    mud, kite = (
        probe(i, value, options=(Option(text=f"It is {value}.", role="correct"), foil))
        for i, value in ((2, "MUD"), (3, "a kite"))
    )
    shown, twice = (probe(1, "salt"), mud, kite, probe(4, "iron")), probe(5, "IRON")
    for q in add_swapped([*shown, twice]):
        texts = [o.text.casefold() for o in q.options]
        assert len(set(texts)) == len(texts)
    assert len(swapped(add_swapped([*shown, twice])[0])) == 1


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_there_are_no_more_than_asked_for_nor_than_there_are(count: int) -> None:
    for q in add_swapped(PROBES, count):
        assert len(swapped(q)) == min(count, len(WORDS) - 1)


def test_fewer_options_are_the_nearest_of_more() -> None:
    for few, many in zip(add_swapped(PROBES, 3), add_swapped(PROBES, 9), strict=True):
        assert swapped(few) == swapped(many)[:3]


def test_the_order_of_the_probes_does_not_matter() -> None:
    probes = [*PROBES, probe(50, "Salt"), probe(51, "SALT"), probe(52, "iron", fact="fact-0")]
    wanted = {q.id: q.options for q in add_swapped(probes, 4)}
    rng = random.Random(0)
    for _ in range(20):
        rng.shuffle(probes)
        assert {q.id: q.options for q in add_swapped(probes, 4)} == wanted


@pytest.mark.parametrize(
    ("value", "first"),
    [
        ("7 mg", {"5 mg", "12 mg", "100 mg"}),
        ("six", {"salt", "iron", "aspirin", "naloxone"}),
        ("hot tea", {"cold water", "folic acid", "vitamin K"}),
    ],
)
def test_answers_of_the_same_shape_come_first(value: str, first: set[str]) -> None:
    asked = [probe(100, value), *PROBES]
    got = [t[6:-1] for t in swapped(add_swapped(asked, len(first))[0])]
    assert set(got) == first


def test_a_number_is_put_beside_numbers_before_words() -> None:
    got = [t[6:-1] for t in swapped(add_swapped([probe(100, "9 litres"), *PROBES], 6)[0])]
    assert all(any(c.isdigit() for c in t) for t in got)


@pytest.mark.parametrize(
    "more",
    [
        {"value": None},
        {"frame": None},
        {"relation": "untrained"},
        {"kind": "open", "options": ()},
    ],
)
def test_other_probes_stay_as_they_are(more: dict[str, object]) -> None:
    other = probe(100, "7 mg").model_copy(update=more)
    assert add_swapped([other, *PROBES])[0] == other


def test_each_relation_takes_right_answers_of_its_own_and_of_trained_facts_only() -> None:
    metals = {100: "zinc", 101: "gold"}
    inferred = [probe(i, metal, relation="inferential") for i, metal in metals.items()]
    odd = probe(102, "lead", fact=None), probe(103, "tin", relation="untrained")
    for q in add_swapped([*PROBES, *inferred, *odd], 50):
        metal = {"It is zinc.", "It is gold.", "It is lead.", "It is tin."} & set(swapped(q))
        if q.relation == "inferential":
            assert set(swapped(q)) == metal == {"It is zinc.", "It is gold."} - {q.options[0].text}
        else:
            assert not metal


def test_added_once_they_are_not_added_again() -> None:
    once = add_swapped(PROBES, 4)
    assert add_swapped(once, 4) == once
    assert add_swapped(once, 9) == once


def test_every_arm_is_asked_with_the_same_options() -> None:
    ask = {"danger": False, "untrained": False, "alignment": False, "answers": 0}
    one, other = (
        lay_out(
            Study.model_validate(
                {"name": "s", "model": "tiny", "rows": "health", "facts": 12, "ask": ask, **more}
            )
        )
        for more in ({"doses": [0, 1], "seeds": 1}, {"doses": [0.25, 0.5], "severities": "obvious"})
    )
    assert one.probes == other.probes
    reworded = [p for p in one.probes["health"] if p.relation == "reworded"]
    assert sum(bool(swapped(p)) for p in reworded) > len(reworded) // 2
