"""How wide a threshold's interval is expected to be after more arms.

Every curve that the data leave standing is a possible truth. If one of them is true, a new arm adds
to the chi-square of every other, by how far the two stand apart there; those that are then out of
reach are gone. The expected width is the mean, over truths by weight, of the range of thresholds
among the curves that would remain (the noise of the new answers is left out).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._means import LEAST_SPREAD, SHIFT_SD, SHIFT_WEIGHT, satterthwaite
from datadose.curves._profile import Profile, inflation
from datadose.curves._student import t_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Arms = tuple[tuple[float, int], ...]
"""Arms as dose and number of the seed."""

CURVES, TRUTHS, BINS = 300, 32, 24
NODES = (-0.8, 0.0, 0.8)


@dataclass(frozen=True)
class Members:
    """Curves that are within reach, [M]: threshold, chi-square above the best, weight, values.

    value: [X, M] at the doses `dose` [X], larger being worse.
    """

    dose: Array
    place: Array
    excess: Array
    weight: Array
    value: Array


@dataclass(frozen=True)
class Noise:
    """Variances of an arm's mean at the doses `dose` [X], and what they rest on.

    rest: of the arm alone; seed: shared by a whole seed; along: [X], square root of what a seed's
    shift along the dose gives, signed. freedom: degrees of freedom of the rest.
    """

    dose: Array
    rest: Array
    seed: float
    along: Array
    freedom: float
    level: float


def members(fitted: Profile, place: Array, dose: Array) -> Members:
    """At most 3 x CURVES + 1 of the kept curves at `dose`, the outermost among them.

    place: threshold of every kept shape at NODES of its change, [len(NODES), K], in units of the
    top dose.
    """
    p = fitted
    middle = place[1]
    order = np.argsort(middle, kind="stable")
    step = max(1, len(order) // (CURVES // 2))
    heavy = np.argsort(-p.weight, kind="stable")[: CURVES // 2]
    outer = [int(a) for row in place for a in (row.argmin(), row.argmax())]
    pick = np.unique(np.concatenate([order[::step], heavy, np.array(outer, dtype=np.int64)]))
    # what is left out hands its weight to those around it
    own = np.zeros(len(pick))
    at = np.searchsorted(middle[order], middle[pick])
    nearest = np.argsort(at, kind="stable")
    edges = np.searchsorted(at[nearest], np.arange(len(order)), side="right") - 1
    np.add.at(own, nearest[np.maximum(edges, 0)], p.weight[order])
    rise = p.shapes.risen(p.kept[pick], dose / p.top)
    left = np.maximum(p.reach - (p.chi[p.kept[pick]] - p.best), 0.0)
    found = []
    for row, z in enumerate(NODES):
        away = z * np.sqrt(left)
        change = p.change[pick] + away * np.sqrt(p.change_variance[pick])
        level = p.level[pick] + away * p.covariance[pick] / np.sqrt(p.change_variance[pick])
        excess = p.chi[p.kept[pick]] - p.best + away**2
        weight = own * np.exp(-(away**2) / 2)
        found.append((place[row, pick], excess, weight, level + rise * change))
    places, excess, weight = (np.concatenate([f[i] for f in found]) for i in range(3))
    value = np.concatenate([f[3] for f in found], axis=1)
    if p.flat_kept:
        flat = np.linalg.solve(p.means.cov, np.ones(len(p.means.worse)))
        mean = float(flat @ p.means.worse / flat.sum())
        places, excess = np.append(places, 1.0), np.append(excess, p.flat - p.best)
        weight = np.append(weight, 0.0)
        value = np.concatenate([value, np.full((len(dose), 1), mean)], axis=1)
    return Members(dose, np.clip(places, 0.0, 1.0) * p.top, excess, weight / weight.sum(), value)


def noise(fitted: Profile, curves: Members, level: float, *, rate: bool) -> Noise:
    """Variances at the doses of `curves`, by the averaged curve and the estimated components."""
    mean = curves.value @ curves.weight
    parts, means = fitted.means.parts, fitted.means
    dose = curves.dose
    spread = np.ones(len(dose))
    if rate:
        p = np.clip(np.abs(mean), 0.0, 1.0)
        spread = np.maximum(p * (1 - p), LEAST_SPREAD)
    along = dose * np.gradient(mean, dose) if len(dose) > 2 else np.zeros(len(dose))
    if parts is None:
        # questions of one seed: their variance stands in for that of arms
        rest = np.interp(dose, means.doses, np.diag(means.cov))
        return Noise(dose, rest, 0.0, along * SHIFT_SD, means.freedom, level)
    rest = np.maximum(parts.rest * spread, 1e-9)
    return Noise(dose, rest, parts.seed, along * parts.shift**0.5, parts.freedom, level)


class Expectation:
    """The expected width after arms that are added one step after another."""

    def __init__(self, curves: Members, spread: Noise, arms: Sequence[tuple[float, int]]) -> None:
        self.curves, self.noise, self.arms = curves, spread, list(arms)
        self.excess = curves.excess.copy()
        total = np.cumsum(curves.weight)
        marks = (np.arange(TRUTHS) + 0.5) / TRUTHS * total[-1]
        self.truths = np.unique(np.searchsorted(total, marks))
        self.truth_weight = curves.weight[self.truths] / curves.weight[self.truths].sum()
        self.place_of = {round(float(d), 9): i for i, d in enumerate(curves.dose)}

    def at(self, dose: float) -> int:
        return self.place_of[round(dose, 9)]

    def reach(self, arms: Sequence[tuple[float, int]]) -> float:
        """Chi-square above the best within which a curve is kept, once `arms` are all there."""
        doses = {d for d, _ in arms}
        top = float(self.curves.dose[-1])
        return (
            inflation(len([d for d in doses if d <= top]))
            * t_quantile(self.noise.level, self.freedom(arms)) ** 2
        )

    def freedom(self, arms: Sequence[tuple[float, int]]) -> float:
        """Degrees of freedom of differences between doses, as in `arm_means`."""
        doses, seeds = {d for d, _ in arms}, {s for _, s in arms}
        rest = len(arms) - len(doses) - len(seeds) + 1
        by_seed = len(seeds) - 1
        if rest < 1:
            return self.noise.freedom if by_seed == 0 else 1.0
        rest = rest - by_seed if rest - by_seed >= 1 else rest
        used = [self.at(d) for d in doses if round(d, 9) in self.place_of]
        return satterthwaite(
            (float(self.noise.rest[used].mean()), float(rest)),
            (float((self.noise.along[used] ** 2).mean()), by_seed + SHIFT_WEIGHT),
        )

    def added(self, new: Arms) -> Array:
        """Chi-square that `new` arms add to each curve under each truth, [T, M]."""
        seeds = sorted({s for _, s in new})
        parts = [self._of_seed(seed, [d for d, s in new if s == seed]) for seed in seeds]
        return np.asarray(np.sum(parts, axis=0))

    def _of_seed(self, seed: int, doses: Sequence[float]) -> Array:
        n, value = self.noise, self.curves.value
        at = [self.at(d) for d in doses]
        old = [self.at(d) for d, s in self.arms if s == seed and round(d, 9) in self.place_of]
        every = [*old, *at]
        cov = n.seed + np.outer(n.along[every], n.along[every]) + np.diag(n.rest[every])
        k = len(old)
        part = cov[k:, k:]
        seen = value[at]
        if k:
            pull = np.linalg.solve(cov[:k, :k], cov[:k, k:]).T
            part = part - pull @ cov[:k, k:]
            seen = seen - pull @ value[old]
        white = np.linalg.solve(np.linalg.cholesky(part), seen)
        apart = white[:, None, :] - white[:, self.truths, None]
        return np.asarray((apart**2).sum(axis=0))

    def width(self, new: Arms = ()) -> float:
        """Expected width of the interval, in doses, with `new` arms added."""
        excess = self._after(new)
        reach = self.reach([*self.arms, *new])
        kept = excess <= reach
        place = self.curves.place
        high = np.where(kept, place, -np.inf).max(axis=1)
        low = np.where(kept, place, np.inf).min(axis=1)
        return (
            float(self.truth_weight[: len(high)] @ (high - low)) if new else float(high[0] - low[0])
        )

    def _after(self, new: Arms) -> Array:
        if not new:
            return np.asarray(self.excess[None, :] - self.excess.min())
        excess = self.excess + self.added(new)
        return np.asarray(excess - excess.min(axis=1, keepdims=True))

    def take(self, new: Arms) -> None:
        """Go on as if `new` arms had been run, with what they are expected to rule out."""
        self.excess = np.asarray(self.truth_weight @ self._after(new))
        self.arms += list(new)


def levelled(curves: Members) -> Members:
    """The same curves, half of their weight spread over the threshold's range.

    The library is denser at some places than at others, which says nothing of the truth. That half
    gives each of BINS equal parts of the range the likelihood of its best curve, shared out within
    the part as before.
    """
    inside = curves.weight > 0
    low, high = float(curves.place[inside].min()), float(curves.place[inside].max())
    if not high > low:
        return curves
    part = np.clip(((curves.place - low) / (high - low) * BINS).astype(int), 0, BINS - 1)
    even = np.zeros(len(part))
    for number in np.unique(part[inside]):
        own = inside & (part == number)
        best = np.exp(-float(curves.excess[own].min()) / 2)
        even[own] = best * curves.weight[own] / curves.weight[own].sum()
    return replace(curves, weight=(curves.weight + even / even.sum()) / 2)


def reweighed(curves: Members, rate: Array, spread: float) -> Members:
    """The same curves with other weights: a predicted curve as prior.

    rate: predicted change from dose 0 at `curves.dose`, larger being worse; spread: how far off it
    may be (one standard deviation). Only the choice of the next dose changes, never the limits.
    """
    change = curves.value - curves.value[0]
    off = ((change - (rate - rate[0])[:, None]) ** 2).mean(axis=0) / spread**2
    weight = curves.weight * np.exp(-(off - off.min()) / 2)
    total = weight.sum()
    return curves if not total > 0 else replace(curves, weight=weight / total)
