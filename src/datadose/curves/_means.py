"""Mean response at every dose with its covariance: what all fits start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._blocks import Block
from datadose.curves._types import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MANY = 1e6
"""Degrees of freedom of a variance taken as known."""
LEAST_SPREAD = 0.02
SHIFT_SD, SHIFT_WEIGHT = 0.05, 2.0
"""Few seeds can't show how far their curves stand apart along the dose: this spread (of the log
dose) counts as so many more seeds that were seen to have it."""


@dataclass(frozen=True)
class Parts:
    """Variance components of arms: rest x spread, whole seeds, and seeds along the dose axis.

    shift: variance between seeds of the logarithm of the dose at which their curve stands; slope:
    [D], what a shift of 1 does to the mean. single: the part of `rest` that single questions give.
    """

    rest: float
    freedom: float
    single: float
    seed: float
    shift: float
    slope: Array
    seed_freedom: float


@dataclass(frozen=True)
class Means:
    """Marginal means of one response, larger being worse (minus a rate that should be high).

    cov: [D, D], covariance of `worse` over seeds (and question clusters where these are a
    sample). freedom: its degrees of freedom for differences between doses; level_freedom: for
    the level of one dose, in which seeds also count. sd_arm, sd_seed: what is left between arms
    within a seed, and between whole seeds. note: what the variance depends on. parts: what cov was
    made of, None where the variance is that over question clusters.
    """

    doses: Array
    worse: Array
    cov: Array
    freedom: float
    level_freedom: float
    sd_arm: float = 0.0
    sd_seed: float = 0.0
    note: str = ""
    parts: Parts | None = None

    def cut(self, last: int) -> Means:
        """The same without the doses after number `last`."""
        keep = slice(0, last + 1)
        return Means(
            self.doses[keep],
            self.worse[keep],
            self.cov[keep, keep],
            self.freedom,
            self.level_freedom,
            self.sd_arm,
            self.sd_seed,
            self.note,
            self.parts,
        )

    def change(self) -> tuple[Array, Array]:
        """Change from the first dose and its standard error, [D] each."""
        variance = np.diag(self.cov) + self.cov[0, 0] - 2 * self.cov[0]
        return self.worse - self.worse[0], np.sqrt(np.maximum(variance, 0.0))


def oriented(block: Block, spec: Spec) -> Array:
    """Rates with larger meaning worse, [S, D, Q]."""
    return block.rate if spec.direction == "up" else -block.rate


def arm_means(block: Block, spec: Spec, values: Array | None = None) -> Means:
    """Means over seeds and questions of `values` [S, D, Q] (default: the oriented rates).

    Arms are mean + seed + shift x slope + rest: a seed moves its whole curve up and along the
    dose. The variance of the rest is taken in proportion to p (1 - p), pooled over doses, and
    never below what the spread of single questions (or, where a question was asked often, of its
    answers) gives. With one seed, or no dose with two, the variance is that over question
    clusters, conditional on the seed.
    Doses without any answer are left out.
    """
    values = oriented(block, spec) if values is None else values
    known = ~np.isnan(values)
    count = known.sum(axis=2)
    used = count.sum(axis=0) > 0
    values, known, count = values[:, used], known[:, used], count[:, used]
    rate, good, asked = block.rate[:, used], block.good[:, used], block.asked[:, used]
    doses = block.doses[used]
    with np.errstate(invalid="ignore"):
        arms = np.nansum(np.where(known, values, 0.0), axis=2) / count
    spread = _spread(rate, known, spec)
    answers = _answer_variance(good, asked, count, spec)
    s, d = np.nonzero(count)
    freedom, effects = arm_freedom(s, d)
    clusters, groups = _cluster_cov(values, known, block.clusters)
    if freedom < 1:
        worse = np.nansum(np.where(count > 0, arms, 0.0), axis=0) / (count > 0).sum(axis=0)
        cov, freedom = _one_seed(clusters, groups, answers, asked, spec)
        note = "conditional on this seed" if len(block.seeds) == 1 else "no dose has two seeds"
        return Means(doses, worse, cov, freedom, freedom, note=note)
    parts = _components(arms, values, known, count, spread, answers, doses, freedom, effects)
    rest = np.maximum(parts.rest * spread, _floor(asked, spec))
    worse, cov = _combine(arms[s, d], s, d, rest, parts)
    slope = parts.slope**2
    level_freedom = satterthwaite(
        (float(rest.mean()), parts.freedom),
        (parts.seed, parts.seed_freedom),
        (parts.shift * float(slope.mean()), parts.seed_freedom + SHIFT_WEIGHT),
    )
    freedom = satterthwaite(
        (float(rest.mean()), parts.freedom),
        (parts.shift * float(slope.mean()), parts.seed_freedom + SHIFT_WEIGHT),
    )
    if spec.target == "like these" and groups > 1:
        seeds = (count > 0).sum(axis=0)
        single = np.minimum(parts.single * spread / seeds, 0.99 * rest / seeds)
        cov = cov - np.diag(single) + clusters
        own = float(np.diag(clusters).mean())
        freedom = satterthwaite((float((rest / seeds).mean()), freedom), (own, groups - 1.0))
        level_freedom = min(freedom, level_freedom)
    sd_arm = float(np.sqrt(parts.rest * spread.mean()))
    return Means(doses, worse, cov, freedom, level_freedom, sd_arm, parts.seed**0.5, parts=parts)


def _spread(rate: Array, known: Array, spec: Spec) -> Array:
    """How the variance of an arm's mean goes with the dose, [D]: p (1 - p) of a rate, else 1."""
    if spec.scale == "continuous":
        return np.ones(known.shape[1])
    n = known.sum(axis=(0, 2))
    p = np.nansum(np.where(known, rate, 0.0), axis=(0, 2)) / n
    p = (p * n + 2) / (n + 4)
    return np.asarray(np.maximum(p * (1 - p), LEAST_SPREAD))


def _answer_variance(good: Array, asked: Array, count: Array, spec: Spec) -> Array:
    """Binomial variance of each arm's mean from questions asked more than once, [S, D]."""
    if spec.scale == "continuous":
        return np.zeros(count.shape)
    often = asked > 1
    p = (good + 0.5) / (asked + 1.0)
    each = np.where(often, p * (1 - p) / np.maximum(asked, 1), 0.0)
    return np.asarray(each.sum(axis=2) / np.maximum(count, 1) ** 2)


def _floor(asked: Array, spec: Spec) -> Array:
    """Least variance of an arm's mean, [D]: half an answer each way."""
    if spec.scale == "continuous":
        return np.full(asked.shape[1], 1e-12)
    return np.asarray((0.5 / np.maximum(asked.sum(axis=2).max(axis=0), 1)) ** 2)


def arm_freedom(s: NDArray[np.int64], d: NDArray[np.int64]) -> tuple[float, bool]:
    """Residual degrees of freedom of arms, and whether seeds can be told from doses."""
    design = np.concatenate([d[:, None] == np.unique(d), s[:, None] == np.unique(s)], axis=1)
    rest = len(s) - int(np.linalg.matrix_rank(design.astype(float)))
    if rest > 0:
        return float(rest), True
    # every arm has a seed of its own: arms are then independent
    return float(len(s) - len(np.unique(d))), False


def _components(
    arms: Array,
    values: Array,
    known: Array,
    count: Array,
    spread: Array,
    answers: Array,
    doses: Array,
    freedom: float,
    effects: bool,
) -> Parts:
    present = count > 0
    s, d = np.nonzero(present)
    y, weight = arms[s, d], 1 / spread[d]
    seeds = np.unique(s)
    columns = [d[:, None] == np.unique(d)] + ([s[:, None] == seeds[1:]] if effects else [])
    design = np.concatenate(columns, axis=1).astype(float)
    root = np.sqrt(weight)
    found = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
    rest = y - design @ found
    single = _single(values, known, count, spread)
    least = max(single, _often(answers, present, spread))
    total = float((weight * rest**2).sum())
    if not effects:
        flat = np.zeros(len(doses))
        return Parts(max(total / freedom, least), freedom, single, 0.0, 0.0, flat, 1.0)
    by_seed = float(len(seeds) - 1)
    slope = _slope(doses, found[: len(doses)])
    moved = np.array([_projection(rest, weight, slope[d], s == seed) for seed in seeds])
    own, size = moved[:, 0], float(moved[:, 1].mean())
    left = freedom - by_seed
    shift = 0.0
    phi = max(total / freedom, least)
    if left >= 1 and size > 0:
        phi, freedom = max((total - float(own.sum())) / left, least), left
        raw = by_seed * (float(own.sum()) / by_seed - phi) / size + SHIFT_WEIGHT * SHIFT_SD**2
        shift = max(0.0, raw) / (by_seed + SHIFT_WEIGHT)
    apart = np.concatenate([[0.0], found[len(doses) :]])
    per_seed = np.bincount(s, minlength=int(s.max()) + 1)[seeds]
    noise = float(np.mean(phi * spread.mean() / per_seed))
    tau = max(0.0, float(apart.var(ddof=1)) - noise)
    return Parts(phi, freedom, single, tau, shift, slope, by_seed)


def _slope(doses: Array, mean: Array) -> Array:
    """Change of the mean with the logarithm of the dose, by differences, [D]."""
    if len(doses) < 3:
        return np.zeros(len(doses))
    return np.asarray(doses * np.gradient(mean, doses))


def _projection(
    rest: Array, weight: Array, slope: Array, own: NDArray[np.bool_]
) -> tuple[float, float]:
    """Sum of squares of one seed's residuals along `slope`, and the size of the slope there."""
    w, r, g = weight[own], rest[own], slope[own]
    g = g - float(w @ g) / float(w.sum())
    size = float(w @ (g * g))
    return (float(w @ (r * g)) ** 2 / size if size > 0 else 0.0), size


def _single(values: Array, known: Array, count: Array, spread: Array) -> float:
    """Scale of the rest that the spread of single questions between seeds gives."""
    seen = known.sum(axis=0)
    centre = np.where(known, values, 0.0).sum(axis=0) / np.maximum(seen, 1)
    apart = np.where(known, values - centre, 0.0) ** 2
    each = np.where(seen > 1, apart.sum(axis=0) / np.maximum(seen - 1, 1), 0.0)
    questions = np.maximum(count.max(axis=0), 1)
    return float(np.mean(each.sum(axis=1) / questions**2 / spread))


def _often(answers: Array, present: NDArray[np.bool_], spread: Array) -> float:
    """Scale of the rest that repeated answers to the same question give."""
    per_dose = np.where(present, answers, 0.0).sum(axis=0) / present.sum(axis=0)
    return float(np.mean(per_dose / spread))


def _combine(
    y: Array, s: NDArray[np.int64], d: NDArray[np.int64], rest: Array, parts: Parts
) -> tuple[Array, Array]:
    """Generalised least-squares means per dose and their covariance."""
    design = (d[:, None] == np.unique(d)).astype(float)
    shared = parts.seed + parts.shift * np.outer(parts.slope[d], parts.slope[d])
    v = np.diag(rest[d]) + shared * (s[:, None] == s)
    solved = np.linalg.solve(v, np.column_stack([design, y]))
    cov = np.linalg.inv(design.T @ solved[:, :-1])
    return cov @ (design.T @ solved[:, -1]), (cov + cov.T) / 2


def _cluster_cov(values: Array, known: Array, clusters: NDArray[np.int64]) -> tuple[Array, int]:
    """Covariance of the dose means over question clusters, [D, D], and how many there are.

    Shrunk towards its diagonal by D / clusters, which keeps it invertible and errs upwards for
    differences between doses.
    """
    seen = known.sum(axis=0)
    each = np.where(known, values, 0.0).sum(axis=0) / np.maximum(seen, 1)
    there = seen > 0
    n = np.maximum(there.sum(axis=1), 1)
    centre = np.where(there, each, 0.0).sum(axis=1) / n
    apart = np.where(there, each - centre[:, None], 0.0)
    used = there.any(axis=0)
    names, place = np.unique(clusters[used], return_inverse=True)
    groups = len(names)
    if groups < 2:
        return np.zeros((len(n), len(n))), groups
    sums = np.zeros((len(n), groups))
    np.add.at(sums.T, place, apart[:, used].T)
    cov = groups / (groups - 1) * (sums @ sums.T) / np.outer(n, n)
    shrink = min(1.0, len(n) / groups)
    return (1 - shrink) * cov + shrink * np.diag(np.diag(cov)), groups


def _one_seed(
    clusters: Array, groups: int, answers: Array, asked: Array, spec: Spec
) -> tuple[Array, float]:
    arms = np.maximum((asked.sum(axis=2) > 0).sum(axis=0), 1)
    alone = answers.sum(axis=0) / arms**2
    floor = _floor(asked, spec)
    if groups < 2:
        # one question asked once says nothing of its variance: the largest there can be
        most = np.full(len(alone), 0.25 if spec.scale == "rate" else 1.0)
        return np.diag(np.where(alone > 0, np.maximum(alone, floor), most)), MANY
    extra = np.maximum(np.maximum(alone, floor) - np.diag(clusters), 0.0)
    return clusters + np.diag(np.maximum(extra, 1e-12)), groups - 1.0


def satterthwaite(*parts: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances with their own (Satterthwaite 1946)."""
    total = sum(v for v, _ in parts)
    below = sum(v * v / f for v, f in parts if v > 0)
    return max(1.0, total * total / below) if below > 0 else min(f for _, f in parts)
