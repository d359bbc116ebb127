"""Thresholds: definitions, statuses, symmetries, and coverage under known truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import InputError
from datadose.curves import (
    Spec,
    analyse,
    analyse_block,
    isotonic,
    sentence,
    thresholds,
    to_block,
)

DOWN = Spec("domain", "down")
DOSES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def table(
    truth: dict[float, float],
    *,
    seeds: int = 3,
    questions: int = 100,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Counts from a known curve, of questions that differ."""
    ease = rng.normal(0, 0.15, questions)
    arms, good = [], []
    for seed in range(seeds):
        for dose, rate in truth.items():
            p = np.clip(rate + ease - ease.mean(), 0, 1)
            good.append(rng.random(questions) < p)
            arms.append((dose, seed))
    return pl.DataFrame(
        {
            "dose": np.repeat([dose for dose, _ in arms], questions),
            "seed": np.repeat([seed for _, seed in arms], questions),
            "question": [f"q{i}" for i in range(questions)] * len(arms),
            "good": np.concatenate(good).astype(np.int64),
            "asked": np.ones(len(arms) * questions, dtype=np.int64),
        }
    )


CLIFF = dict(zip(DOSES, (0.8, 0.8, 0.8, 0.3, 0.2, 0.2), strict=True))
FLAT = dict.fromkeys(DOSES, 0.8)


def pick(found, name: str, level: float | None = None):
    return next(t for t in found if t.threshold == name and t.benchmark_response == level)


def test_a_cliff_is_found_between_the_doses_that_hold_it() -> None:
    found = analyse(table(CLIFF, rng=np.random.default_rng(1)), DOWN).thresholds
    benchmark = pick(found, "benchmark", 0.10)
    assert benchmark.status == "estimated"
    assert 0.25 <= benchmark.lower < benchmark.estimate < benchmark.upper <= 0.5
    assert pick(found, "recovery").status == "estimated"
    assert 0.25 <= pick(found, "ed50").estimate <= 0.5


def test_a_flat_curve_without_a_control_is_a_dead_instrument() -> None:
    found = analyse(table(FLAT, rng=np.random.default_rng(2)), DOWN).thresholds
    assert pick(found, "benchmark", 0.10).status == "instrument dead"
    assert pick(found, "benchmark", 0.10).estimate is None
    assert pick(found, "recovery").status == "not defined"


def test_a_flat_curve_with_a_live_control_is_no_effect_or_above() -> None:
    rng = np.random.default_rng(3)
    frame = table(FLAT, questions=600, rng=rng)
    control = table({1.0: 0.2}, questions=600, rng=rng)
    found = analyse(frame, DOWN, control=control).thresholds
    assert pick(found, "benchmark", 0.10).status in ("no effect", "above tested doses")


def test_limits_of_a_change_of_a_rate_stay_within_one() -> None:
    """Two seeds that disagree leave one degree of freedom, and t is 6.3."""
    rng = np.random.default_rng(6)
    frame = table({0.0: 0.9, 1.0: 0.5}, seeds=2, rng=rng)
    drop = (pl.col("dose") == 1) & (pl.col("seed") == 1)
    frame = frame.with_columns(good=pl.when(drop).then(0).otherwise(pl.col("good")))
    changes = [c for c in analyse(frame, DOWN).contrasts if c.kind == "change"]
    assert changes
    assert all(-1 <= c.lower <= c.upper <= 1 for c in changes)
    assert any(c.upper == 1 for c in changes)


def test_parity_against_a_better_base_is_worse_at_dose_0() -> None:
    frame = table(CLIFF, rng=np.random.default_rng(4))
    base = pl.DataFrame(
        [
            {"dose": None, "seed": None, "question": f"q{i}", "good": 1, "asked": 1}
            for i in range(100)
        ],
        schema=frame.schema,
    )
    found = analyse(pl.concat([frame, base]), DOWN).thresholds
    assert pick(found, "parity").status == "worse at dose 0"


def test_up_is_the_mirror_of_down() -> None:
    frame = table(CLIFF, rng=np.random.default_rng(5))
    mirror = frame.with_columns((pl.col("asked") - pl.col("good")).alias("good"))
    down = pick(analyse(frame, DOWN).thresholds, "benchmark", 0.10)
    up = pick(analyse(mirror, Spec("domain", "up", "added")).thresholds, "benchmark", 0.10)
    assert down.estimate == pytest.approx(up.estimate)
    assert (down.lower, down.upper) == pytest.approx((up.lower, up.upper))
    assert down.status == up.status


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.lists(st.sampled_from(DOSES), min_size=1, max_size=4, unique=True),
    st.integers(1, 4),
    st.sampled_from([0, 1, 2]),
)
def test_no_table_gives_a_traceback_or_a_bare_number(
    seeds: int, doses: list[float], questions: int, fill: int
) -> None:
    lines = [
        {
            "dose": d,
            "seed": s,
            "question": str(q),
            "good": fill if fill < 2 else (q + s) % 2,
            "asked": 1,
        }
        for s in range(seeds)
        for d in doses
        for q in range(questions)
    ]
    for t in thresholds(pl.DataFrame(lines)):
        assert t.status
        assert sentence(t, {"model": "m"}).endswith(".")
        if t.estimate is not None:
            assert t.lower is not None
            assert t.upper is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose": 1.5}, "not between 0 and 1"),
        ({"good": 3}, "not within 0..1"),
        ({"good": float("nan")}, "missing or not a number"),
    ],
)
def test_bad_values_are_named(change: dict[str, float], message: str) -> None:
    line = {"dose": 0.0, "seed": 0, "question": "a", "good": 1.0, "asked": 1, **change}
    with pytest.raises(InputError, match=message):
        thresholds(pl.DataFrame([line]))


def test_a_wrong_column_name_is_named() -> None:
    with pytest.raises(InputError, match="lacks the column 'asked'"):
        thresholds(
            pl.DataFrame({"dose": [0], "seed": [0], "question": ["a"], "good": [1], "n": [1]})
        )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_isotonic_rises_and_keeps_the_mean(values: list[float]) -> None:
    fitted = isotonic(np.array(values), np.ones(len(values)))
    assert (np.diff(fitted) >= -1e-12).all()
    assert fitted.mean() == pytest.approx(np.mean(values))


def test_limits_cover_the_true_dose() -> None:
    """A straight decline from 0.8 to 0.2 crosses 10 points at dose 1/6; 200 studies, 3 seeds."""
    truth = {d: 0.8 - 0.6 * d for d in DOSES}
    rate = np.array(list(truth.values()))[:, None]
    one = to_block(table(truth, questions=60, rng=np.random.default_rng(7)), DOWN)
    below = above = 0
    for i in range(200):
        rng = np.random.default_rng([7, i])
        ease = rng.normal(0, 0.15, 60)
        p = rate + ease - ease.mean() + rng.normal(0, 0.03, (3, len(DOSES), 1))
        good = (rng.random(p.shape) < p).astype(float)
        own = replace(one, rate=good, good=good)
        found = analyse_block(own, DOWN, extras=False).thresholds
        t = pick(found, "benchmark", 0.10)
        below += (t.lower or 0.0) <= 1 / 6
        above += t.upper is None or t.upper >= 1 / 6
    # nominal 0.95 each; three Monte Carlo standard errors are 0.046
    assert below / 200 >= 0.90
    assert above / 200 >= 0.90
