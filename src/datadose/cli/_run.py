"""`datadose run`: run or resume a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    study: Annotated[Path, typer.Argument(help="The study file.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME if not given.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the arms.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    only_arms: Annotated[bool, typer.Option("--only-arms", hidden=True)] = False,
) -> None:
    """Run or resume a study; ends with thresholds and report.html."""
    from datadose.cli._progress import Progress
    from datadose.running import load_study, run_arms, run_study

    loaded = load_study(study)
    folder = out or Path("runs") / loaded.name
    if only_arms:
        run_arms(loaded, folder, on_event=Progress())
        return
    report = run_study(loaded, folder, on_event=Progress(), workers=workers)
    show(report.parent, json)


def show(folder: Path, json: bool) -> None:
    """Print the thresholds that a run folder holds, as text or as JSON."""
    from datadose._core import read_json

    if json:
        typer.echo((folder / "doses.json").read_text("utf-8"), nl=False)
        return
    typer.echo((folder / "thresholds.txt").read_text("utf-8"), nl=False)
    typer.echo(read_json(folder / "doses.json")["headline"])
    typer.echo(f"report: {folder / 'report.html'}")
