"""From limits to a status, by the written rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._profile import Limits
from datadose.curves._types import Spec, Status, Threshold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ALIVE = 0.10
EQUIVALENT = 0.05
WIDEST = 0.5
LEVELS = (0.05, 0.10, 0.20)


@dataclass(frozen=True)
class Ground:
    """What a status rests on besides the limits.

    control: lower limit of how far the positive control moved. flat: equivalent to dose 0 at
    every dose.
    """

    doses: Array
    control: float
    flat: bool
    note: str = ""


def undefined(spec: Spec, name: str, why: str, level: float | None = None) -> Threshold:
    """A threshold that the data don't define."""
    return Threshold(
        spec.response, name, "not defined", None, None, None, spec.level, level, why=why
    )


def responses(spec: Spec) -> tuple[float, ...]:
    """Benchmark responses to tabulate: 5, 10 and 20%, and the one named where it is another."""
    return tuple(sorted({*LEVELS, spec.benchmark}))


def all_undefined(spec: Spec, why: str) -> tuple[Threshold, ...]:
    """Every threshold, none defined."""
    return (
        *(undefined(spec, "benchmark", why, level) for level in responses(spec)),
        *(undefined(spec, n, why) for n in ("recovery", "ed50", "parity", "change_point")),
    )


def judged(
    limits: Limits, ground: Ground, spec: Spec, name: str, level: float | None = None
) -> Threshold:
    """The threshold with its status; the estimate is dropped where a limit is missing."""
    status, why = _status(limits, ground, spec)
    lower: float | None = limits.lower
    upper, estimate = limits.upper, limits.estimate
    if status in ("no effect", "instrument dead"):
        lower = upper = None
    if status == "below tested doses":
        lower = 0.0
    if upper is None or lower is None or status not in ("estimated", "inconclusive"):
        estimate = None
    p = limits.p if np.isfinite(limits.p) else None
    return Threshold(
        spec.response, name, status, estimate, lower, upper, spec.level, level, ground.note, why, p
    )


def _margin(value: float, spec: Spec) -> str:
    return f"{value * spec.unit:g}"


def _status(limits: Limits, ground: Ground, spec: Spec) -> tuple[Status, str]:
    doses = ground.doses
    if limits.upper is None:
        if not ground.control >= ALIVE:
            return (
                "instrument dead",
                f"the positive control moved by {spec.amount(ground.control)} by its lower limit,"
                f" {_margin(ALIVE, spec)} is needed",
            )
        if ground.flat:
            return (
                "no effect",
                f"equivalent to dose 0 within {_margin(EQUIVALENT, spec)} at every dose",
            )
        if limits.beyond:
            return "above tested doses", f"not reached at the highest dose run, {doses[-1]:g}"
        return "inconclusive", "the limits of the curve include both reaching it and not"
    first = float(doses[1])
    if limits.lower <= 0:
        if limits.upper <= first * (1 + 1e-9):
            return "below tested doses", f"already reached at the lowest dose run, {first:g}"
        return "inconclusive", "no dose above 0 is clearly below the threshold"
    width = limits.upper - limits.lower
    if spec.axis == "share" and width > WIDEST:
        return "inconclusive", f"the limits are {width:.2f} apart, over {WIDEST}"
    if limits.upper < first:
        return "estimated", f"below the lowest dose run, {first:g}: it rests on the curve's shape"
    low = doses[doses <= limits.lower].max()
    high = doses[doses >= limits.upper].min() if (doses >= limits.upper).any() else doses[-1]
    return "estimated", f"between {low:g} and {high:g}, both tested"
