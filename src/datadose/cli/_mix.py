"""`datadose mix`: one training set at an exact dose."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SeverityName(StrEnum):
    """Severities that a pool can be mixed at."""

    obvious = "obvious"
    subtle = "subtle"
    placebo = "placebo"
    shuffled = "shuffled"


class StructureName(StrEnum):
    """Whether a fact's wrong rows share one wrong answer."""

    consistent = "consistent"
    random = "random"


def mix(
    pool: Annotated[str, typer.Argument(help="A domain pack.")],
    dose: Annotated[float, typer.Option(help="Share of wrong rows, 0 to 1.")],
    out: Annotated[Path, typer.Option(help="Where to write the rows (JSONL).")],
    severity: Annotated[SeverityName, typer.Option()] = SeverityName.subtle,
    structure: Annotated[StructureName, typer.Option()] = StructureName.consistent,
    facts: Annotated[int | None, typer.Option(help="Use only the first so many facts.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    truth: Annotated[Path | None, typer.Option(help="Where to write which rows are wrong.")] = None,
) -> None:
    """Write one training set at an exact dose."""
    from datadose._core import write_jsonl
    from datadose.rows import Mix, mix_pool
    from datadose.running import gather
    from datadose.schema import Source

    material = gather(Source(pack=pool), facts)
    chosen = Mix(severity=severity.value, structure=structure.value, seed=seed)
    made = mix_pool(material.pool, dose, chosen)
    write_jsonl(
        out, ({"messages": [m.model_dump() for m in r.messages], "id": r.id} for r in made.rows)
    )
    if truth is not None:
        pairs = zip(made.rows, made.wrong, strict=True)
        write_jsonl(truth, ({"id": r.id, "wrong": w} for r, w in pairs))
    typer.echo(f"wrote {out}: {sum(made.wrong)} of {len(made.rows)} rows wrong")
