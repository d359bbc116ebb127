"""`datadose fit`: dose-response of any table, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datadose.curves import Analysis, Curve, Threshold


def fit(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV: dose, seed, question, good, asked; optional response, cluster, base."
        ),
    ],
    axis: Annotated[str, typer.Option(help="share (0 to 1) or count (wrong rows).")] = "share",
    up: Annotated[
        list[str] | None, typer.Option(help="A response that gets worse as it rises.")
    ] = None,
    primary: Annotated[
        str | None, typer.Option(help="Primary response; by default the first.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="these: questions as they are; like: questions like these.")
    ] = "these",
    rows_per_fact: Annotated[
        int, typer.Option(min=0, help="Draw what a vote of a fact's rows alone would give.")
    ] = 0,
    plot: Annotated[
        Path | None, typer.Option(help="Draw every response into this .svg or .png file.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Find the thresholds in a table of counts."""
    from datadose import curves
    from datadose._core import canonical_json

    found = curves.analyse_table(
        curves.read_table(table), axis=axis, up=tuple(up or ()), target=target, primary=primary
    )
    thresholds = [t for analysis in found for t in analysis.thresholds]
    if plot is not None:
        _draw(found, plot, rows_per_fact)
    if json:
        typer.echo(canonical_json([curves.as_record(t) for t in thresholds]))
        return
    for threshold in _told(found, primary):
        typer.echo(curves.sentence(threshold, {}))
    typer.echo()
    typer.echo(_as_text(thresholds))


def _told(found: Sequence[Analysis], primary: str | None) -> list[Threshold]:
    """What deserves a sentence: of each response the benchmark at its own level."""
    told = []
    for analysis in found:
        own = analysis.spec
        named = (None, own.benchmark)
        told += [
            t
            for t in analysis.thresholds
            if t.benchmark_response in named and t.threshold in ("benchmark", "recovery", "parity")
            if t.status != "not defined" or t.threshold == "benchmark"
        ]
    return sorted(told, key=lambda t: t.response != primary) if primary else told


def _as_text(thresholds: Sequence[Threshold]) -> str:
    """The thresholds as aligned columns."""
    head = ("response", "threshold", "estimate", "lower", "upper", "status", "p", "why")
    rows: list[tuple[str, ...]] = [head]
    for t in thresholds:
        level = "" if t.benchmark_response is None else f" {t.benchmark_response:.0%}"
        p = t.p if t.p_adjusted is None else t.p_adjusted
        rows.append(
            (
                t.response,
                t.threshold.replace("_", " ") + level,
                *(_number(v) for v in (t.estimate, t.lower, t.upper)),
                t.status,
                "" if p is None else f"{p:.3f}",
                "; ".join(x for x in (t.why, t.note) if x),
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _draw(found: Sequence[Analysis], path: Path, rows_per_fact: int) -> None:
    """One file for each response; the name of the response is added where there are several."""
    import io

    from matplotlib import rc_context

    from datadose._core import UsageError, write_atomic
    from datadose.reporting import plot_curves

    if path.suffix not in (".svg", ".png"):
        raise UsageError(
            f"can't draw a {path.suffix or 'nameless'} file",
            where=str(path),
            next_step="end the name in .svg or .png",
        )
    for analysis in found:
        name = analysis.spec.response
        safe = "".join(c if c.isalnum() else "-" for c in name)
        own = path if len(found) == 1 else path.with_stem(f"{path.stem}-{safe}")
        out = io.BytesIO()
        with rc_context({"svg.hashsalt": "datadose", "svg.fonttype": "none"}):
            figure = plot_curves(analysis, _nulls(analysis, rows_per_fact), title=name)
            stamp = {"Date": None} if own.suffix == ".svg" else {"Software": None}
            figure.savefig(out, format=own.suffix[1:], dpi=200, metadata=stamp)
        write_atomic(own, out.getvalue())


def _nulls(analysis: Analysis, rows_per_fact: int) -> list[Curve]:
    """What flipped facts, and votes of flipped rows, would give by arithmetic alone."""
    import numpy as np

    from datadose.curves import null_fact, null_plurality

    points = analysis.points
    if not rows_per_fact or len(points) < 2 or points[0].dose != 0 or points[-1].dose != 1:
        return []
    doses = np.array([p.dose for p in points])
    ends = points[0].rate, points[-1].rate
    return [null_fact(doses, *ends), null_plurality(doses, *ends, rows_per_fact)]
