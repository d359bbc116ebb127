"""Rates of items with bounds, and pass@k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import comb

Z95 = 1.959963984540054


def rate_interval(
    values: Sequence[float], at_most: Sequence[float] | None = None
) -> tuple[float, float, float]:
    """(rate, lower, upper) of values in [0, 1], one for each item; 95%, two-sided.

    Wilson's interval (1927) on the effective number of items p (1 - p) / variance: for values of
    0 and 1 that is their number, and where an item's value is a mean of samples, or a share, it
    takes their spread in. The effective number is never under that of the items. `at_most`: the
    values if all that could not be scored were right, from which `upper` is taken. Raises
    ValueError where there is no item at all.
    """
    if not values:
        raise ValueError("no items")
    lower = _wilson(values)[0]
    upper = _wilson(values if at_most is None else at_most)[1]
    return sum(values) / len(values), lower, upper


def _wilson(values: Sequence[float]) -> tuple[float, float]:
    n = float(len(values))
    rate = sum(values) / n
    spread = sum((v - rate) ** 2 for v in values) / n
    if spread > 0:
        n *= max(1.0, rate * (1 - rate) / spread)
    z2 = Z95**2
    centre = (rate + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def pass_at_k(right: int, samples: int, k: int) -> float:
    """Probability that one of `k` of the `samples` answers is right, without replacement.

    The unbiased estimator of Chen et al. 2021 (arXiv 2107.03374, equation 1).
    """
    if not 0 <= right <= samples or not 1 <= k <= samples:
        raise ValueError(f"right {right}, samples {samples}, k {k}")
    return 1 - comb(samples - right, k) / comb(samples, k)
