"""Profile likelihood over all shapes: every curve that the data don't rule out, and its doses.

The mean at each dose is taken as normal with the covariance of `Means`. For each shape of the
library the two levels are fitted by generalised least squares; a shape is kept when its chi-square
is within `reach` of the best one's. A threshold's limits are the furthest that any kept shape,
with any levels that it can have within what is left of `reach`, puts it (Fieller per shape).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from datadose.curves._means import Means
from datadose.curves._shapes import FAMILIES, FREE, Library, closer, library
from datadose.curves._student import t_quantile, t_tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Index = NDArray[np.int64]

PER_DOSE = 0.1
DRAWN = 1500
FEW, CLOSER = 100, 6
"""A mesh is refined while fewer shapes than FEW are kept, at most CLOSER times."""


@dataclass(frozen=True)
class Limits:
    """Where a contrast along the dose axis reaches 0.

    lower is 0 where dose 0 can't be told from it; upper is None where the data allow that it is
    never reached; beyond: no kept curve reaches it. p: one-sided p-value against its not being
    reached at any tested dose.
    """

    estimate: float | None
    lower: float
    upper: float | None
    beyond: bool
    p: float


@dataclass(frozen=True)
class Profile:
    """Fits of all shapes to one `Means`.

    chi: [K]. kept: indices of shapes within reach that get worse with the dose. level, change:
    value at dose 0 and size of the shape's whole range, with variances and covariance.
    """

    means: Means
    shapes: Library
    chi: Array
    flat: float
    best: float
    reach: float
    kept: Index
    weight: Array
    level: Array
    change: Array
    level_variance: Array
    change_variance: Array
    covariance: Array

    @property
    def top(self) -> float:
        return float(self.means.doses[-1])

    @property
    def flat_kept(self) -> bool:
        return self.flat - self.best <= self.reach


def whitener(cov: Array) -> Array:
    """The matrix that makes what has covariance `cov` independent with variance 1."""
    root = np.linalg.cholesky(cov)
    return np.asarray(solve_triangular(root, np.eye(len(cov)), lower=True))


def inflation(doses: int) -> float:
    """Factor on the squared t quantile that pays for the choice of a shape.

    More doses leave more room between the best shape and the true one. Chosen by pilot
    simulation and frozen; docs/thresholds.md.
    """
    return 1.0 + PER_DOSE * float(np.clip(doses - 4, 0, 6))


@dataclass(frozen=True)
class _Fits:
    """Levels of every shape by generalised least squares, [K] each."""

    chi: Array
    flat: float
    best: float
    change: Array
    norm: Array
    tilt: Array
    size: float
    mean: float


def _fit(means: Means, shapes: Library) -> _Fits:
    white = whitener(means.cov)
    one = white.sum(axis=1)
    y = white @ means.worse
    rise = white @ shapes.rise
    size = float(one @ one)
    mean = float(one @ y / size)
    tilt = one @ rise / size
    rest = y - one * mean
    # of the rise only what is at right angles to the level counts
    norm = np.einsum("dk,dk->k", rise, rise) - size * tilt**2
    seen = norm > 1e-9 * max(float(norm.max()), 1e-12)
    change = np.where(seen, rest @ rise / np.where(seen, norm, 1.0), 0.0)
    flat = float(rest @ rest)
    chi = flat - np.maximum(change, 0.0) ** 2 * norm
    return _Fits(chi, flat, float(min(chi.min(), flat)), change, norm, tilt, size, mean)


def profile(means: Means, level: float, *, freedom: float | None = None) -> Profile:
    """Fit every shape; `level` is the one-sided confidence of each limit.

    Where the data tell even neighbours in the library apart, so that few are kept, a finer mesh
    is laid around those.
    """
    shapes = library(tuple((means.doses / means.doses[-1]).tolist()))
    own = means.freedom if freedom is None else freedom
    reach = inflation(len(means.doses)) * t_quantile(level, own) ** 2
    fits = _fit(means, shapes)
    for _ in range(CLOSER):
        over = fits.chi - fits.best
        kept = (fits.change > 0) & (over <= reach)
        if not kept.any() or kept.sum() >= FEW:
            break
        near = np.flatnonzero((fits.change > 0) & (over <= 4 * reach + 10))
        shapes = closer(shapes, near)
        fits = _fit(means, shapes)
    at = np.flatnonzero((fits.change > 0) & (fits.chi - fits.best <= reach))
    tilt, change, variance = fits.tilt[at], fits.change[at], 1 / fits.norm[at]
    return Profile(
        means=means,
        shapes=shapes,
        chi=fits.chi,
        flat=fits.flat,
        best=fits.best,
        reach=reach,
        kept=at,
        weight=_weights(fits.chi[at] - fits.best, shapes.family[at]),
        level=fits.mean - tilt * change,
        change=change,
        level_variance=1 / fits.size + tilt**2 * variance,
        change_variance=variance,
        covariance=-tilt * variance,
    )


def _weights(excess: Array, family: Index) -> Array:
    """Akaike weights over families, each spread over its members by likelihood; they sum to 1."""
    weight = np.exp(-excess / 2)
    for number, name in enumerate(FAMILIES):
        own = family == number
        if own.any():
            weight[own] *= weight[own].max() * np.exp(-FREE[name]) / weight[own].sum()
    total = weight.sum()
    return weight / total if total > 0 else weight


def ratio_limits(
    fitted: Profile, fraction: float, constant: float, slope: float, *, most: float = np.inf
) -> Limits:
    """Where the change from dose 0 reaches `fraction` x (`constant` + `slope` x level at dose 0).

    most: largest change that there can be.
    """
    p, s = fitted, fitted.shapes
    whole = s.rise[-1, p.kept]
    left = p.reach - (p.chi[p.kept] - p.best)
    n = fraction * slope
    need = fraction * constant + n * p.level
    # Fieller: all ratios need / change that the levels allow within `left`
    a = p.change**2 - left * p.change_variance
    b = need * p.change - left * n * p.covariance
    c = need**2 - left * n * n * p.level_variance
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    # the larger of the two is the least change that the best fit of the level asks for
    low = np.maximum(np.where(c > 0, c / np.maximum(b + root, 1e-300), 0.0), need * whole / most)
    low = np.where(need <= 0, 0.0, low)
    with np.errstate(divide="ignore", invalid="ignore"):
        high = np.where(a > 0, (b + root) / a, np.inf)
    reached = low <= whole
    if not len(p.kept) or not reached.any():
        return Limits(None, p.top, None, True, 1.0)
    first = float(s.reach(p.kept[reached], np.minimum(low, whole)[reached]).min())
    lower = 0.0 if (low <= 0).any() else max(0.0, first)
    upper = None
    if not p.flat_kept and (high <= whole).all():
        # a change that is under 0 at most has been reached at dose 0
        at = s.reach(p.kept, np.clip(high, 0.0, whole))
        upper = float(np.where(high > 0, at, 0.0).max())
    ratio = need / p.change
    hit = (ratio <= whole) & (ratio > 0)
    share = float(p.weight[hit].sum())
    places = s.reach(p.kept[hit], ratio[hit])
    estimate = float(p.weight[hit] @ places) / share if share > 0.5 else None
    return _scaled(p, estimate, lower, upper, _against(p, fraction, constant, slope))


def _against(p: Profile, fraction: float, constant: float, slope: float) -> float:
    """One-sided p-value of the best curve that does not reach the change at the last dose."""
    whole = p.shapes.rise[-1, p.kept]
    short = p.change * whole - fraction * (constant + slope * p.level)
    spread = (
        p.change_variance * whole**2
        + (fraction * slope) ** 2 * p.level_variance
        - 2 * whole * fraction * slope * p.covariance
    )
    penalty = np.maximum(short, 0.0) ** 2 / np.maximum(spread, 1e-300)
    least = min(float((p.chi[p.kept] - p.best + penalty).min()), p.flat - p.best)
    return t_tail(np.sqrt(max(least, 0.0) / inflation(len(p.means.doses))), p.means.freedom)


def turn_limits(fitted: Profile, share: float) -> Limits:
    """Where `share` (one of TURNS) of the whole change up to the last dose is done."""
    p = fitted
    if not len(p.kept):
        return Limits(None, 0.0, None, False, 1.0)
    places = p.shapes.turns[share][p.kept]
    estimate = float(p.weight @ places)
    upper = None if p.flat_kept else float(places.max())
    value = t_tail(
        np.sqrt(max(p.flat - p.best, 0.0) / inflation(len(p.means.doses))), p.means.freedom
    )
    return _scaled(p, estimate, float(places.min()), upper, value)


def _scaled(
    p: Profile, estimate: float | None, lower: float, upper: float | None, value: float
) -> Limits:
    # the library's first members turn at 1/64 of the first gap: closer to 0 it can't look
    if lower < float(p.shapes.x[1]) / 40:
        lower = 0.0
    inside = None if estimate is None else max(lower, estimate)
    if inside is not None and upper is not None:
        inside = min(inside, upper)
    return Limits(
        None if inside is None else inside * p.top,
        lower * p.top,
        None if upper is None else min(upper, 1.0) * p.top,
        False,
        value,
    )


def band(fitted: Profile, doses: Array) -> tuple[Array, Array, Array]:
    """Averaged curve at `doses` and the hull of all kept curves, in the units of `means.worse`."""
    p = fitted
    mean, se = _plain_mean(p.means)
    reach = np.sqrt(p.reach)
    if not len(p.kept):
        whole = np.full(len(doses), mean)
        return whole, whole - reach * se, whole + reach * se
    pick = np.argsort(-p.weight, kind="stable")
    step = max(1, len(pick) // DRAWN)
    pick = np.sort(np.concatenate([pick[::step], _furthest(p)]))
    pick = np.unique(pick)
    rise = p.shapes.risen(p.kept[pick], doses / p.top)
    value = p.level[pick] + rise * p.change[pick]
    variance = (
        p.level_variance[pick] + 2 * rise * p.covariance[pick] + rise**2 * p.change_variance[pick]
    )
    half = np.sqrt(
        np.maximum(variance, 0.0) * np.maximum(p.reach - p.chi[p.kept[pick]] + p.best, 0)
    )
    weight = p.weight[pick] / p.weight[pick].sum()
    low, high = (value - half).min(axis=1), (value + half).max(axis=1)
    if p.flat_kept:
        low, high = np.minimum(low, mean - se), np.maximum(high, mean + se)
    return value @ weight, low, high


def _furthest(p: Profile) -> Index:
    """Members with the first and last place of each family, so that a thinned hull keeps them."""
    found = []
    for number in range(len(FAMILIES)):
        own = np.flatnonzero(p.shapes.family[p.kept] == number)
        if len(own):
            places = p.shapes.place[p.kept[own]]
            found += [own[int(places.argmin())], own[int(places.argmax())]]
    return np.array(found, dtype=np.int64)


def _plain_mean(means: Means) -> tuple[float, float]:
    weight = np.linalg.solve(means.cov, np.ones(len(means.worse)))
    return float(weight @ means.worse / weight.sum()), float(1 / np.sqrt(weight.sum()))
