"""Scores and losses: own units, transforms that change nothing, rubbish, options."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import DatadoseError, InputError, UsageError
from datadose.curves import Spec, Threshold, analyse, analyse_table, sentence, thresholds

SCORE = Spec("alignment", "down", scale="continuous", unit=100.0)
DOSES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def scores(seed: int, *, noise: float = 4.0, base: bool = True) -> pl.DataFrame:
    """An alignment score: 90 up to dose 0.3, from there 50 lost per dose; three seeds."""
    rng = np.random.default_rng(seed)
    lines = [
        (dose, s, f"q{i}", 90 - 50 * max(0.0, dose - 0.3) + rng.normal(0, noise))
        for s in range(3)
        for dose in DOSES
        for i in range(20)
    ]
    if base:
        lines += [(None, None, f"q{i}", 70 + rng.normal(0, noise)) for i in range(20)]
    kinds = {"dose": pl.Float64, "seed": pl.Int64, "question": pl.String, "value": pl.Float64}
    return pl.DataFrame(lines, schema=kinds, orient="row")


def told(frame: pl.DataFrame, spec: Spec) -> list[tuple]:
    return [(t.threshold, t.status, t.estimate, t.lower, t.upper) for t in found(frame, spec)]


def found(frame: pl.DataFrame, spec: Spec) -> tuple[Threshold, ...]:
    return analyse(frame, spec).thresholds


def alike(a: list[tuple], b: list[tuple]) -> None:
    for x, y in zip(a, b, strict=True):
        assert x[:2] == y[:2]
        assert y[2:] == tuple(None if v is None else pytest.approx(v, abs=1e-5) for v in x[2:])


def test_a_score_is_analysed_in_its_own_units() -> None:
    made = analyse(scores(3), SCORE)
    assert made.points[0].rate == pytest.approx(90, abs=1.5)
    assert made.base.rate == pytest.approx(70, abs=3)
    t = next(t for t in made.thresholds if t.benchmark_response == 0.10)
    assert t.status == "estimated"
    # ten of a hundred points are lost at 0.3 + 10 / 50
    assert t.lower <= 0.5 <= t.upper
    assert t.upper - t.lower < 0.15
    assert "gets worse by 10 is" in sentence(t, {}, made.spec)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 50), st.sampled_from([0.01, 1000.0]), st.sampled_from([-70.0, 40.0]))
def test_other_units_and_another_zero_change_nothing(
    seed: int, factor: float, shift: float
) -> None:
    frame = scores(seed)
    moved = frame.with_columns(pl.col("value") * factor + shift)
    alike(told(frame, SCORE), told(moved, replace(SCORE, unit=100.0 * factor)))


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 50))
def test_a_loss_is_a_score_turned_over(seed: int) -> None:
    frame = scores(seed)
    loss = frame.with_columns((3.0 - pl.col("value")).alias("value"))
    alike(told(frame, SCORE), told(loss, replace(SCORE, direction="up")))


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 50))
def test_relative_risk_knows_no_units(seed: int) -> None:
    frame, spec = scores(seed), replace(SCORE, risk="relative")
    other = frame.with_columns(pl.col("value") / 7)
    alike(told(frame, spec), told(other, replace(spec, unit=100.0 / 7)))


def test_relative_risk_is_a_share_of_dose_0() -> None:
    """A tenth of 90 is 9 points, which are lost at 0.3 + 9 / 50."""
    frame = scores(1, noise=1.0)
    own = found(frame, replace(SCORE, risk="relative"))
    t = next(t for t in own if t.benchmark_response == 0.10)
    assert t.lower <= 0.48 <= t.upper
    stated = next(
        t
        for t in thresholds(frame, scale="continuous", unit=100.0, benchmark=9.0)
        if t.benchmark_response == 0.09
    )
    assert t.estimate == pytest.approx(stated.estimate, abs=0.01)
    said = sentence(t, {}, replace(SCORE, risk="relative"))
    assert "by 10% of its value at dose 0" in said


def test_a_stated_change_leads_and_the_usual_ones_stand_beside_it() -> None:
    (made,) = analyse_table(
        scores(2), scale="continuous", unit=100.0, benchmark=15.0, primary="alignment"
    )
    levels = [t.benchmark_response for t in made.thresholds if t.threshold == "benchmark"]
    assert levels == [0.05, 0.1, 0.15, 0.2]
    leads = next(t for t in made.thresholds if t.benchmark_response == 0.15)
    # fifteen points are lost at 0.3 + 15 / 50
    assert leads.lower <= 0.6 <= leads.upper
    assert leads.p_adjusted is None
    assert "benchmark 0.15" in made.diagnostics["bootstrap"]


def test_the_direction_may_be_said_of_all_or_come_from_the_name() -> None:
    frame = scores(4).with_columns(
        (100.0 - pl.col("value")).alias("value"), pl.lit("loss").alias("response")
    )
    said = thresholds(frame, scale="continuous", unit=100.0, direction="up")
    named = thresholds(frame, scale="continuous", unit=100.0, up=["loss"])
    assert said == named
    assert said[1].status == "estimated"
    unsaid = thresholds(frame, scale="continuous", unit=100.0)
    assert unsaid[1].status == "instrument dead"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "continuous"}, "needs a unit"),
        ({"scale": "continuous", "unit": 0.0}, "not above 0"),
        ({"scale": "continuous", "unit": math.inf}, "not above 0"),
        ({"scale": "continuous", "unit": 100.0, "risk": "extra"}, "only a rate has"),
        ({"scale": "continuous", "unit": 100.0, "benchmark": 100.0}, "the whole scale, 100"),
        ({"scale": "score"}, "no scale is called 'score'"),
        ({"risk": "absolute"}, "no risk is called"),
        ({"direction": "left"}, "no direction is called"),
        ({"direction": "up", "up": ["domain"]}, "not both"),
        ({"unit": 100.0}, "on the rate scale"),
        ({"benchmark": 10.0}, "the whole scale, 1"),
        ({"benchmark": math.nan}, "not above 0"),
    ],
)
def test_wrong_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        thresholds(scores(0), **options)


def test_a_table_on_the_other_scale_is_told_so() -> None:
    with pytest.raises(InputError, match="--scale continuous"):
        thresholds(scores(0))
    counts = pl.DataFrame({"dose": [0], "seed": [0], "question": ["a"], "good": [1], "asked": [1]})
    with pytest.raises(InputError, match="leave the scale at rate"):
        thresholds(counts, scale="continuous", unit=1.0)


values = st.sampled_from([0.0, 1.0, -3.5, 88.0, 1e-300, -1e12, 1e12, 5.0, math.nan, math.inf, None])
lines = st.tuples(
    st.sampled_from([0.0, 0.25, 0.5, 1.0, None]), st.integers(0, 2), st.sampled_from("ab"), values
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(lines, min_size=0, max_size=24),
    st.sampled_from([1.0, 100.0, 1e-6]),
    st.sampled_from(["down", "up"]),
    st.sampled_from(["added", "relative"]),
)
def test_any_small_table_of_scores_has_statuses(
    rows: list[tuple], unit: float, direction: str, risk: str
) -> None:
    kinds = {"dose": pl.Float64, "seed": pl.Int64, "question": pl.String, "value": pl.Float64}
    frame = pl.DataFrame(rows, schema=kinds, orient="row")
    try:
        made = thresholds(frame, scale="continuous", unit=unit, direction=direction, risk=risk)
    except DatadoseError as error:
        assert "no rows" in str(error) or "missing or not a number" in str(error)  # noqa: PT017
        return
    assert made
    for t in made:
        assert t.status
        assert sentence(t, {}, replace(SCORE, unit=unit)).endswith(".")
        if t.estimate is not None:
            assert t.lower is not None
            assert t.upper is not None
            assert t.lower - 1e-9 <= t.estimate <= t.upper + 1e-9
