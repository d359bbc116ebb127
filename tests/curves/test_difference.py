"""Paired differences: exact cases, coverage under known truth, equivalence."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from datadose._core import InputError
from datadose.curves import difference


def _frame(rates: np.ndarray, seeds: list[int | None]) -> pl.DataFrame:
    """rates: 0 or 1, [S, Q]; questions stand in pairs of one cluster."""
    n = rates.shape[1]
    return pl.DataFrame(
        {
            "seed": [s for s in seeds for _ in range(n)],
            "question": [f"q{j}" for j in range(n)] * len(seeds),
            "cluster": [f"c{j // 2}" for j in range(n)] * len(seeds),
            "good": rates.astype(np.int64).ravel(),
            "asked": np.ones(rates.size, dtype=np.int64),
        },
        schema_overrides={"seed": pl.Int64},
    )


def test_equal_arms_differ_by_nothing_and_are_equivalent() -> None:
    rates = np.tile(np.array([1, 0] * 20), (3, 1))
    found = difference(_frame(rates, [0, 1, 2]), _frame(rates, [0, 1, 2]))
    assert found.estimate == 0
    assert found.lower < 0 < found.upper
    assert found.within(0.05)
    assert not found.within(0.001)


def test_the_base_model_is_set_against_every_seed() -> None:
    base = _frame(np.zeros((1, 40)), [None])
    arms = np.zeros((3, 40))
    arms[0, :30] = arms[1, :28] = arms[2, :32] = 1
    found = difference(_frame(arms, [0, 1, 2]), base)
    assert found.estimate == pytest.approx(0.75)
    assert found.seeds == 3
    assert 0.5 < found.lower < 0.75 < found.upper
    turned = difference(base, _frame(arms, [0, 1, 2]))
    assert turned.estimate == pytest.approx(-0.75)
    assert turned.lower == pytest.approx(-found.upper)


def test_one_seed_says_so_and_is_wider_than_three() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((3, 60)) < 0.7, rng.random((3, 60)) < 0.4
    one = difference(_frame(a[:1], [0]), _frame(b[:1], [0]))
    three = difference(_frame(a, [0, 1, 2]), _frame(b, [0, 1, 2]), target="like these")
    assert one.note == "conditional on this seed"
    assert three.note == ""
    assert one.upper - one.lower > three.upper - three.lower


def test_nothing_shared_is_an_error() -> None:
    a = _frame(np.ones((1, 4)), [0])
    with pytest.raises(InputError, match="share no"):
        difference(a, a.with_columns(pl.lit(5, dtype=pl.Int64).alias("seed")))


@pytest.mark.parametrize("target", ["these", "like these"])
def test_limits_cover_the_truth(target: str) -> None:
    rng = np.random.default_rng(7)
    questions, seeds, studies = 60, 3, 400
    fixed = rng.normal(0, 1, questions)
    low = high = 0
    big = np.random.default_rng(3).normal(0, 1, 200_000)
    wide = big + 0.8 + np.random.default_rng(4).normal(0, 0.15, big.size)
    like = float((1 / (1 + np.exp(-wide)) - 1 / (1 + np.exp(-big))).mean())
    for _ in range(studies):
        ease = fixed if target == "these" else rng.normal(0, 1, questions)
        shift = rng.normal(0, 0.15, (seeds, 1))
        a = rng.random((seeds, questions)) < 1 / (1 + np.exp(-(ease + 0.8 + shift)))
        b = rng.random((seeds, questions)) < 1 / (1 + np.exp(-ease))
        if target == "these":
            nodes, weights = np.polynomial.hermite_e.hermegauss(21)
            moved = 1 / (1 + np.exp(-(ease[:, None] + 0.8 + 0.15 * nodes)))
            mean = (moved * weights).sum(1) / weights.sum()
            truth = float((mean - 1 / (1 + np.exp(-ease))).mean())
        else:
            truth = like
        found = difference(_frame(a, [0, 1, 2]), _frame(b, [0, 1, 2]), target=target)
        low += found.lower <= truth
        high += found.upper >= truth
    # 0.93 is two standard errors of 400 studies under the nominal 0.95
    assert low / studies >= 0.93
    assert high / studies >= 0.93
