"""The page, its tables and its plots, written so that equal reports are equal bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import write_atomic, write_json
from datadose.reporting._contents import diagnostics, tables
from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._sentence import headline
from datadose.reporting._tables import Table, printable, shown, to_csv, to_json

if TYPE_CHECKING:
    from jinja2 import Environment

    from datadose.curves import Analysis

LONGEST_ANSWER = 2000


@dataclass(frozen=True)
class Plot:
    """One plot of the page: file name, image, inline SVG and what it shows in words."""

    series: str
    response: str
    primary: bool
    file: str
    svg: str
    png: bytes
    alt: str


def write_report(report: Report, folder: Path) -> Path:
    """Write report.html, tables/ and plots/ into `folder` and return the page's path.

    Each file is replaced whole. Plots of an earlier report that this one lacks are removed.
    """
    plots = _plots(report)
    content = tables(report)
    for table in content.values():
        write_atomic(folder / "tables" / f"{table.name}.csv", to_csv(table))
        write_json(folder / "tables" / f"{table.name}.json", to_json(table))
    write_json(folder / "tables" / "diagnostics.json", diagnostics(report))
    for plot in plots:
        write_atomic(folder / "plots" / plot.file, plot.png)
    for stale in (folder / "plots").glob("[0-9][0-9]-*.png"):
        if stale.name not in {plot.file for plot in plots}:
            stale.unlink()
    page = folder / "report.html"
    write_atomic(page, _render(report, content, plots))
    return page


def _plots(report: Report) -> list[Plot]:
    made: list[Plot] = []
    for series in report.series:
        for label, analysis in series.analyses:
            made.append(_plot(series, label, analysis, len(made) + 1))
    return made


def _plot(series: SeriesReport, label: str, analysis: Analysis, at: int) -> Plot:
    # matplotlib is slow to import, and the command line imports this room
    from datadose.reporting._plots import describe, plot_curves, to_png, to_svg

    figure = plot_curves(analysis, series.nulls_of(label), title=f"{series.label}\n{label}")
    slug = re.sub(r"[^a-z0-9]+", "-", f"{series.label} {label}".lower()).strip("-")[:80]
    return Plot(
        series=series.label,
        response=label,
        primary=label == series.primary,
        file=f"{at:02d}-{slug}.png",
        svg=to_svg(figure, f"plot{at}"),
        png=to_png(figure),
        alt=describe(analysis, f"{label}, {series.label}"),
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("datadose.reporting", "templates"),
        # always on: the default of choosing by file name would leave .j2 files unescaped
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["shown"] = shown
    made.filters["clean"] = printable
    made.filters["cut"] = _cut
    return made


def _cut(text: str) -> str:
    text = printable(text)
    if len(text) <= LONGEST_ANSWER:
        return text
    more = f"[... {len(text) - LONGEST_ANSWER:,d} more characters in tables/same_question.json]"
    return f"{text[:LONGEST_ANSWER]}\n{more}"


def _by_series(report: Report, table: Table) -> list[tuple[str, Table]]:
    parts = [(s.label, table.pick("series", s.label)) for s in report.series]
    return [(label, part) for label, part in parts if part.rows]


def _render(report: Report, content: dict[str, Table], plots: list[Plot]) -> str:
    from markupsafe import Markup

    figures: list[dict[str, Any]] = [
        # the SVG is matplotlib's own and has its text escaped
        {"plot": plot, "svg": Markup(plot.svg)}
        for plot in plots
    ]
    failed = [row for row in report.guards if row.passed is False]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            headline=report.headline or headline(report),
            tables=content,
            figures=figures,
            thresholds=_by_series(report, content["thresholds"]),
            points=dict(_by_series(report, content["points"])),
            own_fact=_by_series(report, content["own_fact"]),
            failed=failed,
        )
    )
