"""`datadose plan`: arms, time, memory and power of a study; spends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datadose.curves import Power
    from datadose.schema import Study


def plan(
    study: Annotated[Path, typer.Argument(help="The study file.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the arms.")] = 1,
    like: Annotated[
        Path | None,
        typer.Option(
            help="A run folder or table whose rates and variances are assumed; runs/NAME if there."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say how many arms a study has, what they take and what they can find; spends nothing."""
    from dataclasses import asdict

    from datadose import curves
    from datadose._core import canonical_json
    from datadose.running import foresee, load_study, plan_study

    loaded = load_study(study)
    own = Path("runs") / loaded.name
    if like is None and (own / "responses.parquet").is_file():
        like = own
    power = foresee(loaded, like=like)
    found = plan_study(loaded, workers=workers)
    if json:
        record = {**curves.as_record(power), "like": None if like is None else str(like)}
        typer.echo(canonical_json({**asdict(found), "power": record}))
        return
    start = "" if found.start == found.arms else f" at most ({found.start} to start)"
    typer.echo(
        f"{found.arms} arms{start} of {found.rows} rows, {found.steps} steps and"
        f" {found.trained_tokens} tokens each\n"
        f"about {found.seconds / 60:.1f} minutes: {found.train_seconds:.0f} s to train and"
        f" {found.ask_seconds:.0f} s to ask an arm\n"
        f"about {found.memory_gb} GB of memory and {found.disk_gb} GB of disk;"
        + (f" judges cost about {found.money:.2f}\n" if found.money else " costs no money\n")
    )
    typer.echo(_power(power, loaded, like))


def _power(found: Power, study: Study, like: Path | None) -> str:
    """What the design can find, as text, with all that is assumed."""
    name = study.primary.threshold
    lines = [
        f"what it can find: {found.studies} simulated studies a curve, limits one-sided 95%",
        f"  {'curve':<18}{'true ' + name:>16}{'estimated':>11}{'width':>8}{'arms':>6}",
    ]
    for c in found.curves:
        lines.append(
            f"  {c.curve:<18}{_number(c.true):>16}{c.found:>11.0%}{_number(c.width):>8}"
            f"{c.arms:>6.0f}"
        )
    least = found.smallest
    lines.append(
        "  no change up to 0.4 is told from none in 80% of studies at one dose"
        if least is None
        else f"  a change of {least:.2f} at one dose is told from none in 80% of studies"
    )
    a, w = found.assumed, found.assumed.world
    default = [k for k, v in a.source.items() if v == "default"]
    base = "not asked" if w.base is None else f"{w.base:.2f}"
    lines += [
        f"assumed: rate {a.clean:.2f} at dose 0, {a.wrong:.2f} at the highest, base {base};"
        f" {w.facts} facts x {w.wordings} wordings",
        f"  standard deviations (probit): fact {w.fact:.2f}, question {w.question:.2f},"
        f" fact x dose {w.slope:.2f}, seed {w.seed:.2f}, arm {w.arm:.2f};"
        f" a seed along the log dose {w.shift:.2f}",
        f"  from {like}, by default: {', '.join(default)}"
        if like
        else "  all by default; name an earlier run or table with --like",
    ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
