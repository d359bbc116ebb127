"""Thresholds in plain sentences, and records that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from datadose.curves._types import Spec, Threshold

MEANING = {
    "benchmark": "the dose at which {response} gets worse by {change}",
    "recovery": "the largest dose that keeps 80% of what clean training gains in {response}",
    "parity": "the largest dose at which {response} is no worse than the base model",
    "ed50": "the dose at which half of the gain in {response} is lost",
    "change_point": "the dose at which {response} changes its course",
}


def _share(value: float) -> str:
    return f"{value:.0%}" if value <= 1 else f"{value:g} rows"


def _wrong(value: float, spec: Spec | None) -> str:
    if spec is None or spec.axis == "share":
        return f"{_share(value)} wrong"
    return f"{_rows(value)} wrong rows"


def _rows(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def sentence(threshold: Threshold, words: Mapping[str, str], spec: Spec | None = None) -> str:
    """One plain sentence that names what the threshold holds for.

    words: model, rows, steps, rank, probe_set; those missing are left out. spec: how the response
    was analysed, which is told where it is not a rate with added or extra risk on the share axis.
    """
    t = threshold
    dose = _rows if spec is not None and spec.axis == "count" else _share
    change = "" if t.benchmark_response is None else _change(t.benchmark_response, spec)
    meaning = MEANING[t.threshold].format(response=t.response, change=change)
    scope = _scope(words)
    side = f"{t.level:.0%} one-sided limits"
    start = meaning[0].upper() + meaning[1:]
    if t.status == "estimated" and t.estimate is not None:
        body = (
            f"{start} is {_wrong(t.estimate, spec)}"
            f" ({dose(t.lower or 0.0)} to {dose(t.upper or 0.0)}, {side})"
        )
    elif t.status == "below tested doses":
        body = (
            f"{start} lies below the lowest dose tested, at most at {_wrong(t.upper or 0.0, spec)}"
            f" ({t.level:.0%} one-sided limit)"
        )
    elif t.status == "above tested doses":
        body = f"{start} lies above {_wrong(t.lower or 0.0, spec)}, the highest dose tested"
    elif t.status == "no effect":
        margin = "5 points" if spec is None or spec.scale == "rate" else f"{0.05 * spec.unit:g}"
        body = f"No dose tested changes {t.response}, within {margin}"
    elif t.status == "instrument dead":
        body = f"Nothing can be said of {t.response}: the positive control did not move it"
    elif t.status == "worse at dose 0":
        body = f"Even clean training leaves {t.response} worse than the base model"
    elif t.status == "not defined":
        body = f"{start} is not defined"
    elif t.upper is not None:
        body = (
            f"{start} is not settled: between {dose(t.lower or 0.0)} and"
            f" {_wrong(t.upper, spec)} ({side})"
        )
    else:
        body = f"{start} is not settled: above {_wrong(t.lower or 0.0, spec)}, no upper limit"
    tail = f"; {t.why}" if t.why and t.status in ("not defined", "instrument dead") else ""
    note = f", {t.note}" if t.note else ""
    return f"{body}{tail}{note}{scope}."


def _change(response: float, spec: Spec | None) -> str:
    """A benchmark response in words: 10%, 10% of its value at dose 0, or 10 of a score."""
    if spec is not None and spec.risk == "relative":
        return f"{100 * response:.3g}% of its value at dose 0"
    if spec is not None and spec.scale == "continuous":
        return f"{response * spec.unit:.4g}"
    return f"{100 * response:.3g}%"


def _scope(words: Mapping[str, str]) -> str:
    named = []
    if "model" in words:
        named.append(words["model"])
    if "rows" in words:
        named.append(f"{words['rows']} rows")
    if "steps" in words:
        named.append(f"{words['steps']} steps")
    if "rank" in words:
        named.append("full fine-tuning" if words["rank"] == "full" else f"rank {words['rank']}")
    if "probe_set" in words:
        named.append(words["probe_set"])
    return f" ({', '.join(named)})" if named else ""


def as_record(value: Any) -> Any:
    """`value` as JSON can hold it: floats at six significant digits, NaN as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_record(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): as_record(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [as_record(v) for v in value]
    if isinstance(value, float):
        # + 0.0 makes -0.0 a plain zero
        return float(f"{value:.6g}") + 0.0 if math.isfinite(value) else None
    return value
