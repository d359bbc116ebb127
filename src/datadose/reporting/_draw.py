"""Every plot of a report, as inline SVG, as PNG, and in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._pick import contrasts_of

if TYPE_CHECKING:
    from datadose.curves import Analysis

SOURCE_AXIS = "share of rows from the wrong rows' source"


@dataclass(frozen=True)
class Drawn:
    """One plot: what it belongs to, its inline SVG (may be empty), its file and image."""

    kind: Literal["overview", "panel", "curves", "contrasts"]
    series: str
    caption: str
    svg: str
    file: str = ""
    png: bytes = b""


def draw_all(report: Report) -> list[Drawn]:
    """The overview of several series, then curves and contrasts of each."""
    made: list[Drawn] = _overview(report) if len(report.series) > 1 else []
    number = 0
    for series in report.series:
        for label, analysis in series.analyses:
            number += 1
            made.append(_curves(report, series, label, analysis, number))
        if contrasts_of(series, report):
            number += 1
            made.append(_contrasts(report, series, number))
    return made


def _overview(report: Report) -> list[Drawn]:
    from datadose.reporting._panels import plot_overview, plot_panel
    from datadose.reporting._plots import describe, to_png, to_svg

    whole = Drawn("overview", "", "", "", "00-overview.png", to_png(plot_overview(report)))
    panels = [
        Drawn("panel", s.label, s.label, to_svg(plot_panel(s, report), f"panel{i}", s.label, said))
        for i, s in enumerate(report.series, 1)
        for said in (describe(s.main, s.primary),)
    ]
    return [whole, *panels]


def _curves(
    report: Report, series: SeriesReport, label: str, analysis: Analysis, number: int
) -> Drawn:
    # matplotlib is slow to import, and the command line imports this room
    from datadose.reporting._plots import describe, plot_curves, to_png, to_svg

    figure = plot_curves(
        analysis,
        series.nulls_of(label),
        title=f"{series.label}\n{label}",
        ylabel="share right" if analysis.spec.direction == "down" else f"share {label}",
        xlabel=SOURCE_AXIS if report.confounded and series.axis == "share" else "",
    )
    said = describe(analysis, f"{label}, {series.label}")
    return Drawn(
        "curves",
        series.label,
        f"{label} (primary)" if label == series.primary else label,
        to_svg(figure, f"plot{number}", f"{label}, {series.label}", said),
        _file(number, series.label, label),
        to_png(figure),
    )


def _contrasts(report: Report, series: SeriesReport, number: int) -> Drawn:
    from datadose.reporting._panels import describe_contrasts, plot_contrasts
    from datadose.reporting._plots import to_png, to_svg

    groups = contrasts_of(series, report)
    name = "base, clean, dirty and controls"
    figure = plot_contrasts(groups, title=f"{series.label}\n{name}")
    return Drawn(
        "contrasts",
        series.label,
        name,
        to_svg(figure, f"plot{number}", f"{name}, {series.label}", describe_contrasts(groups)),
        _file(number, series.label, "contrasts"),
        to_png(figure),
    )


def _file(number: int, series: str, what: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", f"{series} {what}".lower()).strip("-")[:80]
    return f"{number:02d}-{slug}.png"
