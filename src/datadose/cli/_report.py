"""`datadose report`: rebuild tables and report of a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(help="A run folder.")],
    inspect_log: Annotated[
        Path | None, typer.Option(help="Write the arms' answers as Inspect logs into this folder.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Rebuild tables and report from the answers on disk; trains and asks nothing."""
    from datadose.cli._run import show
    from datadose.running import load_study, rebuild, write_study_logs

    study = load_study(folder / "study.yaml")
    rebuild(study, folder)
    if inspect_log is not None:
        logs = write_study_logs(study, folder, inspect_log)
        typer.echo(f"{len(logs)} logs: {inspect_log}", err=True)
    show(folder, json)
