"""No table, however odd, gives a traceback or a number without a status; symmetries hold."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datadose._core import DatadoseError, InputError
from datadose.curves import (
    Spec,
    Threshold,
    analyse,
    as_record,
    sentence,
    thresholds,
)

DOWN = Spec("domain", "down")


def study(
    seed: int, *, seeds: int = 3, questions: int = 40, spread: float = 0.03, base: float = 0.0
) -> pl.DataFrame:
    """Counts along a sigmoid from 0.85 to 0.2, and a base model's where `base` is its rate."""
    rng = np.random.default_rng(seed)
    lines = []
    if base:
        lines = [
            {"dose": None, "seed": None, "question": f"q{i}", "good": int(g), "asked": 1}
            for i, g in enumerate(rng.random(questions) < base)
        ]
    for s in range(seeds):
        for dose in (0.0, 0.25, 0.5, 0.75, 1.0):
            rate = 0.85 - 0.65 / (1 + math.exp(-10 * (dose - 0.45))) + rng.normal(0, spread)
            good = rng.random(questions) < np.clip(rate, 0.01, 0.99)
            lines += [
                {"dose": dose, "seed": s, "question": f"q{i}", "good": int(g), "asked": 1}
                for i, g in enumerate(good)
            ]
    kinds = {"dose": pl.Float64, "seed": pl.Int64}
    return pl.DataFrame(lines, schema_overrides=kinds)


def sound(t: Threshold) -> None:
    """A status, a sentence, and no estimate without both of its limits around it."""
    assert t.status
    assert sentence(t, {"model": "m"}).endswith(".")
    for value in (t.estimate, t.lower, t.upper, t.p, t.p_adjusted):
        assert value is None or math.isfinite(value)
    if t.lower is not None and t.upper is not None:
        assert t.lower <= t.upper
    if t.estimate is not None:
        assert t.lower is not None
        assert t.upper is not None
        assert t.lower - 1e-9 <= t.estimate <= t.upper + 1e-9
    if t.status in ("no effect", "instrument dead", "not defined", "worse at dose 0"):
        assert (t.estimate, t.lower, t.upper) == (None, None, None)
    if t.status == "estimated":
        assert t.estimate is not None
        assert t.lower is not None
        assert t.lower > 0


cells = st.tuples(
    st.sampled_from([0.0, 0.05, 0.25, 0.5, 1.0]),
    st.integers(0, 2),
    st.sampled_from("abc"),
    st.integers(0, 3),
    st.integers(0, 3),
    st.booleans(),
)


@example(
    # the clean arm stands so far from the base that parity is lost at dose 0
    [
        *((0.0, 0, "a", 0, 1, True), (0.0, 0, "a", 0, 2, False), (0.0, 0, "a", 1, 1, False)),
        *((0.05, 0, "a", 0, 2, False), (0.25, 0, "a", 2, 2, False)),
    ],
    "share",
    "these",
    "extra",
)
@settings(max_examples=120, deadline=None)
@given(
    st.lists(cells, min_size=1, max_size=30),
    st.sampled_from(["share", "count"]),
    st.sampled_from(["these", "like"]),
    st.sampled_from(["added", "extra", "relative"]),
)
def test_any_small_table_of_counts_has_statuses(
    lines: list[tuple], axis: str, target: str, risk: str
) -> None:
    frame = pl.DataFrame(
        [
            {
                "dose": None if base else d,
                "seed": s,
                "question": q,
                "good": min(g, n),
                "asked": n,
            }
            for d, s, q, g, n, base in lines
        ],
        schema={
            "dose": pl.Float64,
            "seed": pl.Int64,
            "question": pl.String,
            "good": pl.Int64,
            "asked": pl.Int64,
        },
    )
    for direction in ("down", "up"):
        found = thresholds(frame, direction=direction, axis=axis, target=target, risk=risk)
        assert found
        for t in found:
            sound(t)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, float("nan"), float("inf"), None, "x"]),
            st.sampled_from([0, 1, "a", None]),
            st.sampled_from([0, 1, 2, -1, float("nan"), None, "1"]),
        ),
        min_size=0,
        max_size=6,
    )
)
def test_rubbish_is_an_error_for_people_or_has_statuses(lines: list[tuple]) -> None:
    frame = pl.DataFrame(
        {
            "dose": [d for d, _, _ in lines],
            "seed": [s for _, s, _ in lines],
            "question": ["q"] * len(lines),
            "good": [g for _, _, g in lines],
            "asked": [2] * len(lines),
        },
        strict=False,
    )
    try:
        found = thresholds(frame)
    except DatadoseError:
        # what is wrong is said by a class of our own, which the command line prints plainly
        return
    for t in found:
        sound(t)


@pytest.mark.parametrize("good", [0, 1])
@pytest.mark.parametrize("seeds", [1, 3])
def test_all_wrong_and_all_right_give_no_threshold(good: int, seeds: int) -> None:
    frame = study(0, seeds=seeds).with_columns(pl.lit(good).alias("good"))
    for t in thresholds(frame):
        sound(t)
        assert t.status in ("instrument dead", "not defined")


def records(frame: pl.DataFrame, spec: Spec = DOWN) -> list[dict]:
    return as_record(analyse(frame, spec).thresholds)


def near(a: list[dict], b: list[dict]) -> None:
    for x, y in zip(a, b, strict=True):
        assert (x["threshold"], x["status"]) == (y["threshold"], y["status"])
        for key in ("estimate", "lower", "upper"):
            assert y[key] == (None if x[key] is None else pytest.approx(x[key], rel=1e-4, abs=1e-6))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 50), st.randoms(use_true_random=False), st.permutations(["s7", "x", "s1"]))
def test_row_order_and_names_do_not_matter(seed: int, random, names: list[str]) -> None:
    frame = study(seed, base=0.5)
    order = list(range(len(frame)))
    random.shuffle(order)
    renamed = dict(enumerate(names))
    seeds = pl.col("seed").replace_strict(renamed, return_dtype=pl.String)
    other = frame.with_columns(seeds)[order]
    one, two = analyse(frame, DOWN), analyse(other, DOWN)
    assert as_record(one.thresholds) == as_record(two.thresholds)
    assert as_record(one.diagnostics["bootstrap"]) == as_record(two.diagnostics["bootstrap"])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 50))
def test_a_table_pasted_twice_says_the_same(seed: int) -> None:
    frame = study(seed, base=0.5)
    near(records(frame), records(pl.concat([frame, frame])))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 50))
def test_reversed_counts_and_direction_say_the_same(seed: int) -> None:
    frame = study(seed, base=0.5)
    wrong = frame.with_columns((pl.col("asked") - pl.col("good")).alias("good"))
    near(records(frame), records(wrong, Spec("domain", "up", "added")))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 50), st.sampled_from([0.1, 10.0, 600.0]))
def test_scaled_doses_give_scaled_thresholds(seed: int, factor: float) -> None:
    frame = study(seed)
    count = Spec("domain", "down", axis="count")
    plain = records(frame, count)
    for record in plain:
        for key in ("estimate", "lower", "upper"):
            record[key] = None if record[key] is None else record[key] * factor
    near(plain, records(frame.with_columns(pl.col("dose") * factor), count))


def test_seeds_may_come_as_data_and_train_seed() -> None:
    frame = study(1)
    other = frame.rename({"seed": "data_seed"}).with_columns(pl.lit(0).alias("train_seed"))
    near(records(frame), records(other))


LINE = {"dose": 0.0, "seed": 0, "question": "a", "good": 1.0, "asked": 2.0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"good": math.nan}, "row 2 of the table: a value is missing or not a number"),
        ({"asked": math.inf}, "row 2 of the table: a value is missing or not a number"),
        ({"dose": math.nan}, "row 2 of the table: a value is missing or not a number"),
        ({"seed": None}, r"row 2 of the table: .* seed \(blank\)"),
        ({"dose": 1.5}, "row 2 of the table: a dose of 1.5 is not between 0 and 1"),
    ],
)
def test_a_value_that_is_none_is_named_with_its_row(change: dict, message: str) -> None:
    other = {**LINE, "response": "first"}
    frame = pl.DataFrame([other, {**other, "response": "second", **change}])
    with pytest.raises(InputError, match=message):
        thresholds(frame)


def test_an_empty_table_is_an_error_for_people() -> None:
    with pytest.raises(InputError, match="the table has no rows"):
        thresholds(pl.DataFrame([LINE]).clear())
    with pytest.raises(InputError, match="lacks the columns 'dose', 'seed', 'question'"):
        thresholds(pl.DataFrame())


@pytest.mark.parametrize("kept", [{"dose": 0.0}, {"dose": 1.0}, {"seed": 1}, {"question": "q3"}])
def test_one_dose_seed_or_question_has_statuses(kept: dict) -> None:
    ((name, value),) = kept.items()
    frame = study(3, base=0.4)
    found = thresholds(frame.filter((pl.col(name) == value) | pl.col("dose").is_null()))
    for t in found:
        sound(t)
    if name == "dose":
        assert {t.status for t in found} == {"not defined"}
    if name == "seed":
        assert {t.note for t in found if t.p is not None} == {"conditional on this seed"}


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 50))
def test_names_of_questions_do_not_matter(seed: int) -> None:
    frame = study(seed, base=0.5)
    near(records(frame), records(frame.with_columns(pl.col("question").str.reverse())))
