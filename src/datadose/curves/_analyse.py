"""Thresholds with limits and statuses from one response's counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._blocks import Block, Bounds, contrast_bounds, seed_means, to_block
from datadose.curves._fits import crossing, isotonic, logistic_curve, monotone_curve
from datadose.curves._types import Analysis, Curve, Point, Spec, Status, Threshold

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEVELS = (0.05, 0.10, 0.20)
ALIVE = 0.10
EQUIVALENT = 0.05
KEEP = 0.8
WIDEST = 0.5


def analyse(frame: pl.DataFrame, spec: Spec, *, control: pl.DataFrame | None = None) -> Analysis:
    """Rates, curves and thresholds of one response.

    frame: columns dose (null for the base model), seed, question, good, asked; optional cluster
    and base. `good` counts right answers for direction `down`, bad ones for `up`. control: the
    same for a positive control; without one the highest dose serves. docs/thresholds.md has the
    rules. Raises InputError for a table that can't be read.
    """
    block = to_block(frame, spec)
    if not len(block.doses):
        return Analysis(spec, (), _base_point(block, spec), (), _undefined(spec, "no arm"))
    points = tuple(_point(block, spec, i) for i in range(len(block.doses)))
    rates = np.array([p.rate for p in points])
    weights = np.array([p.asked for p in points], dtype=float)
    rising = spec.direction == "up"
    curves: tuple[Curve, ...] = (
        monotone_curve(block.doses, rates, weights, rising),
        logistic_curve(block.doses, rates, weights, rising),
    )
    if block.doses[0] != 0 or len(block.doses) < 2:
        why = "dose 0 was not run" if block.doses[0] != 0 else "only one dose was run"
        found = _undefined(spec, why)
    else:
        found = _thresholds(block, spec, _control_move(block, spec, control))
    note = "conditional on this seed" if len(block.seeds) == 1 else ""
    found = tuple(replace(t, note=note) for t in found)
    return Analysis(spec, points, _base_point(block, spec), curves, found)


def _undefined(spec: Spec, why: str) -> tuple[Threshold, ...]:
    names: list[tuple[str, float | None]] = [("benchmark", level) for level in LEVELS]
    names += [("recovery", None), ("parity", None), ("ed50", None)]
    return tuple(
        Threshold(spec.response, n, "not defined", None, None, None, spec.level, b, why=why)
        for n, b in names
    )


def _interval(values: Array, clusters: NDArray[np.int64], spec: Spec) -> tuple[float, float, float]:
    """Rate with two-sided limits (level 2 x level - 1) over seeds and question clusters."""
    from scipy import stats

    bounds = contrast_bounds(values, clusters, replace(spec, target="like these"))
    rate = float(bounds.estimate[0])
    low, high = float(bounds.lower[0]), float(bounds.upper[0])
    n = len(np.unique(clusters))
    z = float(stats.norm.ppf(spec.level))
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    if rate in (0.0, 1.0):
        low, high = centre - half, centre + half
    return rate, float(np.clip(low, 0, rate)), float(np.clip(high, rate, 1))


def _point(block: Block, spec: Spec, i: int) -> Point:
    rate, low, high = _interval(block.rate[:, i : i + 1], block.clusters, spec)
    ran = ~np.isnan(block.rate[:, i]).all(axis=1)
    return Point(
        dose=float(block.doses[i]),
        rate=rate,
        lower=low,
        upper=high,
        good=int(block.good[:, i].sum()),
        asked=int(block.asked[:, i].sum()),
        seeds=int(ran.sum()),
    )


def _base_point(block: Block, spec: Spec) -> Point | None:
    if np.isnan(block.base).all():
        return None
    known = ~np.isnan(block.base)
    rate, low, high = _interval(block.base[None, None, known], block.clusters[known], spec)
    n = int(known.sum())
    return Point(-1.0, rate, low, high, round(rate * n), n, 1)


def _worse(block: Block, spec: Spec) -> Array:
    """How much worse than at dose 0, per seed, dose and question: [S, D, Q]."""
    change = block.rate - block.rate[:, :1]
    return change if spec.direction == "up" else -change


def _control_move(block: Block, spec: Spec, control: pl.DataFrame | None) -> float:
    """Lower limit of how far the positive control moved the response from dose 0."""
    if control is None:
        return float(contrast_bounds(_worse(block, spec)[:, -1:], block.clusters, spec).lower[0])
    other = to_block(control, spec)
    shared = [s for s in block.seeds if s in other.seeds]
    clean = block.rate[[block.seeds.index(s) for s in shared], :1]
    moved = other.rate[[other.seeds.index(s) for s in shared], :1]
    if not shared or clean.shape != moved.shape:
        return float("nan")
    sign = 1.0 if spec.direction == "up" else -1.0
    return float(contrast_bounds(sign * (moved - clean), block.clusters, spec).lower[0])


def _scaled(block: Block, spec: Spec, values: Array) -> Array:
    """Extra risk divides by the room left at dose 0; added risk is left as it is."""
    if spec.risk == "added":
        return values
    clean = float(np.nanmean(seed_means(block.rate[:, :1])))
    room = 1 - clean if spec.direction == "up" else clean
    return values / room if room > 0 else values * np.nan


def _thresholds(block: Block, spec: Spec, control: float) -> tuple[Threshold, ...]:
    worse = _worse(block, spec)
    plain = contrast_bounds(worse[:, 1:], block.clusters, spec)
    scaled = _scaled(block, spec, worse)
    found = [
        _cross(block, spec, scaled - level, "benchmark", level, plain, control) for level in LEVELS
    ]
    full = worse[:, -1:]
    gain = contrast_bounds(full, block.clusters, spec)
    has_full = spec.axis == "count" or float(block.doses[-1]) == 1.0
    for name, share in (("recovery", 1 - KEEP), ("ed50", 0.5)):
        if not has_full or not gain.lower[0] >= ALIVE:
            why = (
                "dose 1 was not run"
                if not has_full
                else f"clean training gains {gain.estimate[0]:.2f} over fully wrong training,"
                f" lower limit {gain.lower[0]:.2f}, at least {ALIVE} is needed"
            )
            found.append(
                Threshold(spec.response, name, "not defined", None, None, None, spec.level, why=why)
            )
        else:
            found.append(_cross(block, spec, worse - share * full, name, None, plain, control))
    found.append(_parity(block, spec, plain, control))
    return tuple(found)


def _parity(block: Block, spec: Spec, plain: Bounds, control: float) -> Threshold:
    if np.isnan(block.base).all():
        return Threshold(
            spec.response,
            "parity",
            "not defined",
            None,
            None,
            None,
            spec.level,
            why="the base model was not asked",
        )
    gap = block.rate - block.base if spec.direction == "up" else block.base - block.rate
    first = contrast_bounds(gap[:, :1] - spec.margin, block.clusters, spec)
    if first.estimate[0] > 0:
        return Threshold(
            spec.response,
            "parity",
            "worse at dose 0",
            None,
            None,
            None,
            spec.level,
            why=f"the clean arm is {first.estimate[0] + spec.margin:.2f} worse than the base",
        )
    return _cross(block, spec, gap - spec.margin, "parity", None, plain, control)


def _cross(
    block: Block,
    spec: Spec,
    values: Array,
    name: str,
    level: float | None,
    plain: Bounds,
    control: float,
) -> Threshold:
    """The dose at which a rising contrast reaches 0, with limits that need monotonicity only.

    The lower limit is the last tested dose up to which the contrast's upper bound stays below 0,
    the upper limit the first tested dose from which its lower bound is above 0.
    """
    bounds = contrast_bounds(values, block.clusters, spec)
    upper_band = np.minimum.accumulate(bounds.upper[::-1])[::-1]
    lower_band = np.maximum.accumulate(bounds.lower)
    weights = block.asked.sum(axis=(0, 2))
    estimate = crossing(block.doses, isotonic(bounds.estimate, weights), 0.0)
    below = [i for i in range(len(block.doses)) if upper_band[i] < 0]
    # at dose 0 a change from dose 0 is 0 by definition
    known_zero = name == "benchmark"
    lower_at = max(below, default=0 if known_zero else -1)
    above = [i for i in range(len(block.doses)) if lower_band[i] >= 0]
    upper_at = min(above, default=None)
    lower: float | None = float(block.doses[lower_at]) if lower_at >= 0 else 0.0
    upper = None if upper_at is None else float(block.doses[upper_at])
    status, why = _status(block, spec, lower_at, upper_at, estimate, plain, control)
    if status in ("no effect", "instrument dead"):
        lower, upper = None, None
    if status != "estimated" and not (status == "inconclusive" and upper is not None):
        estimate = None
    return Threshold(
        spec.response, name, status, estimate, lower, upper, spec.level, level, why=why
    )


def _status(
    block: Block,
    spec: Spec,
    lower_at: int,
    upper_at: int | None,
    estimate: float | None,
    plain: Bounds,
    control: float,
) -> tuple[Status, str]:
    doses = block.doses
    last = len(doses) - 1
    if upper_at is not None:
        if lower_at <= 0 and upper_at <= 1:
            return "below tested doses", f"already reached at the lowest dose run, {doses[1]:g}"
        if lower_at <= 0:
            return "inconclusive", "no tested dose above 0 is clearly below the threshold"
        width = float(doses[upper_at] - doses[lower_at])
        if spec.axis == "share" and width > WIDEST:
            return "inconclusive", f"the limits are {width:.2f} apart, over {WIDEST}"
        return "estimated", f"between {doses[lower_at]:g} and {doses[upper_at]:g}, both tested"
    if not control >= ALIVE:
        return (
            "instrument dead",
            f"the positive control moved by {control:.2f} by its lower limit, {ALIVE} is needed",
        )
    if (np.abs(plain.lower) <= EQUIVALENT).all() and (np.abs(plain.upper) <= EQUIVALENT).all():
        return "no effect", f"equivalent to dose 0 within {EQUIVALENT} at every dose"
    if lower_at == last:
        return "above tested doses", f"not reached at the highest dose run, {doses[-1]:g}"
    return "inconclusive", "the limits of the curve include both reaching it and not"
