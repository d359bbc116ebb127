"""`datadose plan`: arms, time and memory of a study; spends nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def plan(
    study: Annotated[Path, typer.Argument(help="The study file.")],
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the arms.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Say how many arms a study has and what they take; spends nothing."""
    from dataclasses import asdict

    from datadose._core import canonical_json
    from datadose.running import load_study, plan_study

    found = plan_study(load_study(study), workers=workers)
    if json:
        typer.echo(canonical_json(asdict(found)))
        return
    typer.echo(
        f"{found.arms} arms of {found.rows} rows, {found.steps} steps and"
        f" {found.trained_tokens} tokens each\n"
        f"about {found.seconds / 60:.1f} minutes: {found.train_seconds:.0f} s to train and"
        f" {found.ask_seconds:.0f} s to ask an arm\n"
        f"about {found.memory_gb} GB of memory and {found.disk_gb} GB of disk;"
        + (f" judges cost about {found.money:.2f}" if found.money else " costs no money")
    )
