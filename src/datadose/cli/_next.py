"""`datadose next`: the next dose worth a fine-tune, for a table made anywhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ThresholdName(StrEnum):
    """Thresholds whose interval can be narrowed."""

    benchmark = "benchmark"
    recovery = "recovery"
    ed50 = "ed50"
    parity = "parity"


def next_dose(
    table: Annotated[
        Path,
        typer.Argument(
            help="CSV of what was run so far: dose, seed, question, good, asked; optional response,"
            " cluster, base. A head without lines starts a study."
        ),
    ],
    width: Annotated[
        float | None, typer.Option(help="Stop when the interval is as narrow, in doses.")
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="The most arms, those in the table included.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="So many arms can run at once.")] = 1,
    threshold: Annotated[ThresholdName, typer.Option()] = ThresholdName.benchmark,
    change: Annotated[float, typer.Option(help="Benchmark response of the threshold.")] = 0.10,
    response: Annotated[
        str | None, typer.Option(help="The response to look at; by default the first.")
    ] = None,
    axis: Annotated[str, typer.Option(help="share (0 to 1) or count (wrong rows).")] = "share",
    top: Annotated[float | None, typer.Option(help="The highest dose there is.")] = None,
    up: Annotated[bool, typer.Option("--up", help="The response gets worse as it rises.")] = False,
    target: Annotated[
        str, typer.Option(help="these: questions as they are; like: questions like these.")
    ] = "these",
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say which arms to run next, so that the threshold's interval shrinks most per arm."""
    from datadose import curves
    from datadose._core import canonical_json

    step = curves.next_doses(
        curves.read_table(table),
        response=response,
        threshold=threshold.value,
        benchmark=change,
        width=width,
        budget=budget,
        batch=batch,
        axis=axis,
        top=top,
        up=up,
        target=target,
    )
    if json:
        made = curves.as_record(step)
        arms = [{"dose": dose, "seed": seed} for dose, seed in step.arms]
        typer.echo(canonical_json({**made, "arms": arms}))
        return
    typer.echo(_as_text(step))


def _as_text(step: object) -> str:
    from datadose.curves import Step

    assert isinstance(step, Step)
    lines = [f"{step.run} arms were run. {step.why[:1].upper()}{step.why[1:]}."]
    if step.arms:
        lines += ["", "run next:"]
        lines += [f"  dose {dose:g}, seed {seed}" for dose, seed in step.arms]
    if step.expected is not None:
        now = "open" if step.width is None else f"{step.width:.3g} wide"
        lines += ["", f"the interval is {now}; about {step.expected:.3g} wide is expected after"]
    return "\n".join(lines)
