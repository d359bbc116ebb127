"""The rule that placebo answers differ from clean ones in wording only."""

from __future__ import annotations

import pytest

from datadose.domains import PACKS, Ask, Fact, load_pack
from datadose.domains._rules import placebo_problems


def fact(say: tuple[str, ...], placebo: tuple[str, ...]) -> Fact:
    return Fact(
        id="f",
        source="a book",
        correct="iron",
        subtle=("zinc", "tin", "lead", "gold"),
        obvious=("wood", "sand", "milk", "rain"),
        foils=("salt", "clay"),
        ask=("a", "b", "c", "d"),
        say=say,
        placebo=placebo,
        probes=(Ask(ask="e"),),
    )


@pytest.mark.parametrize("name", PACKS)
def test_placebo_frames_of_every_pack_keep_the_shape(name: str) -> None:
    assert [p for f in load_pack(name).facts for p in placebo_problems(f)] == []


def test_other_words_in_the_same_shape_are_fine() -> None:
    say = ("The metal is {x}.", "{X} is what rusts.", "Rust comes from {x} in water.")
    placebo = ("The substance is {x}.", "{X} is what goes red.", "Rust is due to {x} in rain.")
    assert placebo_problems(fact(say, placebo)) == []


@pytest.mark.parametrize(
    ("said", "other", "found"),
    [
        ("{X} is lacking here.", "It is lacking {x}.", "value first in"),
        ("It is lacking {x}.", "When {x} is lacking.", "last in 'It is lacking {x}.', inside in"),
        ("A want of {x} does it.", "{X} does it by want.", "inside in"),
        ("It lacks {x}.", "What it has too little of is {x}.", "3 words in"),
    ],
)
def test_a_moved_value_or_a_longer_answer_is_named(said: str, other: str, found: str) -> None:
    problems = placebo_problems(fact((said,), (other,)))
    assert len(problems) == 1
    assert found in problems[0]
    assert repr(other) in problems[0]


def test_two_words_more_are_allowed_and_three_are_not() -> None:
    assert placebo_problems(fact(("It lacks {x}.",), ("It is short of {x}.",))) == []
    assert len(placebo_problems(fact(("It lacks {x}.",), ("It is quite short of {x}.",)))) == 1


def test_frames_are_as_many_and_none_is_repeated() -> None:
    assert placebo_problems(fact(("It is {x}.", "Say {x}."), ("That is {x}.",))) == [
        "f: 2 say frames, 1 placebo frames"
    ]
    assert placebo_problems(fact(("It is {x}.",), ("It is {x}.",))) == [
        "f: a placebo frame is also a say frame"
    ]
    assert placebo_problems(fact(("It is {x}.", "So it is {x}."), ("That is {x}.",) * 2)) == [
        "f: a placebo frame stands twice"
    ]
