"""The answer to a study's question, in one sentence that says what it holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datadose.reporting._model import Axis, Report
from datadose.reporting._pick import main_threshold
from datadose.reporting._tables import bounded, number, shown, threshold_name

if TYPE_CHECKING:
    from datadose.curves import Analysis, Threshold


def primary_threshold(report: Report) -> Threshold | None:
    """The threshold that answers the study's question, None where it was not computed."""
    return None if report.main is None else main_threshold(report.main, report)


def headline(report: Report) -> str:
    """What the primary threshold says, with its limits or the reason why there is none.

    On a share axis this is the sentence of `curves`, which gives doses as percentages. It starts
    with "Source mixture, not dose" where the dose is one.
    """
    said = _answer(report)
    return f"Source mixture, not dose. {said}" if report.confounded else said


def _answer(report: Report) -> str:
    series, threshold = report.main, primary_threshold(report)
    if series is None or threshold is None:
        return "No primary threshold was computed."
    if series.axis == "share" and (threshold.lower, threshold.upper) != (None, None):
        from datadose.curves import sentence

        words = {key.replace(" ", "_"): shown(value) for key, value in report.facts.items()}
        return sentence(threshold, words)
    # on a count axis, and where there is no limit to name
    about = f"{threshold_name(threshold)} of {series.primary} ({series.label})"
    said = _finding(threshold, series.axis, series.main)
    names = (("{}", "model"), ("{} rows", "rows"), ("{} steps", "steps"), ("rank {}", "rank"))
    facts = [
        frame.format(shown(report.facts[key], "count"))
        for frame, key in (*names, ("probe set {}", "probe set"))
        if key in report.facts
    ]
    note = f" Bounds: {threshold.note}." if threshold.note else ""
    return f"{about[0].upper()}{about[1:]}: {said} Measured on {', '.join(facts)}.{note}"


def _finding(threshold: Threshold, axis: Axis, analysis: Analysis) -> str:
    doses = [point.dose for point in analysis.points]
    top = number(max(doses), pad=False) if doses else "n/a"
    low = number(min((d for d in doses if d > 0), default=0.0), pad=False)
    why = f" ({threshold.why})" if threshold.why else ""
    fixed = {
        "above tested doses": f"above the doses tested, which end at {top}{why}.",
        "below tested doses": f"below the lowest dose tested, {low}{why}.",
        "worse at dose 0": f"none, already worse at dose 0{why}.",
        "no effect": f"none, no effect at any dose up to {top}{why}.",
        "instrument dead": f"no answer, the positive control did not move{why}.",
        "not defined": f"not defined{why}.",
    }
    if threshold.status in fixed:
        return fixed[threshold.status]
    estimate = bounded(threshold)
    if estimate is None:
        return f"{threshold.status}, the data support no number{why}."
    lower, upper = threshold.lower or 0.0, threshold.upper or 0.0
    limits = f"one-sided {100 * threshold.level:.3g}% limits {number(lower)} and {number(upper)}"
    if axis == "count":
        said = f"{number(estimate)} wrong rows ({limits})"
    else:
        said = f"a dose of {number(estimate)} ({limits}), {100 * (1 - estimate):.3g}% correct"
    return f"{said}." if threshold.status == "estimated" else f"{threshold.status}, {said}{why}."
