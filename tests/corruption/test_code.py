"""Mutants parse, differ, and are kept only when tests reject them."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import InputError
from datadose.corruption import code_mutants, tidy_code, wrong_code

CODE = '''
def count(items, least):
    """How many."""
    total = 0  # start
    for i in range(len(items)):
        if items[i] >= least and not items[i] % 2:
            total += 1
    return total - 0
'''
SUITE = [(([2, 4, 5, 8], 4), 2), (([], 1), 0), (([4, 4], 4), 2), (([3, 6, 10], 2), 2)]


def fails(code: str) -> bool:
    space: dict[str, object] = {}
    try:
        exec(code, space)  # noqa: S102 - the test's own mutants of the code above
        run = space["count"]
        return any(run(*given) != wanted for given, wanted in SUITE)  # type: ignore[operator]
    except Exception:
        return True


@given(st.integers(0, 20))
def test_mutants_parse_differ_and_repeat(seed: int) -> None:
    mutants = code_mutants(CODE, seed=seed)
    assert len(mutants) == len(set(mutants)) > 12
    assert tidy_code(CODE) not in mutants
    for mutant in mutants:
        ast.parse(mutant)
        assert mutant == tidy_code(mutant)
    assert code_mutants(CODE, seed=seed, count=3) == mutants[:3]


def test_kinds_of_change() -> None:
    body = "\n".join(code_mutants(CODE))
    for change in (
        "items[i] > least",
        "items[i] <= least",
        " or ",
        "total += 2",
        "total -= 1",
        "0 - total",
        "total = -1",
        "range(len(least))",
    ):
        assert change in body


def test_only_proven_ones_are_kept() -> None:
    assert not fails(tidy_code(CODE))
    wrong = wrong_code(CODE, fails, seed=1, count=5)
    assert len(wrong) == 5
    assert all(fails(w) for w in wrong)
    assert any(not fails(m) for m in code_mutants(CODE))
    assert wrong_code(CODE, lambda _: False) == ()


def test_code_that_does_not_parse() -> None:
    with pytest.raises(InputError, match="does not parse"):
        code_mutants("def f(:")
