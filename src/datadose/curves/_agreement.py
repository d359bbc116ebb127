"""How far two raters of the same things agree, and how often one of them is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv

from datadose._core import InputError, generator
from datadose.curves._student import t_quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DRAWS = 20_000
LEVEL = 0.95


@dataclass(frozen=True)
class Share:
    """A share (0 to 1) with its two-sided 95% limits; None and 0 to 1 where `asked` is 0."""

    rate: float | None
    lower: float
    upper: float
    good: int
    asked: int


@dataclass(frozen=True)
class Accuracy:
    """A judge against labels. kappa: Cohen's (1960), None where labels or verdicts never vary.

    `agreement` is the plain share of equal verdicts. `recall` is the sensitivity, `youden` is
    sensitivity + specificity - 1 with the limits that both together give.
    """

    precision: Share
    recall: Share
    specificity: Share
    agreement: Share
    kappa: float | None
    kappa_lower: float
    kappa_upper: float
    youden_lower: float
    hits: int
    missed: int
    false_alarms: int
    cleared: int


def exact_limits(good: float, asked: float, level: float = LEVEL) -> tuple[float, float]:
    """Two-sided limits of a share by Clopper and Pearson (1934); counts may be fractions."""
    if asked <= 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    lower = 0.0 if good <= 0 else float(betaincinv(good, asked - good + 1, tail))
    upper = 1.0 if good >= asked else float(betaincinv(good + 1, asked - good, 1 - tail))
    return lower, upper


def share_of(good: float, asked: float, effective: float | None = None) -> Share:
    """A share with exact limits; `effective` is the number of independent answers it is worth."""
    if not asked:
        return Share(None, 0.0, 1.0, 0, 0)
    rate = good / asked
    worth = asked if effective is None else effective
    return Share(rate, *exact_limits(rate * worth, worth), round(good), round(asked))


def clustered_share(good: Array, asked: Array) -> Share:
    """Share of sum(good) in sum(asked), [clusters] each, with limits for clusters like these."""
    return share_of(float(good.sum()), float(asked.sum()), effective_size(good, asked))


def effective_size(good: Array, asked: Array) -> float:
    """How many independent answers clustered ones are worth (Korn and Graubard 1998).

    good, asked: [clusters]. Never more than were asked; corrected for few clusters by the ratio
    of Student's quantiles. With under two clusters that hold an answer, one.
    """
    good, asked = good[asked > 0], asked[asked > 0]
    n, clusters = float(asked.sum()), len(asked)
    if clusters < 2:
        return min(n, 1.0)
    rate = float(good.sum()) / n
    if rate in (0.0, 1.0):
        return n
    effect = max(1.0, variance_of(good, asked) / (rate * (1 - rate) / n))
    return n / effect * few_clusters(n, clusters)


def variance_of(good: Array, asked: Array) -> float:
    """Variance of sum(good) / sum(asked) between clusters (linearised ratio)."""
    clusters, n = len(asked), float(asked.sum())
    if clusters < 2 or not n:
        return 0.0
    left = good - float(good.sum()) / n * asked
    return float(clusters / (clusters - 1) * (left**2).sum() / n**2)


def few_clusters(n: float, clusters: int) -> float:
    """Factor (under 1) on an effective size for a variance estimated from few clusters."""
    if clusters < 2 or n < 2:
        return 1.0
    half = 0.5 + LEVEL / 2
    return min(1.0, (t_quantile(half, n - 1) / t_quantile(half, clusters - 1)) ** 2)


def accuracy(
    truth: Sequence[bool], verdicts: Sequence[bool], clusters: Sequence[str] | None = None
) -> Accuracy:
    """Precision, recall, specificity and kappa of verdicts against labels, with 95% limits.

    Shares have Clopper and Pearson's limits, at the effective size where `clusters` are given.
    Kappa's are quantiles over draws of the fourfold table from a Dirichlet distribution with
    one half added to each cell, at the effective size of the agreement. Raises InputError where
    the lists differ in length or are empty.
    """
    if len(truth) != len(verdicts) or not truth:
        raise InputError(
            f"{len(truth)} labels for {len(verdicts)} verdicts",
            next_step="give one label and one verdict for every answer, at least one",
        )
    t, v = np.asarray(truth, dtype=bool), np.asarray(verdicts, dtype=bool)
    _, group = np.unique(
        np.arange(len(t)) if clusters is None else np.asarray(clusters), return_inverse=True
    )

    def share(good: NDArray[np.bool_], of: NDArray[np.bool_]) -> Share:
        size = int(group.max()) + 1
        hit = np.bincount(group, weights=good & of, minlength=size).astype(np.float64)
        asked = np.bincount(group, weights=of, minlength=size).astype(np.float64)
        worth = None if clusters is None else effective_size(hit, asked)
        return share_of(float(hit.sum()), float(asked.sum()), worth)

    everything = np.ones_like(t)
    same = share(t == v, everything)
    cells = np.array([(t & v).sum(), (t & ~v).sum(), (~t & v).sum(), (~t & ~v).sum()], dtype=float)
    worth = 1.0
    if clusters is not None:
        size = int(group.max()) + 1
        asked = np.bincount(group, minlength=size).astype(float)
        equal = np.bincount(group, weights=t == v, minlength=size).astype(np.float64)
        worth = effective_size(equal, asked) / len(t)
    rng = generator(0, "kappa")
    drawn = kappa_of(rng.dirichlet(cells * worth + 0.5, DRAWS))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    varies = 0 < t.sum() < len(t) or 0 < v.sum() < len(v)
    recall, specificity = share(v, t), share(~v, ~t)
    return Accuracy(
        precision=share(t, v),
        recall=recall,
        specificity=specificity,
        agreement=same,
        kappa=float(kappa_of(cells / cells.sum())) if varies else None,
        kappa_lower=float(low),
        kappa_upper=float(high),
        youden_lower=recall.lower + specificity.lower - 1,
        hits=int(cells[0]),
        missed=int(cells[1]),
        false_alarms=int(cells[2]),
        cleared=int(cells[3]),
    )


def kappa_of(cells: Array) -> Array:
    """Cohen's kappa of fourfold tables [..., 4]: both yes, first only, second only, neither."""
    both, first, second, neither = np.moveaxis(cells / cells.sum(-1, keepdims=True), -1, 0)
    by_chance = (both + first) * (both + second) + (neither + first) * (neither + second)
    return np.asarray((both + neither - by_chance) / np.maximum(1 - by_chance, 1e-12))
