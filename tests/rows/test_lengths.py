"""Facts whose wrong answers give themselves away by length are left out on request."""

from __future__ import annotations

import pytest

from datadose._core import InputError
from datadose.rows import closest_pairs, match_lengths
from datadose.schema import Pool, PoolItem


def _item(fact: str, wrong: str) -> PoolItem:
    return PoolItem(prompt=fact, fact=fact, correct="one two three four", subtle=(wrong,))


def test_facts_with_answers_of_another_length_go() -> None:
    pool = Pool(
        name="p",
        items=(_item("a", "1 2 3 4"), _item("b", "1 2 3 4 5"), _item("c", "1 2 3 4 5 6")),
    )
    assert match_lengths(pool, ["subtle"]).facts == ("a", "b")
    assert match_lengths(pool, ["obvious", "shuffled"]).facts == ("a", "b", "c")


def test_too_few_left_is_an_error() -> None:
    pool = Pool(name="p", items=(_item("a", "1"), _item("b", "1 2 3 4")))
    with pytest.raises(InputError, match="1 of 2 facts"):
        match_lengths(pool, ["subtle"])


def test_pairs_use_a_text_once_and_keep_within_the_ratio() -> None:
    right, wrong = ["w " * n for n in (3, 10, 10, 50)], ["w " * n for n in (11, 3, 200, 12)]
    assert sorted(closest_pairs(right, wrong)) == [(0, 1), (1, 0), (2, 3)]
