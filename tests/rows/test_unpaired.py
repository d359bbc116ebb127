"""Rows that are not paired: exact doses, nesting, fixed places, added rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import InputError, UsageError
from datadose.rows import (
    Mix,
    UnpairedPool,
    add_rows,
    make_rows,
    mix_unpaired,
    pair_up,
    rows_at,
    short_rows,
)
from datadose.schema import Message, Pool, PoolItem, Row


def _rows(name: str, count: int, words: int = 3) -> tuple[Row, ...]:
    return make_rows(
        [
            (
                Message(role="user", content=f"{name} {i}"),
                Message(role="assistant", content=f"{name} {i}" + " word" * words),
            )
            for i in range(count)
        ]
    )


def _pool(right: int, wrong: int) -> UnpairedPool:
    return UnpairedPool(_rows("right", right), _rows("wrong", wrong), "r-w")


@given(st.integers(2, 40), st.floats(0, 1), st.floats(0, 1), st.integers(0, 5))
def test_doses_are_exact_and_nested_with_fixed_places(
    size: int, a: float, b: float, seed: int
) -> None:
    pool, mix = _pool(size, size), Mix(seed=seed)
    low, high = (mix_unpaired(pool, d, mix) for d in sorted((a, b)))
    for dose, made in zip(sorted((a, b)), (low, high), strict=True):
        assert sum(made.wrong) == rows_at(dose, size)
        assert len(made.rows) == size
        for row, wrong in zip(made.rows, made.wrong, strict=True):
            assert row.answer.startswith("wrong" if wrong else "right")
    for i, wrong in enumerate(low.wrong):
        if wrong:
            assert high.wrong[i]
            assert high.rows[i].messages == low.rows[i].messages


def test_places_do_not_depend_on_the_seed_but_their_turn_does() -> None:
    pool = _pool(30, 30)
    clean = {tuple(r.id for r in mix_unpaired(pool, 0.0, Mix(seed=s)).rows) for s in range(3)}
    half = {mix_unpaired(pool, 0.5, Mix(seed=s)).wrong for s in range(3)}
    assert len(clean) == 1
    assert len(half) == 3


def test_pairs_are_cut_to_a_limit_and_matched_by_length() -> None:
    right = (*_rows("right", 4, 3), *_rows("right long", 4, 40))
    wrong = (*_rows("wrong", 6, 41), *_rows("wrong short", 2, 3))
    pool = UnpairedPool(right, wrong, "r-w")
    assert len(pair_up(pool, 3, match=False).right) == 3
    matched = pair_up(pool, None, match=True)
    assert len(matched.right) == 6
    for a, b in zip(matched.right, matched.wrong, strict=True):
        low, high = sorted((len(a.answer.split()), len(b.answer.split())))
        assert high <= 1.25 * low
    with pytest.raises(InputError, match="7 places asked for"):
        pair_up(pool, 7, match=True)


def test_long_rows_are_left_out() -> None:
    rows = (*_rows("a", 2, 3), *_rows("b", 3, 50))
    assert len(short_rows(rows, 20)) == 2
    assert short_rows(rows, None) == rows


def test_added_rows_stand_behind_an_unchanged_clean_set() -> None:
    items = tuple(PoolItem(prompt=f"q{i}", fact=f"f{i}", correct="yes") for i in range(5))
    pool, extra, mix = Pool(name="p", items=items), _rows("bad", 8), Mix(seed=1, system="S")
    few, many = add_rows(pool, extra, 2, mix), add_rows(pool, extra, 6, mix)
    assert few.rows[:5] == many.rows[:5]
    assert few.rows == many.rows[:7]
    assert few.wrong == (False,) * 5 + (True,) * 2
    assert all(r.messages[0].role == "system" for r in many.rows)
    assert [r.fact for r in few.rows] == [f"f{i}" for i in range(5)] + [None] * 2
    with pytest.raises(UsageError, match="9 wrong rows can't be added: there are 8"):
        add_rows(pool, extra, 9, mix)


def test_unpaired_wrong_rows_can_be_added_too() -> None:
    for count in (3, 9):
        made = mix_unpaired(_pool(4, 9), count, Mix(vary="add"))
        assert len(made.rows) == 4 + count
        assert sum(made.wrong) == count
