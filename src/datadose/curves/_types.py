"""What goes into a dose-response analysis and what comes out. Nothing here knows of models."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Direction = Literal["down", "up"]
Status = Literal[
    "estimated",
    "above tested doses",
    "below tested doses",
    "worse at dose 0",
    "no effect",
    "instrument dead",
    "not defined",
    "inconclusive",
]


@dataclass(frozen=True)
class Spec:
    """How one response is to be analysed.

    direction: which way the response gets worse as the dose grows: `down` for a share of right
        answers, `up` for a share of misaligned or dangerous ones.
    risk: `added` is |r(d) - r(0)|, `extra` is (r(d) - r(0)) / (1 - r(0)).
    level: one-sided confidence of each limit (0.95 gives BMDL and BMDU of EPA's guidance).
    target: `these` holds the questions fixed and resamples seeds, `like these` resamples both.
    margin: non-inferiority margin of the parity dose.
    axis: `share` (0 to 1) or `count` (wrong rows added).
    """

    response: str
    direction: Direction
    risk: Literal["added", "extra"] = "added"
    benchmark: float = 0.10
    level: float = 0.95
    target: Literal["these", "like these"] = "these"
    margin: float = 0.05
    axis: Literal["share", "count"] = "share"
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Point:
    """A measured rate at one dose, pooled over seeds, with its interval."""

    dose: float
    rate: float
    lower: float
    upper: float
    good: int
    asked: int
    seeds: int


@dataclass(frozen=True)
class Curve:
    """One fitted curve on a grid of doses, with a pointwise band (None where there is none)."""

    name: str
    dose: tuple[float, ...]
    rate: tuple[float, ...]
    lower: tuple[float, ...] | None = None
    upper: tuple[float, ...] | None = None
    failure: str = ""


@dataclass(frozen=True)
class Threshold:
    """A dose with its one-sided limits and a status; never a number without both.

    threshold: `benchmark`, `recovery`, `parity`, `ed50` or `change_point`; `benchmark_response`
    says at which change (0.05, 0.10, 0.20) for the first. `note` names what the bounds depend
    on, such as "conditional on this seed".
    """

    response: str
    threshold: str
    status: Status
    estimate: float | None
    lower: float | None
    upper: float | None
    level: float
    benchmark_response: float | None = None
    note: str = ""
    why: str = ""


@dataclass(frozen=True)
class Analysis:
    """All that was found for one response of one series."""

    spec: Spec
    points: tuple[Point, ...]
    base: Point | None
    curves: tuple[Curve, ...]
    thresholds: tuple[Threshold, ...]
    diagnostics: dict[str, Any] = field(default_factory=dict)
