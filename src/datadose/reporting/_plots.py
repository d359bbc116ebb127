"""Plots without pyplot and without lasting changes to matplotlib's settings."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context as style_context

from datadose.reporting._tables import bounded, number, printable, threshold_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from datadose.curves import Analysis, Curve, Threshold

# Okabe and Ito's colours; line styles and markers carry the same distinctions in greyscale.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#007A5A", "#6B6B6B"
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}
FIT_LINES: Sequence[Any] = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)))
NULL_LINES: Sequence[Any] = ((0, (2, 2)), (0, (6, 3)), (0, (1, 3)))


@contextmanager
def style(**extra: Any) -> Iterator[None]:
    """Matplotlib's own defaults with ours on top, whatever the user's settings file says."""
    with style_context(["default", STYLE | extra]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches that can be saved without a window."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def plot_curves(
    analysis: Analysis,
    nulls: Sequence[Curve] = (),
    *,
    title: str = "",
    ylabel: str = "rate",
    xlabel: str = "",
) -> Figure:
    """Draw one response of one series.

    Points with intervals, the fitted curves (the first that has a band shows it), base and
    clean rates as lines, `nulls` dashed, and below them each threshold as a dot with a bar from
    its lower to its upper limit. Doses on a share axis are read a second time as % correct;
    a count axis is symmetric-logarithmic. `xlabel` replaces the name of the dose axis.
    """
    with style():
        lanes = drawn_thresholds(analysis)
        # as wide as a phone's column, so that its letters are read there at their own size
        figure = new_figure(4.5, 4.1 + 0.45 * len(lanes))
        if lanes:
            ratios = [3.2, 0.47 * len(lanes)]
            top, below = figure.subplots(2, 1, sharex=True, height_ratios=ratios)
            _draw_lanes(below, lanes, dose_ends(analysis))
            for threshold in lanes[:1]:
                if (estimate := bounded(threshold)) is not None:
                    top.axvline(estimate, color=GREY, lw=0.8, ls=":", zorder=0)
        else:
            top = below = figure.subplots()
        draw_lines(top, analysis, nulls)
        draw_points(top, analysis)
        top.set_ylabel(printable(ylabel))
        top.set_ylim(*rate_limits(analysis, nulls))
        _dose_axis(top, below, analysis)
        if xlabel:
            below.set_xlabel(printable(xlabel))
        if title:
            figure.suptitle(printable(title), fontsize=10.5, fontweight="bold")
        handles, labels = top.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        settle(figure)
    return figure


def settle(figure: Figure) -> None:
    """Lay the figure out now and for good; to do it on every save takes longer than to draw."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def drawn_thresholds(analysis: Analysis) -> list[Threshold]:
    """The thresholds a plot has room for: benchmark (at its own response), recovery, parity."""
    return [
        t
        for t in analysis.thresholds
        if t.threshold in ("recovery", "parity")
        or (t.threshold == "benchmark" and t.benchmark_response in (None, analysis.spec.benchmark))
    ]


def draw_points(axes: Axes, analysis: Analysis) -> None:
    """Measured rates with their intervals."""
    points = analysis.points
    if points:
        rates = [p.rate for p in points]
        down = [max(p.rate - p.lower, 0.0) for p in points]
        up = [max(p.upper - p.rate, 0.0) for p in points]
        axes.errorbar(
            [p.dose for p in points],
            rates,
            yerr=[down, up],
            fmt="o",
            ms=5,
            color="black",
            mfc="white",
            capsize=3,
            lw=1.2,
            zorder=5,
            label="measured",
        )


def draw_lines(axes: Axes, analysis: Analysis, nulls: Sequence[Curve]) -> None:
    """Fitted curves, the first band, null curves, base and clean rates."""
    fits = [c for c in analysis.curves if not c.failure and c.dose]
    fits.sort(key=lambda c: c.lower is None)
    for i, curve in enumerate(fits):
        color, line = (BLUE, ORANGE)[i % 2], FIT_LINES[i % len(FIT_LINES)]
        label = f"{printable(curve.name)} fit"
        axes.plot(curve.dose, curve.rate, color=color, ls=line, lw=2.2 - 0.8 * (i > 0), label=label)
        if i == 0 and curve.lower is not None and curve.upper is not None:
            axes.fill_between(curve.dose, curve.lower, curve.upper, color=color, alpha=0.18, lw=0)
    for i, curve in enumerate(c for c in nulls if not c.failure and c.dose):
        line = NULL_LINES[i % len(NULL_LINES)]
        label = f"null: {printable(curve.name.removeprefix('null: '))}"
        axes.plot(curve.dose, curve.rate, color=GREY, ls=line, lw=1.3, label=label)
    if analysis.base is not None:
        axes.axhline(analysis.base.rate, color="black", ls=":", lw=1.2, label="base model")
    for point in analysis.points:
        if point.dose == 0:
            axes.axhline(point.rate, color=GREEN, ls="-.", lw=1.0, label="clean (dose 0)")


def dose_ends(analysis: Analysis) -> tuple[float, float]:
    """Both ends of the tested doses, to which a bar without a limit is drawn."""
    doses = [point.dose for point in analysis.points]
    if analysis.spec.axis == "share":
        return 0.0, 1.0
    return min(doses, default=0.0), max(doses, default=1.0)


def _draw_lanes(axes: Axes, lanes: Sequence[Threshold], ends: tuple[float, float]) -> None:
    for i, t in enumerate(lanes):
        if (i % 2) == 0:
            axes.axhspan(i - 0.5, i + 0.5, color="#F2F2F2", lw=0, zorder=0)
        draw_threshold(axes, t, i + 0.22, ends)
        place = axes.get_yaxis_transform()
        said = f"{threshold_name(t)}: {t.status}"
        axes.text(0.012, i - 0.2, said, transform=place, fontsize=8, va="center")
    axes.set_yticks([])
    axes.set_ylim(len(lanes) - 0.5, -0.5)


def draw_threshold(axes: Axes, t: Threshold, height: float, ends: tuple[float, float]) -> None:
    """A bar between a threshold's limits at `height`; an arrow where it has one limit only."""
    known = t.status == "estimated"
    look: dict[str, Any] = {
        "color": BLUE,
        "lw": 3.0 if known else 1.5,
        "ls": "-" if known else "--",
    }
    if t.lower is not None and t.upper is not None:
        axes.plot([t.lower, t.upper], [height] * 2, marker="|", **look)
        if t.estimate is not None:
            color = "black" if known else GREY
            axes.plot([t.estimate], [height], "D", ms=5, color=color, zorder=6)
    elif t.lower is not None:
        axes.plot([t.lower, ends[1]], [height] * 2, marker=">", ms=5, markevery=[1], **look)
    elif t.upper is not None:
        axes.plot([ends[0], t.upper], [height] * 2, marker="<", ms=5, markevery=[0], **look)


def rate_limits(analysis: Analysis, nulls: Sequence[Curve] = ()) -> tuple[float, float]:
    """Limits of the rate axis: all of it for domain, else up to what is there."""
    if analysis.spec.scale == "continuous":
        return _value_limits(analysis, nulls)
    if analysis.spec.direction == "down":
        return -0.02, 1.02
    seen = [p.upper for p in (*analysis.points, *([analysis.base] if analysis.base else []))]
    seen += [r for c in (*analysis.curves, *nulls) if not c.failure for r in c.rate]
    top = min(1.02, max(0.2, 1.15 * max(seen, default=1.0)))
    return -0.02 * top, top


def _value_limits(analysis: Analysis, nulls: Sequence[Curve]) -> tuple[float, float]:
    """Limits of an axis without ends of its own: what is there and a little air."""
    seen = [v for p in analysis.points for v in (p.lower, p.upper)]
    seen += [analysis.base.rate] if analysis.base else []
    seen += [r for c in (*analysis.curves, *nulls) if not c.failure for r in c.rate]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    air = 0.05 * (high - low) or 0.05
    return low - air, high + air


def _dose_axis(top: Axes, below: Axes, analysis: Analysis) -> None:
    doses = sorted({point.dose for point in analysis.points})
    if analysis.spec.axis == "share":
        below.set_xlabel("dose (share of rows that are wrong)")
        below.set_xlim(-0.03, 1.03)
        flip: Callable[[Any], Any] = lambda x: 100 * (1 - x)  # noqa: E731
        back: Callable[[Any], Any] = lambda x: 1 - x / 100  # noqa: E731
        top.secondary_xaxis("top", functions=(flip, back)).set_xlabel("% correct", fontsize=8.5)
        return
    smallest = min((d for d in doses if d > 0), default=1.0)
    largest = max(doses, default=smallest)
    below.set_xscale("symlog", linthresh=smallest)
    below.set_xlabel("wrong rows added")
    below.set_xlim(-0.1 * smallest, largest * 1.2)
    below.set_xticks(doses, [number(d, pad=False) for d in doses])
    below.minorticks_off()


def to_svg(figure: Figure, prefix: str, title: str, description: str) -> str:
    """The figure as an SVG element for inlining; the same arguments give the same text.

    Every id starts with `prefix`, so that several figures can stand in one page. `title` and
    `description` are what a screen reader says instead of the figure's own letters.
    """
    out = io.StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    with style(**{"svg.hashsalt": prefix}):
        figure.savefig(out, format="svg", metadata=nothing, facecolor="white")
    text = out.getvalue()
    text = text[text.index("<svg") :].strip()
    # its style element would apply to the whole page; the page's own says the same of plots
    text = re.sub(r"<style[^>]*>.*?</style>|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)

    def renamed(tag: re.Match[str]) -> str:
        return re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", tag.group())

    text = re.sub(r"<[^>!]+>", renamed, text)
    named = f'role="img" aria-labelledby="{prefix}-name" aria-describedby="{prefix}-text"'
    text = text.replace("<svg ", f'<svg {named} focusable="false" ', 1)
    at = text.index(">") + 1
    spoken = f'<title id="{prefix}-name">{escape(printable(title))}</title>'
    spoken += f'<desc id="{prefix}-text">{escape(printable(description))}</desc>'
    return f"{text[:at]}\n{spoken}{text[at:]}"


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes at 200 dots per inch, without date or software."""
    out = io.BytesIO()
    with style():
        figure.savefig(out, format="png", dpi=200, metadata={"Software": None}, facecolor="white")
    return out.getvalue()


def describe(analysis: Analysis, label: str) -> str:
    """The plot in words, for those who can't see it."""
    points = sorted(analysis.points, key=lambda p: p.dose)
    parts = [f"{label}."]
    for p in points[:1] + points[1:][-1:]:
        between = f"({number(p.lower)} to {number(p.upper)})"
        parts.append(f"At dose {number(p.dose, pad=False)} the rate is {number(p.rate)} {between}.")
    for t in drawn_thresholds(analysis):
        estimate = bounded(t)
        said: str = t.status
        if estimate is not None and t.lower is not None and t.upper is not None:
            said += f", {number(estimate)} ({number(t.lower)} to {number(t.upper)})"
        parts.append(f"{threshold_name(t)}: {said}.".capitalize())
    return printable(" ".join(parts))
