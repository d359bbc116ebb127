"""Families of dose-response shapes, and a dense library of their members for a set of doses.

A curve is `level + change x shape`. Levels are free and linear, so only the shape's two numbers
have to be searched, and a grid over them that is finer than the data can tell replaces a search
that may not converge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from datadose._core import Registry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SLOPES = 30
STEP = 0.15
"""Largest change of a shape's logit from one place to the next."""
PLACES = 8
RAMP_ENDS = 12
MESH = 32
LN2 = float(np.log(2.0))

Shape = Callable[["Array", "Array", "Array"], "Array"]
shape: Registry[Shape] = Registry("shape")
inverse: Registry[Shape] = Registry("inverse of a shape")


@shape("logistic")
def logistic(x: Array, place: Array, slope: Array) -> Array:
    """1 / (1 + exp(-slope (x - place)))."""
    return np.asarray(expit(slope * (x - place)))


@inverse("logistic")
def logistic_inverse(p: Array, place: Array, slope: Array) -> Array:
    return np.asarray(place + logit(p) / slope)


@shape("probit")
def probit(x: Array, place: Array, slope: Array) -> Array:
    """The normal distribution function of slope (x - place)."""
    return np.asarray(ndtr(slope * (x - place)))


@inverse("probit")
def probit_inverse(p: Array, place: Array, slope: Array) -> Array:
    return np.asarray(place + ndtri(p) / slope)


@shape("log-logistic")
def log_logistic(x: Array, place: Array, slope: Array) -> Array:
    """x^slope / (x^slope + place^slope), Hill's curve."""
    with np.errstate(divide="ignore"):
        return np.asarray(expit(slope * (np.log(x) - np.log(place))))


@inverse("log-logistic")
def log_logistic_inverse(p: Array, place: Array, slope: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(place * np.exp(logit(p) / slope))


@shape("weibull")
def weibull(x: Array, place: Array, slope: Array) -> Array:
    """1 - exp(-ln 2 (x / place)^slope): half of the change lies at `place`."""
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-LN2 * (x / place) ** slope))


@inverse("weibull")
def weibull_inverse(p: Array, place: Array, slope: Array) -> Array:
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(place * (-np.log1p(-p) / LN2) ** (1 / slope))


@shape("quantal-linear")
def quantal_linear(x: Array, place: Array, slope: Array) -> Array:
    """1 - exp(-ln 2 x / place): Weibull's shape with slope 1."""
    return weibull(x, place, np.ones_like(slope))


@inverse("quantal-linear")
def quantal_linear_inverse(p: Array, place: Array, slope: Array) -> Array:
    return weibull_inverse(p, place, np.ones_like(slope))


@shape("change point")
def change_point(x: Array, place: Array, slope: Array) -> Array:
    """Flat up to `place`, straight from there, flat again after `place` + 1 / `slope`."""
    return np.clip((x - place) * slope, 0.0, 1.0)


@inverse("change point")
def change_point_inverse(p: Array, place: Array, slope: Array) -> Array:
    return place + p / slope


FAMILIES = ("logistic", "probit", "log-logistic", "weibull", "quantal-linear", "change point")
FREE = dict.fromkeys(FAMILIES, 4) | {"quantal-linear": 3}
"""Free numbers of each family: two levels, a place and mostly a slope."""
TURNS = (0.2, 0.5)


@dataclass(frozen=True)
class Library:
    """K shapes on doses scaled to end at 1.

    rise: [D, K], the shape above its value at dose 0. turns: for each share of the whole rise
    the place where a shape has risen by it, [K].
    """

    x: Array
    family: NDArray[np.int64]
    place: Array
    slope: Array
    at_zero: Array
    rise: Array
    turns: dict[float, Array]

    def reach(self, chosen: NDArray[np.int64], rise: Array) -> Array:
        """Where each of the `chosen` shapes has risen by `rise` above its value at dose 0."""
        found = np.full(len(chosen), np.nan)
        level = self.at_zero[chosen] + rise
        for number, name in enumerate(FAMILIES):
            own = self.family[chosen] == number
            which = chosen[own]
            found[own] = inverse.get(name)(level[own], self.place[which], self.slope[which])
        return found

    def risen(self, chosen: NDArray[np.int64], x: Array) -> Array:
        """Rise of the `chosen` shapes at doses `x`, [len(x), len(chosen)]."""
        found = np.empty((len(x), len(chosen)))
        for number, name in enumerate(FAMILIES):
            own = self.family[chosen] == number
            which = chosen[own]
            found[:, own] = shape.get(name)(x[:, None], self.place[which], self.slope[which])
        return found - self.at_zero[chosen]


def _between(x: Array, per_gap: Callable[[float, float], int]) -> Array:
    return np.concatenate(
        [
            a + (b - a) * (np.arange(n) + 0.5) / n
            for a, b in pairwise(x)
            for n in (int(np.clip(per_gap(float(a), float(b)), PLACES, 80)),)
        ]
    )


def _members(x: Array) -> list[tuple[str, Array, Array]]:
    """Name, places and slopes of every family's members for scaled doses `x`."""
    gap = float(np.diff(x).min())
    made: list[tuple[str, Array, Array]] = []
    outside = np.concatenate([np.arange(-0.6, 0.0, 0.02), np.arange(1.0, 1.6, 0.02)])
    for slope in np.geomspace(1.5, max(24 / gap, 3.0), SLOPES):
        places = _between(x, lambda a, b, s=slope: int(np.ceil((b - a) * s / STEP)))  # type: ignore[misc]
        if slope < 15:
            places = np.concatenate([places, outside])
        made.append(("logistic", places, np.full(len(places), slope)))
        made.append(("probit", places, np.full(len(places), 0.6 * slope)))
    low = x[1] / 64
    for name, steepest in (("log-logistic", 24.0), ("weibull", 16.0)):
        for slope in np.geomspace(1.0, steepest, SLOPES):
            logs = np.log(np.concatenate([[low], x[1:]]))
            places = np.exp(_between(logs, lambda a, b, s=slope: int(np.ceil((b - a) * s / STEP))))  # type: ignore[misc]
            beyond = np.geomspace(1.0, 4.0 if slope < 4 else 1.5, 3 * PLACES)
            places = np.concatenate([places, beyond])
            made.append((name, places, np.full(len(places), slope)))
    places = np.geomspace(low, 6.0, 300)
    made.append(("quantal-linear", places, np.ones(300)))
    ends = np.concatenate(
        [a + (b - a) * np.arange(RAMP_ENDS) / RAMP_ENDS for a, b in pairwise(x)] + [np.ones(1)]
    )
    first, last = np.triu_indices(len(ends), 1)
    made.append(("change point", ends[first], 1 / (ends[last] - ends[first])))
    return made


@lru_cache(maxsize=8)
def library(doses: tuple[float, ...]) -> Library:
    """Every shape that counts as different on these doses, which rise from 0 to 1 (scaled)."""
    x = np.array(doses)
    return _built(x, _members(x))


def _built(x: Array, members: list[tuple[str, Array, Array]]) -> Library:
    family = np.concatenate(
        [np.full(len(place), FAMILIES.index(name), dtype=np.int64) for name, place, _ in members]
    )
    place = np.concatenate([place for _, place, _ in members])
    slope = np.concatenate([slope for _, _, slope in members])
    value = np.concatenate([shape.get(n)(x[:, None], p, s) for n, p, s in members], axis=1)
    rise = value - value[0]
    seen = rise[-1] > 1e-6
    made = Library(x, family[seen], place[seen], slope[seen], value[0, seen], rise[:, seen], {})
    every = np.arange(int(seen.sum()))
    made.turns.update({t: made.reach(every, t * made.rise[-1]) for t in TURNS})
    return made


def closer(coarse: Library, near: NDArray[np.int64]) -> Library:
    """The members `near` and a finer mesh over the place and slope of each of their families."""
    members = []
    for number, name in enumerate(FAMILIES):
        own = near[coarse.family[near] == number]
        if not len(own):
            continue
        place, slope = coarse.place[own], coarse.slope[own]
        members.append((name, place, slope))
        if name == "change point":
            first, last = _mesh(place, place + 1 / slope, 0.5 * float(np.diff(coarse.x).min()))
            first = np.maximum(first, 0.0)
            keep = (last > first + 1e-9) & (last <= 1.0)
            members.append((name, first[keep], 1 / (last[keep] - first[keep])))
            continue
        logarithmic = name not in ("logistic", "probit")
        where = np.log(place) if logarithmic else place
        finer, steeper = _mesh(where, np.log(slope), STEP / float(slope.max()))
        if name == "quantal-linear":
            finer = np.linspace(where.min() - STEP, where.max() + STEP, MESH**2)
            steeper = np.zeros(MESH**2)
        steeper = np.maximum(steeper, 0.0) if logarithmic else steeper
        members.append((name, np.exp(finer) if logarithmic else finer, np.exp(steeper)))
    return _built(coarse.x, members)


def _mesh(first: Array, second: Array, least: float) -> tuple[Array, Array]:
    """MESH x MESH points over the box of two coordinates, a quarter larger on each side."""
    sides = []
    for values, pad in ((first, least), (second, 0.05)):
        low, high = float(values.min()), float(values.max())
        pad = max(pad, 0.25 * (high - low))
        sides.append(np.linspace(low - pad, high + pad, MESH))
    a, b = np.meshgrid(*sides)
    return a.ravel(), b.ravel()
