"""What part of a loss a treatment won back: a ratio of two paired differences, with limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._difference import difference, paired_gaps, variances

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Pair = tuple[int | None, int | None]

LOSS = 0.10


@dataclass(frozen=True)
class Recovered:
    """The part of (best - bad) that `treated` has over bad: 0 as bad as bad, 1 as good as best.

    All numbers are None where best minus bad is not above `LOSS` by its lower limit: there was
    little to win back, and a ratio to it would be noise. `loss` is that lower limit.
    """

    estimate: float | None
    lower: float | None
    upper: float | None
    level: float
    loss: float
    note: str = ""


def recovered(
    bad: pl.DataFrame, treated: pl.DataFrame, best: pl.DataFrame, *, level: float = 0.95
) -> Recovered:
    """(treated - bad) / (best - bad) over shared questions, with one-sided limits at `level`.

    Frames as in `difference`, questions fixed and seeds a sample. Limits are Fieller's (1954): all
    ratios r for which treated - bad - r (best - bad) is not told from 0. Its variance is taken
    between seeds and over independent questions, and a ratio that either lets stand is inside.
    Raises InputError where no question or no seed is shared.
    """
    from scipy import stats

    loss = difference(best, bad, level=level)
    if loss.lower <= LOSS:
        note = f"best minus bad is not above {LOSS:g} by its lower limit"
        return Recovered(None, None, None, level, float(loss.lower), note)
    gained, lost = _shared_gaps(bad, treated, best)
    if len(lost) < 2:
        note = "a ratio has no limits with one seed"
        return Recovered(None, None, None, level, float(loss.lower), note)
    n, d = float(gained.mean()), float(lost.mean())
    ends: list[float] = []
    # half an answer in all of them, as in `difference`: seeds that agree are no certainty
    floor = (0.5 / lost.size) ** 2
    for (vn, freedom), (vd, _), (vs, _) in zip(
        variances(gained), variances(lost), variances(gained + lost), strict=True
    ):
        both = (vs - vn - vd) / 2
        t2 = float(stats.t.ppf(level, freedom)) ** 2
        vn, vd = max(vn, floor), max(vd, floor)
        a, b, c = d * d - t2 * vd, n * d - t2 * both, n * n - t2 * vn
        if a <= 0:
            return Recovered(
                None, None, None, level, float(loss.lower), "the loss is too uncertain"
            )
        root = float(np.sqrt(max(b * b - a * c, 0.0)))
        ends += [(b - root) / a, (b + root) / a]
    return Recovered(n / d, min(ends), max(ends), level, float(loss.lower))


def _shared_gaps(
    bad: pl.DataFrame, treated: pl.DataFrame, best: pl.DataFrame
) -> tuple[Array, Array]:
    """treated - bad and best - bad, both [S, Q] over the seeds and questions of all three."""
    gained, s1, q1 = paired_gaps(treated, bad)
    lost, s2, q2 = paired_gaps(best, bad)
    names = [q for q in q1 if q in q2]
    seeds = [s for s in s1 if s in s2]

    def part(gaps: Array, own_seeds: list[Pair], own: dict[str, str]) -> Array:
        column = {q: i for i, q in enumerate(own)}
        row = {s: i for i, s in enumerate(own_seeds)}
        return gaps[np.ix_([row[s] for s in seeds], [column[q] for q in names])]

    return part(gained, s1, q1), part(lost, s2, q2)
