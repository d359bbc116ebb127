"""`datadose init`: write a study file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

STUDY = """\
# datadose run {file}
name: {name}
model: smollm2-135m          # or a folder, or a hub id
rows: health                 # a pack, or rows of your own: docs/rows.md
facts: 10
severities: [subtle]
doses: [0, 0.25, 0.5, 1]
seeds: 2
train: {{epochs: 2}}
"""


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("study.yaml"),
    force: Annotated[bool, typer.Option(help="Write over a file that exists.")] = False,
) -> None:
    """Write a study file."""
    from datadose._core import InputError, write_atomic

    if file.exists() and not force:
        raise InputError("exists", where=str(file), next_step="choose another name or use --force")
    write_atomic(file, STUDY.format(file=file.name, name=file.stem))
    typer.echo(f"wrote {file}; next: datadose plan {file}")
