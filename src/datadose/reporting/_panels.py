"""Plots that compare: all series at a glance, and the kinds of arm of one series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._pick import Contrasts, main_threshold, short_labels
from datadose.reporting._plots import (
    BLUE,
    GREEN,
    GREY,
    NULL_LINES,
    ORANGE,
    dose_ends,
    draw_points,
    draw_threshold,
    new_figure,
    rate_limits,
    settle,
    style,
)
from datadose.reporting._tables import number, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 4
MARKS: Mapping[str, tuple[str, str]] = {
    "base": ("black", "s"),
    "clean": (GREEN, "o"),
    "dirty": (ORANGE, "X"),
    "placebo": (BLUE, "^"),
    "shuffled": (GREY, "v"),
    "malign": ("#8A3B74", "P"),
}


def plot_panel(series: SeriesReport, report: Report) -> Figure:
    """The primary response of one series, small, with its threshold as a bar at the foot."""
    with style():
        figure = new_figure(2.3, 2.2)
        _draw_panel(figure.subplots(), series, report)
        settle(figure)
    return figure


def plot_overview(report: Report) -> Figure:
    """All panels in one figure, for use outside the page."""
    with style():
        across = min(ACROSS, max(1, len(report.series)))
        down = max(1, -(-len(report.series) // across))
        figure = new_figure(max(2.4 * across, 4.5), 2.3 * down + 0.7)
        grid = figure.subplots(down, across, squeeze=False).flatten()
        for axes, series in zip(grid, report.series, strict=False):
            _draw_panel(axes, series, report)
        for axes in grid[len(report.series) :]:
            axes.set_axis_off()
        figure.suptitle(printable(report.heading), fontsize=10.5, fontweight="bold")
        figure.supxlabel("dose (share of wrong rows, or wrong rows added)", fontsize=9)
        settle(figure)
    return figure


def _draw_panel(axes: Axes, series: SeriesReport, report: Report) -> None:
    analysis = series.main
    fits = [c for c in analysis.curves if not c.failure and c.dose]
    fits.sort(key=lambda c: c.lower is None)
    for curve in fits[:1]:
        axes.plot(curve.dose, curve.rate, color=BLUE, lw=1.6)
        if curve.lower is not None and curve.upper is not None:
            axes.fill_between(curve.dose, curve.lower, curve.upper, color=BLUE, alpha=0.18, lw=0)
    for i, null in enumerate(c for c in series.nulls_of(series.primary) if not c.failure):
        axes.plot(null.dose, null.rate, color=GREY, ls=NULL_LINES[i % len(NULL_LINES)], lw=0.9)
    if analysis.base is not None:
        axes.axhline(analysis.base.rate, color="black", ls=":", lw=1.0)
    draw_points(axes, analysis)
    bottom, top = rate_limits(analysis)
    ceiling, foot = bottom - 0.03 * top, bottom - 0.19 * top
    axes.axhspan(foot, ceiling, color="#F2F2F2", lw=0, zorder=0)
    if (t := main_threshold(series, report)) is not None:
        draw_threshold(axes, t, (foot + ceiling) / 2, dose_ends(analysis))
        if t.lower is None and t.upper is None:
            place = axes.get_yaxis_transform()
            axes.text(0.03, foot + 0.03 * top, t.status, fontsize=8, transform=place)
    axes.set_ylim(foot, top)
    name = printable(short_labels(report)[series.label])
    axes.set_title(name, fontsize=9 if len(name) < 24 else 7, fontweight="bold")
    if series.axis == "count":
        doses = sorted({p.dose for p in analysis.points})
        smallest = min((d for d in doses if d > 0), default=1.0)
        axes.set_xscale("symlog", linthresh=smallest)
        axes.set_xlim(-0.1 * smallest, 1.2 * max(doses, default=smallest))
        axes.set_xticks(doses, [number(d, pad=False) for d in doses])
        axes.minorticks_off()
    else:
        axes.set_xlim(-0.04, 1.04)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1] if top > 0.6 else [0, round(top / 2, 1), round(top, 1)])
    axes.tick_params(labelsize=8)


def plot_contrasts(groups: Contrasts, *, title: str = "") -> Figure:
    """Rates of base, clean, dirty and control arms, grouped by kind of probe, with limits."""
    with style():
        lines = sum(len(group) for group in groups.values())
        figure = new_figure(4.5, 1.0 + 0.2 * lines + 0.36 * len(groups))
        axes = figure.subplots()
        at = 0.0
        ticks: list[tuple[float, str]] = []
        for name, group in groups.items():
            axes.text(0.0, at, printable(name), fontsize=8.5, fontweight="bold", va="center")
            for what, c in group.items():
                at += 0.7
                color, mark = MARKS[what]
                limits: Any = [[max(c.rate - c.lower, 0.0)], [max(c.upper - c.rate, 0.0)]]
                look: dict[str, Any] = {"color": color, "capsize": 2.5, "ms": 5.5, "lw": 1.2}
                axes.errorbar([c.rate], [at], xerr=limits, fmt=mark, **look)
                ticks.append((at, what))
            at += 1.1
        axes.set_yticks([y for y, _ in ticks], [what for _, what in ticks], fontsize=8)
        axes.set_ylim(at - 0.6, -0.6)
        axes.set_xlim(-0.02, 1.02)
        axes.grid(axis="x", color="#DDDDDD", lw=0.6)
        axes.set_axisbelow(True)
        axes.set_xlabel("rate")
        if title:
            figure.suptitle(printable(title), fontsize=10.5, fontweight="bold")
        settle(figure)
    return figure


def describe_contrasts(groups: Contrasts) -> str:
    """The plot of contrasts in words."""
    parts = []
    for name, group in groups.items():
        said = [
            f"{what} {number(c.rate)} ({number(c.lower)} to {number(c.upper)})"
            for what, c in group.items()
        ]
        parts.append(f"{name}: {', '.join(said)}.")
    return " ".join(parts)
