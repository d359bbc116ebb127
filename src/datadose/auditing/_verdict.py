"""What to do with rows of such a wrong share, by the thresholds of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from datadose.auditing._share import Share

Action = Literal["leave", "clean first", "don't fine-tune", "can't say"]


@dataclass(frozen=True)
class Limits:
    """What a study found for one response of one series; doses are shares of wrong rows.

    `harm`: lower limit of its benchmark dose (for the response's own level, 10%). `worse`: upper
    limit of the parity dose. `points`: (dose, rate, lower, upper) in rising order of dose.
    """

    series: str
    response: str
    harm: float | None = None
    worse: float | None = None
    points: tuple[tuple[float, float, float, float], ...] = ()


@dataclass(frozen=True)
class Predicted:
    """A response's rate at the share: at its estimate, and the widest limits over its bounds."""

    series: str
    response: str
    rate: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Verdict:
    """The action, why, and the rates to be expected."""

    action: Action
    why: str
    predicted: tuple[Predicted, ...] = ()


def verdict(share: Share, limits: Sequence[Limits]) -> Verdict:
    """A pure function of a share and thresholds.

    don't fine-tune: the share's lower limit is above the upper limit of a parity dose, so that
    the tuned model is worse than its base. leave: its upper limit is below the lower limit of
    every benchmark dose there is. can't say: there is no share, or no benchmark dose has a lower
    limit, or a share that is model-based alone would say leave: real errors that look unlike
    planted ones are beyond its limits. Else: clean first.
    """
    if share.estimate is None or share.lower is None or share.upper is None:
        return Verdict("can't say", "there is no estimate of the wrong share")
    predicted = tuple(p for x in limits if (p := predict(share, x)) is not None)
    for x in limits:
        if x.worse is not None and share.lower > x.worse:
            why = (
                f"at least {share.lower:.3g} of the rows are wrong, and from {x.worse:.3g} on the"
                f" tuned model is worse than its base ({x.response}, {x.series})"
            )
            return Verdict("don't fine-tune", why, predicted)
    known = [x for x in limits if x.harm is not None]
    if not known:
        why = "no benchmark dose with a lower limit to hold the share against: give --study RUN"
        return Verdict("can't say", why, predicted)
    first = min(known, key=lambda x: x.harm or 0.0)
    assert first.harm is not None
    named = f"{first.harm:.3g} ({first.response}, {first.series})"
    if share.upper < first.harm and share.method == "model-based":
        why = (
            f"at most {share.upper:.3g} of the rows are wrong if real errors look like planted"
            f" ones, below the lowest limit {named}; label some rows to know"
        )
        return Verdict("can't say", why, predicted)
    if share.upper < first.harm:
        why = f"at most {share.upper:.3g} of the rows are wrong, below the lowest limit {named}"
        return Verdict("leave", why, predicted)
    why = f"up to {share.upper:.3g} of the rows may be wrong; harm may begin at {named}"
    return Verdict("clean first", why, predicted)


def predict(share: Share, limits: Limits) -> Predicted | None:
    """The response's rate at the share, by straight lines between the tested doses.

    None where the share's bounds leave the tested doses, or nothing was tested.
    """
    import numpy as np

    if share.estimate is None or share.lower is None or share.upper is None:
        return None
    if len(limits.points) < 2:
        return None
    doses, rates, lows, highs = (np.array(column) for column in zip(*limits.points, strict=True))
    if share.lower < doses[0] or share.upper > doses[-1]:
        return None
    inside = doses[(doses > share.lower) & (doses < share.upper)]
    spots = np.concatenate([[share.lower, share.estimate, share.upper], inside])
    return Predicted(
        limits.series,
        limits.response,
        float(np.interp(share.estimate, doses, rates)),
        float(np.interp(spots, doses, lows).min()),
        float(np.interp(spots, doses, highs).max()),
    )


def limits_of(results: Mapping[str, Any]) -> tuple[Limits, ...]:
    """The limits in a run's `doses.json`, series on the share axis only."""
    found = []
    for series, responses in results.get("series", {}).items():
        for response, analysis in responses.items():
            if analysis.get("spec", {}).get("axis", "share") != "share":
                continue
            thresholds = analysis.get("thresholds", [])
            level = analysis.get("spec", {}).get("benchmark", 0.10)
            harm = [
                t["lower"]
                for t in thresholds
                if t["threshold"] == "benchmark" and t["benchmark_response"] == level
            ]
            worse = [t["upper"] for t in thresholds if t["threshold"] == "parity"]
            points = sorted(
                (p["dose"], p["rate"], p["lower"], p["upper"])
                for p in analysis.get("points", [])
                if p["dose"] >= 0
            )
            found.append(
                Limits(
                    series,
                    response,
                    harm[0] if harm else None,
                    worse[0] if worse else None,
                    tuple(points),
                )
            )
    return tuple(found)
