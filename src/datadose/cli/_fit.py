"""`datadose fit`: dose-response of any table, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datadose.curves import Analysis, Curve, Threshold


def fit(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV: dose, seed, question, good, asked (or value); optional response, cluster,"
            " base. Lines of the base model leave dose and seed blank."
        ),
    ],
    axis: Annotated[str, typer.Option(help="share (0 to 1) or count (wrong rows).")] = "share",
    scale: Annotated[
        str, typer.Option(help="rate: good of asked; continuous: a score or loss, column value.")
    ] = "rate",
    unit: Annotated[
        float | None,
        typer.Option(help="What counts as 1 on a continuous scale: 100 for a score of 0 to 100."),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(help="down or up: which way every response gets worse. Else by its name."),
    ] = None,
    up: Annotated[
        list[str] | None, typer.Option(help="A response that gets worse as it rises.")
    ] = None,
    risk: Annotated[
        str | None,
        typer.Option(help="added, extra or relative. Else extra for rates that rise, or added."),
    ] = None,
    benchmark: Annotated[
        float | None,
        typer.Option(help="Response change that leads, in the table's units. Else 10%."),
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
    """Find the thresholds in a table of counts or scores."""
    from datadose import curves
    from datadose._core import canonical_json

    frame = curves.read_table(table)
    found = curves.analyse_table(
        frame,
        axis=axis,
        up=tuple(up or ()),
        target=target,
        primary=primary,
        scale=scale,
        unit=unit,
        direction=direction,
        risk=risk,
        benchmark=benchmark,
    )
    for note in (curves.repeated_lines(frame), *map(_other_way, found)):
        if note:
            typer.echo(f"note: {note}", err=True)
    drawn = [] if plot is None else _draw(found, plot, rows_per_fact)
    if json:
        records = [_record(t, a) for a in found for t in a.thresholds]
        typer.echo(canonical_json(records))
        return
    for threshold, analysis in _told(found, primary):
        typer.echo(curves.sentence(threshold, {}, analysis.spec))
    for part in (_as_text(found), _lost_gains(found), _checks(found)):
        if part:
            typer.echo(f"\n{part}")
    if drawn:
        typer.echo(f"\ndrawn: {', '.join(map(str, drawn))}")


def _record(threshold: Threshold, analysis: Analysis) -> dict[str, Any]:
    """The threshold for machines; a continuous one names the unit its response change is in, and
    parity has the share of the gain over the base model that every dose loses."""
    from datadose import curves

    record: dict[str, Any] = curves.as_record(threshold)
    spec = analysis.spec
    if threshold.threshold == "parity":
        record["lost_gain"] = [
            {
                "dose": c.dose,
                "estimate": None if c.lower is None else c.estimate,
                "lower": c.lower,
                "upper": c.upper,
                "status": "not defined" if c.lower is None else "estimated",
                "why": UNSURE if c.lower is None else "",
            }
            for c in analysis.contrasts
            if c.kind == "lost gain"
        ]
    return record if spec.scale == "rate" else {**record, "unit": spec.unit}


UNSURE = "the gain over the base model is too uncertain to divide by"


def _other_way(analysis: Analysis) -> str:
    """A warning where a response clearly gets better with the dose: is its direction right?"""
    spec = analysis.spec
    top = next((c for c in reversed(analysis.contrasts) if c.kind == "change"), None)
    if top is None or top.upper is None or top.upper >= -0.1:
        return ""
    moves, told = ("falls", "down") if spec.direction == "up" else ("rises", "up")
    return (
        f"{spec.response} {moves} by {spec.amount(-top.estimate)} up to dose {top.dose:g}, and was"
        f" taken to get worse the other way; if that is wrong, give --direction {told}"
    )


def _told(found: Sequence[Analysis], primary: str | None) -> list[tuple[Threshold, Analysis]]:
    """What deserves a sentence: of each response the benchmark at its own level."""
    told = []
    for analysis in found:
        own = analysis.spec
        named = (None, own.benchmark)
        told += [
            (t, analysis)
            for t in analysis.thresholds
            if t.benchmark_response in named and t.threshold in ("benchmark", "recovery", "parity")
            if t.status != "not defined" or t.threshold == "benchmark"
        ]
    return sorted(told, key=lambda both: both[0].response != primary) if primary else told


def _as_text(found: Sequence[Analysis]) -> str:
    """The thresholds as aligned columns."""
    rows: list[tuple[str, ...]] = [
        ("response", "threshold", "estimate", "lower", "upper", "status", "p", "why")
    ]
    for analysis in found:
        for t in analysis.thresholds:
            p = t.p if t.p_adjusted is None else t.p_adjusted
            rows.append(
                (
                    t.response,
                    t.threshold.replace("_", " ") + _level(t.benchmark_response, analysis),
                    *(_number(v) for v in (t.estimate, t.lower, t.upper)),
                    t.status,
                    "" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
                    "; ".join(x for x in (t.why, t.note) if x),
                )
            )
    return _aligned(rows)


def _level(response: float | None, analysis: Analysis) -> str:
    spec = analysis.spec
    if response is None:
        return ""
    if spec.scale == "rate" or spec.risk == "relative":
        return f" {100 * response:.3g}%"
    return f" {response * spec.unit:.4g}"


def _lost_gains(found: Sequence[Analysis]) -> str:
    """The share of what clean training gained over the base model that each dose loses."""
    rows: list[tuple[str, ...]] = [("response", "dose", "lost gain", "lower", "upper", "why")]
    for analysis in found:
        for c in analysis.contrasts:
            if c.kind == "lost gain":
                unsure = c.lower is None
                why = UNSURE if unsure else ""
                estimate = None if unsure else c.estimate
                values = (_number(v) for v in (estimate, c.lower, c.upper))
                rows.append((analysis.spec.response, f"{c.dose:g}", *values, why))
    said = "share of clean training's gain over the base model that is lost, Fieller's limits:"
    return f"{said}\n{_aligned(rows)}" if len(rows) > 1 else ""


def _checks(found: Sequence[Analysis]) -> str:
    """Limits of the leading benchmark dose by the other methods, or why they have none."""
    rows: list[tuple[str, ...]] = [("response", "benchmark dose by", "lower", "upper", "why")]
    for analysis in found:
        name = f"benchmark {analysis.spec.benchmark:g}"
        for key, label in (
            ("bootstrap", "seed x fact bootstrap"),
            ("random_effects", "random effects"),
        ):
            made = analysis.diagnostics.get(key)
            if not made:
                continue
            limits = made.get(name, {})
            why = made.get("failure") or limits.get("failure") or made["note"]
            ends = (_number(limits.get(end)) for end in ("lower", "upper"))
            rows.append((analysis.spec.response, label, *ends, why))
        fit = analysis.diagnostics.get("lack_of_fit", {})
        if fit.get("p") is not None:
            why = "no shape fits: don't believe the thresholds" if fit["p"] < 0.01 else ""
            rows.append((analysis.spec.response, f"lack of fit, p {fit['p']:.3f}", "", "", why))
    return f"checks, in no status:\n{_aligned(rows)}" if len(rows) > 1 else ""


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _draw(found: Sequence[Analysis], path: Path, rows_per_fact: int) -> list[Path]:
    """One file for each response, named after it where there are several; the files written."""
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
    drawn = []
    for analysis in found:
        name = analysis.spec.response
        safe = "".join(c if c.isalnum() else "-" for c in name)
        own = path if len(found) == 1 else path.with_stem(f"{path.stem}-{safe}")
        out = io.BytesIO()
        with rc_context({"svg.hashsalt": "datadose", "svg.fonttype": "none"}):
            what = "rate" if analysis.spec.scale == "rate" else "value"
            nulls = _nulls(analysis, rows_per_fact)
            figure = plot_curves(analysis, nulls, title=name, ylabel=what)
            stamp = {"Date": None} if own.suffix == ".svg" else {"Software": None}
            figure.savefig(out, format=own.suffix[1:], dpi=200, metadata=stamp)
        write_atomic(own, out.getvalue())
        drawn.append(own)
    return drawn


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
