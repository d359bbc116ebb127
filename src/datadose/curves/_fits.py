"""The isotonic fit, and the curves that arithmetic alone would give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._types import Curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GRID = 101


def isotonic(values: Array, weights: Array, *, rising: bool = True) -> Array:
    """Weighted least-squares monotone fit (pool adjacent violators; Barlow et al. 1972)."""
    signed = values if rising else -values
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(signed, weights, strict=True):
        blocks.append((float(value), float(max(weight, 1e-12)), 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (a, wa, na), (b, wb, nb) = blocks[-2:]
            blocks[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    fitted = np.concatenate([np.full(n, v) for v, _, n in blocks])
    return fitted if rising else -fitted


def crossing(doses: Array, values: Array, level: float) -> float | None:
    """Smallest dose at which rising `values` reach `level`, linear between tested doses."""
    for i, (dose, value) in enumerate(zip(doses, values, strict=True)):
        if value >= level:
            if i == 0 or value == values[i - 1]:
                return float(dose)
            share = (level - values[i - 1]) / (value - values[i - 1])
            return float(doses[i - 1] + share * (dose - doses[i - 1]))
    return None


def monotone_curve(doses: Array, rates: Array, weights: Array, rising: bool) -> Curve:
    """The isotonic fit, drawn linear between the tested doses."""
    fitted = isotonic(rates, weights, rising=rising)
    failure = "" if len(doses) > 1 else "only one dose was run"
    return Curve("monotone", tuple(doses.tolist()), tuple(fitted.tolist()), failure=failure)


def null_fact(doses: Array, clean: float, wrong: float) -> Curve:
    """What whole facts flipping would give by arithmetic: a straight line from f(0) to f(1)."""
    top = float(doses[-1]) or 1.0
    rates = clean + (wrong - clean) * doses / top
    return Curve("null: flipped facts", tuple(doses.tolist()), tuple(rates.tolist()))


def null_plurality(doses: Array, clean: float, wrong: float, rows_per_fact: int) -> Curve:
    """What a plurality vote of a fact's rows would give when single rows flip, ties halved.

    With one consistent wrong answer, a fact is lost when more than half of its rows are wrong.
    """
    from scipy import stats

    top = float(doses[-1]) or 1.0
    grid = np.linspace(0.0, top, GRID)
    n = rows_per_fact
    share = np.clip(grid / top, 0, 1)
    lost = stats.binom.sf(n // 2, n, share)
    if n % 2 == 0:
        lost = lost + 0.5 * stats.binom.pmf(n // 2, n, share)
    rates = np.asarray(clean + (wrong - clean) * lost)
    return Curve("null: plurality of rows", tuple(grid.tolist()), tuple(rates.tolist()))
