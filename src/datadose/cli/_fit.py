"""`datadose fit`: dose-response of any table, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def fit(
    table: Annotated[Path, typer.Argument(help="CSV: dose, seed, question, good, asked.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Find the thresholds in a table of counts."""
    from datadose import curves
    from datadose._core import canonical_json

    found = curves.thresholds(curves.read_table(table))
    if json:
        typer.echo(canonical_json([curves.as_record(t) for t in found]))
        return
    for threshold in found:
        typer.echo(curves.sentence(threshold, {}))
