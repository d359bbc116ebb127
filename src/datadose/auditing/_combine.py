"""Several columns into one: TOPSIS and the mean of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadose.auditing._evidence import ranks

if TYPE_CHECKING:
    import numpy as np


def topsis(columns: Sequence[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """Closeness to the ideal, [N] in 0 to 1 (Hwang and Yoon 1981); larger is better in each column.

    Columns are divided by their root sum of squares and weighted (equally by default); closeness
    is D- / (D+ + D-), Euclidean distances from the worst and the best of each column. A column
    without spread moves nothing; 0.5 everywhere where none has any.
    """
    import numpy as np

    x = np.column_stack([np.asarray(c, dtype=float) for c in columns])
    norm = np.sqrt((x**2).sum(0))
    share = np.ones(x.shape[1]) if weights is None else np.asarray(weights, dtype=float)
    v = x / np.where(norm > 0, norm, 1) * (share / share.sum())
    worst = np.sqrt(((v - v.min(0)) ** 2).sum(1))
    best = np.sqrt(((v - v.max(0)) ** 2).sum(1))
    both = worst + best
    return np.where(both > 0, worst / np.where(both > 0, both, 1), 0.5)


def rank_average(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of the columns' ranks, [N] in 0 to 1; larger is more suspicious in each."""
    import numpy as np

    return np.asarray(np.mean([ranks(c) for c in columns], axis=0))
