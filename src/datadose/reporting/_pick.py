"""What belongs together in a report: found by label, never computed."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

from datadose.reporting._model import ContrastRow, Report, SeriesReport

if TYPE_CHECKING:
    from datadose.curves import Threshold

Contrasts = dict[str, dict[str, Any]]


def contrasts_of(series: SeriesReport, report: Report) -> Contrasts:
    """Rates of one series by kind of probe, then by kind of arm: a `ContrastRow` or a `Point`.

    The base model's rate is that of this series where it is known, else that of the study.
    """
    bases = {label: a.base for label, a in series.analyses}
    groups: Contrasts = {}
    for c in report.contrasts:
        if c.series == series.label:
            groups.setdefault(_probes(c, bases), {})[c.what] = c
    for name, group in groups.items():
        shared = [c for c in report.contrasts if not c.series and _probes(c, bases) == name]
        base = group.get("base") or bases.get(name) or (shared[0] if len(shared) == 1 else None)
        groups[name] = ({"base": base} if base else {}) | group
    return groups


def _probes(c: ContrastRow, labels: Container[str]) -> str:
    return c.response if c.response in labels else f"{c.response}: {c.relation}"


def short_labels(report: Report) -> dict[str, str]:
    """Labels of the series without the parts, set off by slashes, that all of them share."""
    labels = [s.label for s in report.series]
    parts = [label.split("/") for label in labels]
    if len(labels) < 2 or len({len(p) for p in parts}) > 1:
        return {label: label for label in labels}
    vary = [i for i, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    return {label: " ".join(p[i] for i in vary) for label, p in zip(labels, parts, strict=True)}


def main_threshold(series: SeriesReport, report: Report) -> Threshold | None:
    """The threshold named before training, as found in one series; None where not computed.

    Of several benchmark doses it is the one at the analysis's own benchmark response.
    """
    wanted = (None, series.main.spec.benchmark)
    for t in series.main.thresholds:
        if t.threshold == report.primary_threshold and t.benchmark_response in wanted:
            return t
    return None
