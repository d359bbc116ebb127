"""The page, its tables and its plots, written so that equal reports are equal bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from datadose._core import write_atomic, write_json
from datadose.reporting import _views as views
from datadose.reporting._contents import diagnostics, tables
from datadose.reporting._draw import Drawn, draw_all
from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._pick import contrasts_of
from datadose.reporting._sentence import headline
from datadose.reporting._tables import Table, printable, shown, to_csv, to_json

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_ANSWER = 2000
# what stands in the page; tables/ always holds the rest
MOST_QUESTIONS, MOST_ROWS = 24, 300
LENGTHS_APART = 1.25


@dataclass(frozen=True)
class Part:
    """All that the page says of one series."""

    anchor: str
    series: SeriesReport
    shown_open: bool
    thresholds: views.View
    doses: views.View
    contrasts: views.View
    differences: views.View
    own_fact: views.View
    checkpoints: views.View
    outcomes: views.View
    undertrained: bool | None
    lengths: tuple[str, ...]
    lengths_apart: bool


def write_report(report: Report, folder: Path) -> Path:
    """Write report.html, tables/ and plots/ into `folder` and return the page's path.

    Each file is replaced whole. Plots of an earlier report that this one lacks are removed.
    """
    plots = draw_all(report)
    content = tables(report)
    for table in content.values():
        write_atomic(folder / "tables" / f"{table.name}.csv", to_csv(table))
        write_json(folder / "tables" / f"{table.name}.json", to_json(table))
    write_json(folder / "tables" / "diagnostics.json", diagnostics(report))
    files = {plot.file: plot.png for plot in plots if plot.file}
    for name, png in files.items():
        write_atomic(folder / "plots" / name, png)
    for stale in (folder / "plots").glob("[0-9][0-9]-*.png"):
        if stale.name not in files:
            stale.unlink()
    page = folder / "report.html"
    write_atomic(page, _render(report, content, plots))
    return page


@cache
def environment() -> Environment:
    """The templates of this room, with every text escaped."""
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


def _part(report: Report, series: SeriesReport, anchor: str, content: dict[str, Table]) -> Part:
    outcomes = content["outcomes_by_dose"].pick("series", series.label)
    lengths = [row for row in report.lengths if row.series == series.label]
    ratios = [row.ratio for row in lengths if row.ratio]
    return Part(
        anchor=anchor,
        series=series,
        shown_open=len(report.series) <= 2 or series is report.main,
        thresholds=views.thresholds_view(series, content["thresholds"]),
        doses=views.doses_view(series, content["doses"], content["points"]),
        contrasts=views.contrasts_view(contrasts_of(series, report)),
        differences=views.differences_view(content["differences"].pick("series", series.label)),
        own_fact=views.own_fact_view(series, content["own_fact"]),
        checkpoints=views.checkpoints_view(series, content["checkpoints"]),
        outcomes=views.plain_view(outcomes),
        undertrained=report.undertrained_of(series),
        lengths=tuple(
            f"right rows {shown(r.right)} {r.unit}, wrong rows {shown(r.wrong)}, "
            f"wrong / right {shown(r.ratio)}"
            for r in lengths
        ),
        lengths_apart=any(not 1 / LENGTHS_APART <= ratio <= LENGTHS_APART for ratio in ratios),
    )


def _statuses(report: Report, overview: Table) -> str:
    """How many series ended in which status, such as `8 series: 5 estimated, 3 no effect`."""
    found = Counter(str(r["status"] or "not computed") for r in views.records(overview))
    return f"{len(report.series)} series: " + ", ".join(f"{n} {s}" for s, n in found.items())


def _elsewhere(report: Report, outcomes: Table) -> Table:
    """Outcomes of the base model and of control arms, which stand in no series of the report."""
    labels = {s.label for s in report.series}
    return replace(outcomes, rows=tuple(row for row in outcomes.rows if row[0] not in labels))


def _render(report: Report, content: dict[str, Table], plots: list[Drawn]) -> str:
    from markupsafe import Markup

    anchors = {s.label: f"series-{i}" for i, s in enumerate(report.series, 1)}
    overview = views.overview_view(report, content["overview"], anchors)
    answers = zip(overview.rows, report.series, strict=True)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            headline=report.headline or headline(report),
            answer=next((row for row, s in answers if s is report.main), None),
            statuses=_statuses(report, content["overview"]),
            overview=overview,
            responses=views.responses_view(report, content["thresholds"], anchors),
            parts=[_part(report, s, anchors[s.label], content) for s in report.series],
            # the SVG is matplotlib's own and has its text escaped
            figures=[{"plot": plot, "svg": Markup(plot.svg)} for plot in plots],
            sources=views.plain_view(content["sources"]),
            outcomes=views.plain_view(_elsewhere(report, content["outcomes_by_dose"])),
            categories=views.plain_view(content["categories"]) if report.categories else None,
            judged=views.plain_view(content["judged"]) if report.judged else None,
            survival=views.plain_view(content["survival"]) if report.judged else None,
            agreement=views.plain_view(content["agreement"]) if report.judged else None,
            corrected=views.plain_view(content["corrected"]) if report.judged else None,
            guard_counts=views.guards_view(report),
            guards=views.plain_view(content["guards"]),
            failed=views.plain_view(content["guards"].pick("passed", False)),
            failures=[row for row in report.guards if row.passed is False],
            most_questions=MOST_QUESTIONS,
            most_rows=MOST_ROWS,
        )
    )
