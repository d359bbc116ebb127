"""`datadose report`: rebuild tables and report of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Rebuild tables and report from the answers on disk; trains and asks nothing."""
    from datadose.cli._run import show
    from datadose.running import load_study, rebuild

    rebuild(load_study(folder / "study.yaml"), folder)
    show(folder, json)
