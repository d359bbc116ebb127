"""Profile-likelihood limits of a single model's benchmark dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

from datadose._core import UsageError
from datadose.curves._models import (
    ModelFit,
    Problem,
    Risk,
    likelihood,
    model,
    model_benchmark,
    pose,
    rate_of,
    search,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def model_limits(
    fit: ModelFit,
    doses: Array,
    good: Array,
    asked: Array,
    *,
    level: float = 0.95,
    response: float = 0.1,
    risk: Risk = "extra",
    lower_level: float | None = None,
    upper_level: float | None = None,
    slope_at_least: float | None = None,
) -> tuple[float | None, float | None]:
    """One-sided profile-likelihood limits (BMDL, BMDU) of `model_benchmark`.

    Pass the bounds that `fit` was made with. A limit is None where the likelihood stays within
    reach out to a thousandth, or a thousand times, of the estimate.
    """
    centre = model_benchmark(fit, response=response, risk=risk)
    if not 0.5 < level < 1:
        raise UsageError(f"level {level} is not between 0.5 and 1")
    if centre is None or centre <= 0:
        return None, None
    kind = model.get(fit.name)()
    p = pose(kind, doses, good, asked, lower_level, upper_level, slope_at_least)
    reach = float(stats.chi2.ppf(2 * level - 1, 1)) / 2
    bounds = p.bounds()
    gone = len(bounds) - 1 if kind.slope is None and not kind.logarithm else None
    at = (len(bounds) - 1 - (kind.slope is None)) if gone is None else gone
    kept = [b for i, b in enumerate(bounds) if i != at]

    def excess(log_dose: float) -> float:
        x = float(np.exp(log_dose)) / fit.top

        def loss(free: Array) -> float:
            whole = np.insert(free, at, 0.0)
            lower, upper, a, b = p.unpack(whole)
            zero = (
                lower
                if kind.logarithm
                else lower + (upper - lower) * float(kind.distribution(np.array(a)))
            )
            target = zero + response * (1 - zero if risk == "extra" else 1.0)
            share = (target - lower) / (upper - lower) if upper > lower else 2.0
            if not 0 < share < 1:
                return 1e10
            eta = kind.quantile(share)
            if kind.logarithm:
                a = eta - b * float(np.log(x))
            else:
                b = (eta - a) / x
                if not p.slopes[0] <= b <= p.slopes[1]:
                    return 1e10
            return -likelihood(rate_of(kind, p.x, lower, upper, a, b), good, asked)

        packed = _packed(fit, p)
        starts = [np.delete(packed, at), *(np.delete(s, at) for s in p.starts()[::2])]
        least = search(p, loss, kept, starts)[1] if kept else loss(np.zeros(0))
        return least + fit.log_likelihood - reach

    def limit(sign: int) -> float | None:
        inner = float(np.log(centre))
        for step in np.geomspace(0.05, np.log(1000.0), 14):
            outer = float(np.log(centre)) + sign * float(step)
            if excess(outer) > 0:
                return float(np.exp(optimize.brentq(excess, inner, outer, xtol=1e-4)))
            inner = outer
        return None

    return limit(-1), limit(1)


def _packed(fit: ModelFit, p: Problem) -> Array:
    free = [fit.lower] if p.lower_level is None else []
    if p.upper_level is None:
        free.append((fit.upper - fit.lower) / max(1 - fit.lower, 1e-12))
    free.append(fit.a)
    if p.kind.slope is None:
        free.append(fit.b)
    return np.array(free)
