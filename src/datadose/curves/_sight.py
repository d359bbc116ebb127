"""The threshold that is aimed at, and where every curve that the data leave standing puts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from datadose._core import InputError
from datadose.curves._blocks import Block
from datadose.curves._contrasts import KEEP, peak
from datadose.curves._expect import NODES
from datadose.curves._means import Means, arm_means, oriented
from datadose.curves._profile import Limits, Profile, profile, ratio_limits, turn_limits
from datadose.curves._types import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Named = Literal["benchmark", "recovery", "ed50", "parity"]


@dataclass(frozen=True)
class Aim:
    """The threshold whose interval is to shrink, and when to stop.

    width: stop when the interval is as narrow. budget: the most arms, those run so far included.
    """

    threshold: Named = "benchmark"
    benchmark: float = 0.10
    width: float | None = None
    budget: int | None = None


@dataclass(frozen=True)
class Sight:
    """The profile that a threshold is read from, its limits, and its place for every shape."""

    fitted: Profile
    limits: Limits
    place: Array
    level: float


def sight(block: Block, spec: Spec, aim: Aim) -> Sight:
    worse = oriented(block, spec)
    if aim.threshold == "parity":
        base = block.base if spec.direction == "up" else -block.base
        if np.isnan(base).all():
            raise InputError(
                "the parity dose needs the base model's answers",
                next_step="add lines with base = true, or aim at another threshold",
            )
        gap = arm_means(block, spec, worse - base)
        return _ratio_sight(_cut(gap), spec, (1.0, spec.margin, -1.0), gap.level_freedom)
    means = arm_means(block, spec)
    if aim.threshold == "benchmark":
        cut = _cut(means)
        return _ratio_sight(cut, spec, _ratio(spec, cut, aim.benchmark), cut.freedom)
    share = round(1 - KEEP, 9) if aim.threshold == "recovery" else 0.5
    fitted = profile(means, spec.level)
    place = np.tile(fitted.shapes.turns[share][fitted.kept], (len(NODES), 1))
    return Sight(fitted, turn_limits(fitted, share), place, spec.level)


def _cut(means: Means) -> Means:
    at = peak(means)
    return means if at is None else means.cut(at)


def _ratio(spec: Spec, means: Means, fraction: float) -> tuple[float, float, float]:
    if spec.risk == "added":
        return fraction, 1.0, 0.0
    if spec.risk == "extra" and spec.direction == "up":
        return fraction, 1.0, -1.0
    return fraction, 0.0, (1.0 if means.worse[0] > 0 else -1.0)


def _ratio_sight(
    means: Means, spec: Spec, ratio: tuple[float, float, float], freedom: float
) -> Sight:
    p = profile(means, spec.level, freedom=freedom)
    fraction, constant, slope = ratio
    most = 1.0 if spec.scale == "rate" else np.inf
    limits = ratio_limits(p, fraction, constant, slope, most=most)
    whole = p.shapes.rise[-1, p.kept]
    left = np.sqrt(np.maximum(p.reach - (p.chi[p.kept] - p.best), 0.0))
    place = np.ones((len(NODES), len(p.kept)))
    for row, z in enumerate(NODES):
        change = p.change + z * left * np.sqrt(p.change_variance)
        level = p.level + z * left * p.covariance / np.sqrt(p.change_variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            rise = np.where(change > 0, fraction * (constant + slope * level) / change, np.inf)
        hit = rise <= whole
        place[row, hit] = p.shapes.reach(p.kept[hit], np.maximum(rise[hit], 0.0))
    return Sight(p, limits, place, spec.level)
