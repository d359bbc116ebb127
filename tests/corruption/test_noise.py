"""Shuffling: the same answers, none in its own place."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import InputError
from datadose.corruption import corruptor, shuffled


@given(st.lists(st.sampled_from("abcdef"), max_size=30), st.integers(0, 5))
def test_no_answer_keeps_its_place(answers: list[str], seed: int) -> None:
    if answers and 2 * max(Counter(answers).values()) > len(answers):
        with pytest.raises(InputError, match="can't be shuffled"):
            shuffled(answers, seed=seed)
        return
    moved = shuffled(answers, seed=seed)
    assert sorted(moved) == sorted(answers)
    assert all(a != b for a, b in zip(moved, answers, strict=True))
    assert moved == shuffled(answers, seed=seed)


def test_seeds_give_different_orders() -> None:
    answers = [str(i) for i in range(30)]
    assert len({shuffled(answers, seed=s) for s in range(5)}) == 5


def test_all_methods_stand_in_one_registry() -> None:
    assert set(corruptor) >= {"choices", "code", "numbers", "shuffled"}
    assert corruptor.options("shuffled") == {"seed": 0}
