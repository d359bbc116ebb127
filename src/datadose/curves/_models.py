"""Maximum-likelihood fits of single named models to counts, with profile-likelihood limits.

The check beside the engine: independent binomial counts, one model at a time, as EPA's BMDS and
psignifit fit them. With `lower_level=0, upper_level=1` the logistic and probit models have no free
levels; with `upper_level=1` the others have background only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize
from scipy.special import expit, logit, ndtr, ndtri

from datadose._core import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TINY = 1e-10
Risk = Literal["added", "extra", "range"]


@dataclass(frozen=True)
class Model:
    """lower + (upper - lower) x F(a + b x), x being the dose or its logarithm."""

    distribution: Callable[[Array], Array]
    quantile: Callable[[float], float]
    logarithm: bool
    slope: float | None = None


model: Registry[Callable[[], Model]] = Registry("dose-response model")


@model("logistic")
def _logistic() -> Model:
    return Model(expit, lambda p: float(logit(p)), False)


@model("probit")
def _probit() -> Model:
    return Model(ndtr, lambda p: float(ndtri(p)), False)


@model("log-logistic")
def _log_logistic() -> Model:
    return Model(expit, lambda p: float(logit(p)), True)


@model("weibull")
def _weibull() -> Model:
    return Model(_gompertz, lambda p: float(np.log(-np.log1p(-p))), True)


@model("quantal-linear")
def _quantal_linear() -> Model:
    return Model(_gompertz, lambda p: float(np.log(-np.log1p(-p))), True, slope=1.0)


def _gompertz(eta: Array) -> Array:
    return np.asarray(-np.expm1(-np.exp(np.clip(eta, -500.0, 50.0))))


@dataclass(frozen=True)
class ModelFit:
    """One model at its maximum; a and b are for doses divided by `top`.

    failure says why there is no fit; all numbers are then NaN.
    """

    name: str
    lower: float
    upper: float
    a: float
    b: float
    top: float
    log_likelihood: float
    parameters: int
    failure: str = ""

    def at(self, doses: Array) -> Array:
        """Rates at `doses`."""
        return rate_of(
            model.get(self.name)(), doses / self.top, self.lower, self.upper, self.a, self.b
        )

    @property
    def aic(self) -> float:
        return 2 * self.parameters - 2 * self.log_likelihood


def rate_of(kind: Model, x: Array, lower: float, upper: float, a: float, b: float) -> Array:
    if kind.logarithm:
        eta = np.where(x > 0, a + b * np.log(np.maximum(x, 1e-300)), -np.inf)
    else:
        eta = a + b * x
    return lower + (upper - lower) * kind.distribution(eta)


def likelihood(rate: Array, good: Array, asked: Array) -> float:
    p = np.clip(rate, TINY, 1 - TINY)
    return float(good @ np.log(p) + (asked - good) @ np.log1p(-p))


@dataclass(frozen=True)
class Problem:
    """Free numbers of a fit: levels as (lower, share of the room above it), then a and b."""

    kind: Model
    x: Array
    good: Array
    asked: Array
    lower_level: float | None
    upper_level: float | None
    slopes: tuple[float, float]

    def bounds(self) -> list[tuple[float, float]]:
        found = []
        if self.lower_level is None:
            found.append((0.0, 1.0))
        if self.upper_level is None:
            found.append((0.0, 1.0))
        found.append((-30.0, 30.0))
        if self.kind.slope is None:
            found.append(self.slopes)
        return found

    def unpack(self, free: Array) -> tuple[float, float, float, float]:
        rest = list(map(float, free))
        lower = rest.pop(0) if self.lower_level is None else self.lower_level
        if self.upper_level is None:
            upper = lower + (1 - lower) * rest.pop(0)
        else:
            upper = max(self.upper_level, lower)
        a = rest.pop(0)
        b = rest.pop(0) if self.kind.slope is None else self.kind.slope
        return lower, upper, a, b

    def starts(self) -> list[Array]:
        p = (self.good + 0.5) / (self.asked + 1)
        low, high = float(p.min()), float(p.max())
        made = []
        for middle in (0.25, 0.5, 0.8):
            for slope in (1.5, 4.0) if self.kind.logarithm else (4.0, 12.0):
                b = float(np.clip(slope, *self.slopes)) if self.kind.slope is None else 1.0
                place = float(np.log(middle)) if self.kind.logarithm else middle
                free = [low] if self.lower_level is None else []
                if self.upper_level is None:
                    free.append((high - low) / max(1 - low, 1e-9))
                free.append(float(np.clip(-b * place, -29, 29)))
                if self.kind.slope is None:
                    free.append(b)
                made.append(np.array(free))
        return [*made, self._gentle(p)]

    def _gentle(self, rate: Array) -> Array:
        """About the straight line through the rates, where the others rise far above them."""
        rise, low = np.polyfit(self.x, rate, 1) if np.ptp(self.x) > 0 else (0.0, rate[0])
        low = float(np.clip(low, 1e-3, 0.99))
        high = low + max(float(rise), 0.02)
        b = float(np.clip(1.0, *self.slopes)) if self.kind.slope is None else 1.0
        floor = low if self.lower_level is None else self.lower_level
        free = [low] if self.lower_level is None else []
        if self.upper_level is None:
            free.append(0.5)
        roof = floor + 0.5 * (1 - floor) if self.upper_level is None else self.upper_level
        share = float(np.clip((high - floor) / max(roof - floor, 1e-9), 1e-3, 0.999))
        place = 0.0 if self.kind.logarithm else b
        free.append(float(np.clip(self.kind.quantile(share) - place, -29, 29)))
        if self.kind.slope is None:
            free.append(b)
        return np.array(free)

    def loss(self, free: Array) -> float:
        return -likelihood(rate_of(self.kind, self.x, *self.unpack(free)), self.good, self.asked)


def fit_model(
    name: str,
    doses: Array,
    good: Array,
    asked: Array,
    *,
    lower_level: float | None = None,
    upper_level: float | None = None,
    slope_at_least: float | None = None,
) -> ModelFit:
    """Fit a rising model to independent counts by maximum likelihood.

    lower_level, upper_level: fixed where given, else free within 0 and 1. slope_at_least: by
    default 0 on the dose and 1 on its logarithm (EPA's restriction). For a falling response pass
    `asked - good`. Raises UsageError for an unknown name; anything else that goes wrong is in
    `failure`.
    """
    kind = model.get(name)()
    bad = _unfit(doses, good, asked)
    if bad:
        return _failed(name, bad)
    p = pose(kind, doses, good, asked, lower_level, upper_level, slope_at_least)
    free, loss = search(p, p.loss, p.bounds(), p.starts())
    if free is None:
        return _failed(name, "the search did not converge from any start")
    lower, upper, a, b = p.unpack(free)
    return ModelFit(name, lower, upper, a, b, float(doses.max()), -loss, len(free))


def pose(
    kind: Model,
    doses: Array,
    good: Array,
    asked: Array,
    lower_level: float | None,
    upper_level: float | None,
    slope_at_least: float | None,
) -> Problem:
    least = slope_at_least if slope_at_least is not None else (1.0 if kind.logarithm else 0.0)
    x = np.asarray(doses, dtype=float) / float(doses.max())
    return Problem(kind, x, good, asked, lower_level, upper_level, (least, max(200.0, least)))


def _unfit(doses: Array, good: Array, asked: Array) -> str:
    if len(doses) == 0 or not (len(doses) == len(good) == len(asked)):
        return "doses, good and asked must be equally long and not empty"
    if not (np.isfinite(doses).all() and np.isfinite(good).all() and np.isfinite(asked).all()):
        return "a value is not a number"
    if (doses < 0).any() or float(doses.max()) <= 0:
        return "no dose above 0"
    if (asked <= 0).any() or (good < 0).any() or (good > asked).any():
        return "counts are not within 0..asked"
    return ""


def _failed(name: str, why: str) -> ModelFit:
    nan = float("nan")
    return ModelFit(name, nan, nan, nan, nan, 1.0, nan, 0, why)


def search(
    p: Problem,
    loss: Callable[[Array], float],
    bounds: list[tuple[float, float]],
    starts: list[Array],
    polish: int = 3,
) -> tuple[Array | None, float]:
    """The free numbers of least `loss` and that loss; (None, infinite) where no start converged."""
    ends: list[tuple[float, Array]] = []
    for start in starts:
        start = np.clip(start, [b[0] for b in bounds], [b[1] for b in bounds])
        found = optimize.minimize(
            loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-13}
        )
        if np.isfinite(found.fun):
            ends.append((float(found.fun), np.asarray(found.x)))
    best: Array | None = None
    least = np.inf
    # more than one, because numerical slopes can end a search early at a bound, and the best end is
    # then not always the one that would get lowest
    for _, end in sorted(ends, key=lambda e: e[0])[:polish]:
        polished = optimize.minimize(
            loss,
            end,
            method="Nelder-Mead",
            bounds=bounds,
            options={"maxiter": 2000, "fatol": 1e-9, "xatol": 1e-7},
        )
        if polished.fun < least:
            best, least = np.asarray(polished.x), float(polished.fun)
    return best, float(least)


def model_benchmark(fit: ModelFit, *, response: float = 0.1, risk: Risk = "extra") -> float | None:
    """The dose at which the fitted risk over dose 0 reaches `response`, None if it never does.

    risk `added` and `extra` are BMDS's. `range` is `response` of the way from the lower to the
    upper level, whatever the rate at dose 0: at 0.5 psignifit's threshold and the relative ED50 of
    R's drc.
    """
    if fit.failure:
        return None
    kind = model.get(fit.name)()
    zero = float(rate_of(kind, np.zeros(1), fit.lower, fit.upper, fit.a, fit.b)[0])
    target = target_of(risk, response, zero, fit.lower, fit.upper)
    if fit.upper <= fit.lower or not 0 < (target - fit.lower) / (fit.upper - fit.lower) < 1:
        return None
    eta = kind.quantile((target - fit.lower) / (fit.upper - fit.lower))
    if fit.b <= 0:
        return None
    x = (eta - fit.a) / fit.b
    return float(np.exp(min(x, 700.0)) if kind.logarithm else x) * fit.top


def target_of(risk: Risk, response: float, zero: float, lower: float, upper: float) -> float:
    """The rate at the benchmark dose, `zero` being the rate at dose 0."""
    if risk == "range":
        return lower + response * (upper - lower)
    return zero + response * (1 - zero if risk == "extra" else 1.0)
