"""`datadose datasets`: list the public data sets, check them, put them in their place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


def datasets(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets; all if not given.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(envvar="DATADOSE_DATA", help="The folder they are in, or are copied from."),
    ] = None,
    place: Annotated[
        bool, typer.Option("--place", help="Copy them into the cache, each file checked.")
    ] = False,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="List what `datadose eval --tasks` can ask.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """List the public data sets with licence and source; say which are there and intact."""
    from datadose._core import UsageError, canonical_json
    from datadose.rows import check_data_set, data_set, data_sets, place_data_set

    if tasks:
        _tasks(json)
        return
    wanted = [data_set(name) for name in names or data_sets()]
    if place:
        if data is None or not names:
            raise UsageError(
                "say which data sets to place, and where they are now",
                next_step="datadose datasets NAME ... --place --data FOLDER",
            )
        for known in wanted:
            place_data_set(known.name, data, placed_folder())
    folder = placed_folder() if place or data is None else data
    found: list[dict[str, Any]] = []
    for known in wanted:
        state, files = check_data_set(known.name, folder)
        found.append(
            {
                "name": known.name,
                "title": known.title,
                "licence": known.licence,
                "repository": known.repository,
                "commit": known.commit,
                "files": len(known.files),
                "state": state,
                "odd": list(files),
            }
        )
    if json:
        typer.echo(canonical_json({"folder": str(folder), "data_sets": found}))
        return
    rows = [("name", "state", "files", "licence", "repository")]
    for f in found:
        rows.append((f["name"], f["state"], str(f["files"]), f["licence"], f["repository"]))
    typer.echo(columns(rows))
    typer.echo(f"looked in {folder}")


def _tasks(json: bool) -> None:
    from datadose._core import canonical_json
    from datadose.evaluation.benchmarks import BENCHMARKS

    known = {name: BENCHMARKS.get(name)() for name in BENCHMARKS}
    if json:
        told = [
            {
                "name": name,
                "title": b.title,
                "licence": b.licence,
                "source": b.source,
                "kind": b.kind,
                "response": b.response,
                "data_set": b.data_set or None,
                "hub": b.hub.repo if b.hub else None,
            }
            for name, b in known.items()
        ]
        typer.echo(canonical_json(told))
        return
    rows = [("task", "kind", "data set", "hub", "title")]
    for name, b in known.items():
        rows.append((name, b.kind, b.data_set or "-", b.hub.repo if b.hub else "-", b.title))
    typer.echo(columns(rows))


def placed_folder() -> Path:
    """Where `--place` puts data sets, and where they are looked for by default."""
    from datadose.models import cache_folder

    return cache_folder() / "data"


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
