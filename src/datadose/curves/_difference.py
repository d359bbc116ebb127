"""How far two arms are apart, paired by question, with limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from datadose._core import InputError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """Mean of rate a minus rate b over shared questions, with one-sided limits at `level`.

    Both limits together are a two-sided interval at 2 level - 1, which is what an equivalence
    test at 1 - level uses (Schuirmann 1987).
    """

    estimate: float
    lower: float
    upper: float
    level: float
    questions: int
    seeds: int
    note: str = ""

    def within(self, margin: float) -> bool:
        """Whether a and b are equivalent within `margin`."""
        return -margin <= self.lower and self.upper <= margin


def difference(
    a: pl.DataFrame,
    b: pl.DataFrame,
    *,
    level: float = 0.95,
    target: Literal["these", "like these"] = "these",
) -> Difference:
    """a minus b, both with columns seed, question, cluster, good, asked.

    A side whose seeds are all null (the base model) is set against every seed of the other;
    otherwise seeds are paired where both have them. `these`: questions are fixed and seeds are
    a sample; the variance is the larger of that between seeds and what independent questions
    would give, with Student's t on as many degrees of freedom as the larger has. `like these`
    adds the variance between question clusters; so does a single seed, which leaves nothing
    else to go by. Raises InputError where no question or no seed is shared.
    """
    from scipy import stats

    gaps, seeds, questions = paired_gaps(a, b)
    estimate = float(gaps.mean())
    variance, freedom = _over_seeds(gaps)
    if len(seeds) == 1 or target == "like these":
        clusters, at = np.unique(list(questions.values()), return_inverse=True)
        sums = np.zeros(len(clusters))
        np.add.at(sums, at, gaps.mean(axis=0) - estimate)
        k = len(clusters)
        if k > 1:
            variance += float((sums**2).sum()) / len(questions) ** 2 * k / (k - 1)
            freedom = min(freedom, k - 1)
    floor = 0.5 / len(questions) / max(1, len(seeds))
    half = float(stats.t.ppf(level, freedom)) * max(np.sqrt(variance), floor)
    note = "conditional on this seed" if len(seeds) == 1 else ""
    return Difference(
        estimate=estimate,
        lower=max(-1.0, estimate - half),
        upper=min(1.0, estimate + half),
        level=level,
        questions=len(questions),
        seeds=len(seeds),
        note=note,
    )


def paired_gaps(
    a: pl.DataFrame, b: pl.DataFrame
) -> tuple[Array, list[tuple[int | None, int | None]], dict[str, str]]:
    """a minus b [S, Q], the pairs of seeds, and the cluster of every question, sorted by name.

    Raises InputError where no question or no seed is shared.
    """
    one, other = _rates(a), _rates(b)
    questions = sorted(set(one[2]) & set(other[2]))
    seeds = _shared(list(one[1]), list(other[1]))
    if not questions or not seeds:
        raise InputError("two arms share no question or no seed, so they can't be compared")
    gaps = np.array(
        [[one[0][s, q] - other[0][t, q] for q in questions] for s, t in seeds], dtype=float
    )
    return gaps, seeds, {q: one[2][q] for q in questions}


def variances(gaps: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """Variance of the mean of gaps [S, Q] over a sample of seeds, and its degrees of freedom:
    that between seeds, and what independent questions would give. S is at least 2."""
    seeds, questions = gaps.shape
    between = float(gaps.mean(axis=1).var(ddof=1)) / seeds
    apart = float(gaps.var(axis=0, ddof=1).sum()) / questions**2 / seeds
    return (between, float(seeds - 1)), (apart, float((seeds - 1) * questions))


def _over_seeds(gaps: Array) -> tuple[float, float]:
    """The larger of both variances and its degrees of freedom; (0, inf) for one seed."""
    if len(gaps) == 1:
        return 0.0, np.inf
    between, apart = variances(gaps)
    return between if between[0] >= apart[0] else apart


def _rates(
    frame: pl.DataFrame,
) -> tuple[dict[tuple[int | None, str], float], dict[int | None, None], dict[str, str]]:
    """Rate by seed and question, the seeds, and the cluster of every question."""
    good: dict[tuple[int | None, str], list[float]] = {}
    clusters: dict[str, str] = {}
    for seed, question, cluster, hits, asked in frame.select(
        "seed", "question", "cluster", "good", "asked"
    ).iter_rows():
        both = good.setdefault((seed, question), [0.0, 0.0])
        both[0] += hits
        both[1] += asked
        clusters[question] = cluster
    seeds = dict.fromkeys(seed for seed, _ in good)
    whole = {
        q: c for q, c in clusters.items() if all(good.get((s, q), [0, 0])[1] > 0 for s in seeds)
    }
    return {k: h / n for k, (h, n) in good.items() if n}, seeds, whole


def _shared(a: list[int | None], b: list[int | None]) -> list[tuple[int | None, int | None]]:
    if b == [None]:
        return [(s, None) for s in a]
    if a == [None]:
        return [(None, s) for s in b]
    return [(s, s) for s in a if s in b]
