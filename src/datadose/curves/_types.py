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
    risk: `added` is |r(d) - r(0)|, `extra` is (r(d) - r(0)) / (1 - r(0)), `relative` is
        |r(d) - r(0)| / |r(0)|. Extra risk of a response that gets worse as it falls is the share of
        r(0) that is lost, which is relative. A continuous scale has no extra risk.
    benchmark: the response change that leads, in `unit` (a share for extra and relative); 5, 10
        and 20% stand beside it.
    level: one-sided confidence of each limit (0.95 gives BMDL and BMDU of EPA's guidance).
    target: `these` holds the questions fixed and resamples seeds, `like these` resamples both.
    margin: non-inferiority margin of the parity dose.
    axis: `share` (0 to 1) or `count` (wrong rows added).
    scale: `rate` for counts, `continuous` for a column `value` (an alignment score, a loss).
    unit: what counts as 1 on a continuous scale (100 for a score of 0 to 100): benchmark responses,
        margins and contrasts are in it; points and curves are in the table's own units.
    """

    response: str
    direction: Direction
    risk: Literal["added", "extra", "relative"] = "added"
    benchmark: float = 0.10
    level: float = 0.95
    target: Literal["these", "like these"] = "these"
    margin: float = 0.05
    axis: Literal["share", "count"] = "share"
    resamples: int = 2000
    seed: int = 0
    scale: Literal["rate", "continuous"] = "rate"
    unit: float = 1.0

    def amount(self, change: float) -> str:
        """A change of the response in words: 0.12 of a rate, 12 of a score with unit 100."""
        return f"{change:.2f}" if self.scale == "rate" else f"{change * self.unit:.3g}"


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
    on, such as "conditional on this seed". p: one-sided, against the threshold lying above all
    tested doses; p_adjusted: by Holm, where the study named something else as primary.
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
    p: float | None = None
    p_adjusted: float | None = None


@dataclass(frozen=True)
class Contrast:
    """A difference at one tested dose with one-sided limits; larger is worse.

    kind: `change` from dose 0; `recovery`, above 0 where more than 20% of the gain is lost;
    `parity`, from the base model; `lost gain`, the share of what clean training gained over base
    (its limits are None where the gain is too uncertain to divide by).
    """

    kind: Literal["change", "recovery", "parity", "lost gain"]
    dose: float
    estimate: float
    lower: float | None
    upper: float | None
    standard_error: float
    freedom: float


@dataclass(frozen=True)
class Analysis:
    """All that was found for one response of one series."""

    spec: Spec
    points: tuple[Point, ...]
    base: Point | None
    curves: tuple[Curve, ...]
    thresholds: tuple[Threshold, ...]
    diagnostics: dict[str, Any] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
