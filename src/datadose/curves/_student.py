"""Student's t without the cost of scipy's checks; degrees of freedom may be fractions."""

from __future__ import annotations

from scipy.special import stdtr, stdtrit


def t_quantile(level: float, freedom: float) -> float:
    """The value that t with `freedom` degrees of freedom stays below with probability `level`."""
    return float(stdtrit(freedom, level))


def t_tail(value: float, freedom: float) -> float:
    """Probability that t lies above `value`."""
    return float(stdtr(freedom, -value))
