"""What is drawn and listed beside the thresholds: points, curves, families, units."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from datadose.curves._blocks import Block
from datadose.curves._fits import GRID, monotone_curve
from datadose.curves._means import Means, arm_means
from datadose.curves._profile import Profile, band
from datadose.curves._shapes import FAMILIES
from datadose.curves._student import t_quantile
from datadose.curves._types import Analysis, Curve, Point, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def points_of(block: Block, spec: Spec) -> tuple[Point, ...]:
    """Pooled rate of every dose, with limits over seeds and question clusters."""
    means = arm_means(block, replace(spec, target="like these"))
    sign = 1.0 if spec.direction == "up" else -1.0
    reach = t_quantile(spec.level, means.level_freedom) * np.sqrt(np.diag(means.cov))
    ran = np.asarray((~np.isnan(block.rate)).any(axis=2))
    made = []
    for i, dose in enumerate(means.doses):
        j = int(np.flatnonzero(block.doses == dose)[0])
        rate = sign * float(means.worse[i])
        low, high = _bounded(rate, float(reach[i]), len(np.unique(block.clusters)), spec)
        made.append(
            Point(
                float(dose),
                rate,
                low,
                high,
                round(float(block.good[:, j].sum())),
                round(float(block.asked[:, j].sum())),
                int(ran[:, j].sum()),
            )
        )
    return tuple(made)


def _bounded(rate: float, reach: float, clusters: int, spec: Spec) -> tuple[float, float]:
    """Limits of a rate within 0 and 1; at 0 and 1 those of Wilson 1927 over clusters."""
    if spec.scale == "continuous":
        return rate - reach, rate + reach
    if rate <= 0.0 or rate >= 1.0:
        z = float(stats.norm.ppf(spec.level))
        away = z * z / (clusters + z * z)
        return (0.0, away) if rate <= 0.0 else (1.0 - away, 1.0)
    return max(0.0, rate - reach), min(1.0, rate + reach)


def base_point(block: Block, spec: Spec) -> Point | None:
    known = ~np.isnan(block.base)
    if not known.any():
        return None
    one = Block(
        doses=np.zeros(1),
        seeds=("base",),
        rate=block.base[None, None, known],
        base=block.base[known],
        clusters=block.clusters[known],
        good=block.base[None, None, known],
        asked=np.ones((1, 1, int(known.sum()))),
    )
    return replace(points_of(one, spec)[0], dose=-1.0)


def curves_of(
    points: tuple[Point, ...], means: Means, fitted: Profile | None, spec: Spec
) -> tuple[Curve, ...]:
    rates = np.array([p.rate for p in points])
    weights = 1 / np.maximum(np.diag(means.cov), 1e-18)
    monotone = monotone_curve(means.doses, rates, weights, spec.direction == "up")
    if fitted is None:
        return (monotone,)
    grid = np.linspace(0.0, float(means.doses[-1]), GRID)
    value, low, high = band(fitted, grid)
    if spec.direction == "down":
        value, low, high = -value, -high, -low
    if spec.scale == "rate":
        value, low, high = (np.clip(v, 0.0, 1.0) for v in (value, low, high))
    places, rates_there, lows, highs = (tuple(map(float, v)) for v in (grid, value, low, high))
    averaged = Curve("averaged", places, rates_there, lows, highs)
    return (averaged, monotone)


def families(fitted: Profile, ratio: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Best member of every family: its fit, weight and benchmark dose, or why it has none."""
    p = fitted
    made = []
    for number, name in enumerate(FAMILIES):
        own = np.flatnonzero(p.shapes.family[p.kept] == number)
        if not len(own):
            made.append({"family": name, "weight": 0.0, "failure": "ruled out by the data"})
            continue
        k = own[int(p.chi[p.kept[own]].argmin())]
        fraction, constant, slope = ratio
        rise = fraction * (constant + slope * p.level[k]) / p.change[k]
        reached = 0 < rise <= p.shapes.rise[-1, p.kept[k]]
        at = p.shapes.reach(p.kept[[k]], np.array([rise]))[0] * p.top if reached else None
        made.append(
            {
                "family": name,
                "chi_square": float(p.chi[p.kept[k]]),
                "weight": float(p.weight[own].sum()),
                "place": float(p.shapes.place[p.kept[k]]) * p.top,
                "benchmark": None if at is None else float(at),
                "failure": "" if reached else "does not reach the benchmark response",
            }
        )
    made.append(
        {
            "family": "flat",
            "chi_square": p.flat,
            "failure": "" if p.flat_kept else "ruled out by the data",
        }
    )
    return made


def in_units(found: Analysis) -> Analysis:
    """Values of a continuous response back in the table's own units."""
    unit = found.spec.unit
    if found.spec.scale == "rate" or unit == 1.0:
        return found

    def point(p: Point) -> Point:
        return replace(p, rate=p.rate * unit, lower=p.lower * unit, upper=p.upper * unit)

    def curve(c: Curve) -> Curve:
        ends = [None if v is None else tuple(x * unit for x in v) for v in (c.lower, c.upper)]
        return replace(c, rate=tuple(x * unit for x in c.rate), lower=ends[0], upper=ends[1])

    return replace(
        found,
        points=tuple(map(point, found.points)),
        base=None if found.base is None else point(found.base),
        curves=tuple(map(curve, found.curves)),
    )
