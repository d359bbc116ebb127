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
    target_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

# ways from the estimate on the log dose
FIRST_STEP = 0.05
FARTHEST = float(np.log(1000.0))
STEEP = 18.0


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
    p = pose(model.get(fit.name)(), doses, good, asked, lower_level, upper_level, slope_at_least)
    reach = float(stats.chi2.ppf(2 * level - 1, 1)) / 2

    def limit(sign: int) -> float | None:
        held = _Held(fit, p, response, risk)
        start = float(np.log(centre))
        # kept, since a search from another start could see a root where the last saw none
        known = {0.0: -float(np.sqrt(reach))}

        def excess(way: float) -> float:
            # the root of the drop is nearly straight in the log dose, which saves evaluations
            if way not in known:
                drop = held.drop(float(np.exp(start + sign * way)))
                known[way] = float(np.sqrt(max(drop, 0.0)) - np.sqrt(reach))
            return known[way]

        inner, outer = 0.0, FIRST_STEP
        while (found := excess(outer)) <= 0:
            if outer >= FARTHEST:
                return None
            ahead = np.sqrt(reach) / max(found + np.sqrt(reach), 0.1)
            inner, outer = outer, min(outer * float(np.clip(1.1 * ahead, 1.3, 4.0)), FARTHEST)
        way = optimize.brentq(excess, inner, outer, xtol=1e-4, rtol=1e-4)
        return float(np.exp(start + sign * way))

    return limit(-1), limit(1)


def model_drop(
    fit: ModelFit,
    dose: float,
    doses: Array,
    good: Array,
    asked: Array,
    *,
    response: float = 0.1,
    risk: Risk = "extra",
    lower_level: float | None = None,
    upper_level: float | None = None,
    slope_at_least: float | None = None,
) -> float:
    """How far the log-likelihood falls when `model_benchmark` is held at `dose`.

    At a one-sided 95% limit it is 1.353, half the 0.90 quantile of chi-square with one degree of
    freedom. Pass the bounds that `fit` was made with.
    """
    kind = model.get(fit.name)()
    p = pose(kind, doses, good, asked, lower_level, upper_level, slope_at_least)
    return _Held(fit, p, response, risk).drop(dose)


class _Held:
    """The likelihood of a model whose benchmark dose is held, over its other numbers.

    The last optimum is a start of the next search, since doses come in small steps.
    """

    def __init__(self, fit: ModelFit, p: Problem, response: float, risk: Risk) -> None:
        self.fit, self.p, self.response, self.risk = fit, p, response, risk
        bounds = p.bounds()
        # what follows from the dose: a of the slope on the log axis, else the slope of a
        free_slope = p.kind.slope is None
        self.at = len(bounds) - 1 if not p.kind.logarithm else len(bounds) - 1 - free_slope
        self.bounds = [b for i, b in enumerate(bounds) if i != self.at]
        own = _packed(fit, p)
        self.starts = [np.delete(s, self.at) for s in (own, *p.starts()[1::3])]
        if p.kind.logarithm and free_slope:
            # a curve that is flat up to the last dose and rises beyond it: from a lesser slope
            # the search ends where all of it rises
            steep = np.delete(own, self.at)
            steep[-1] = min(STEEP, p.slopes[1])
            self.starts.append(steep)

    def drop(self, dose: float) -> float:
        x = dose / self.fit.top
        if not self.bounds:
            return self.loss(np.zeros(0), x) + self.fit.log_likelihood
        best, least = search(
            self.p, lambda free: self.loss(free, x), self.bounds, self.starts, polish=1
        )
        if best is not None and least < 1e9:
            self.starts[0] = best
        return least + self.fit.log_likelihood

    def loss(self, free: Array, x: float) -> float:
        p = self.p
        lower, upper, a, b = p.unpack(np.insert(free, self.at, 0.0))
        zero = lower
        if not p.kind.logarithm:
            zero = lower + (upper - lower) * float(p.kind.distribution(np.array(a)))
        target = target_of(self.risk, self.response, zero, lower, upper)
        share = (target - lower) / (upper - lower) if upper > lower else 2.0
        if not 0 < share < 1:
            return 1e10
        eta = p.kind.quantile(share)
        if p.kind.logarithm:
            a = eta - b * float(np.log(x))
        else:
            b = (eta - a) / x
            if not p.slopes[0] <= b <= p.slopes[1]:
                return 1e10
        return -likelihood(rate_of(p.kind, p.x, lower, upper, a, b), p.good, p.asked)


def _packed(fit: ModelFit, p: Problem) -> Array:
    free = [fit.lower] if p.lower_level is None else []
    if p.upper_level is None:
        free.append((fit.upper - fit.lower) / max(1 - fit.lower, 1e-12))
    free.append(fit.a)
    if p.kind.slope is None:
        free.append(fit.b)
    return np.array(free)
