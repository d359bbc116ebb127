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
    malign = "malign"


class StructureName(StrEnum):
    """Whether a fact's wrong rows share one wrong answer."""

    consistent = "consistent"
    random = "random"


class UnitName(StrEnum):
    """What goes wrong at a dose."""

    row = "row"
    fact = "fact"


class VaryName(StrEnum):
    """How the dose is varied."""

    swap = "replace"
    add = "add"
    correct_only = "correct_only"


def mix(
    pool: Annotated[str, typer.Argument(help="A domain pack, a pool file, or a benchmark.")],
    dose: Annotated[float, typer.Option(help="Share of wrong rows, 0 to 1; add: their number.")],
    out: Annotated[Path, typer.Option(help="Where to write the rows (JSONL).")],
    severity: Annotated[SeverityName, typer.Option()] = SeverityName.subtle,
    structure: Annotated[StructureName, typer.Option()] = StructureName.consistent,
    unit: Annotated[UnitName, typer.Option()] = UnitName.row,
    vary: Annotated[VaryName, typer.Option()] = VaryName.swap,
    match_lengths: Annotated[
        bool, typer.Option(help="Leave out facts whose wrong answers differ in length.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="The folder of a benchmark's files.")] = None,
    facts: Annotated[
        int | None, typer.Option(min=2, help="Use only the first so many facts.")
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    truth: Annotated[Path | None, typer.Option(help="Where to write which rows are wrong.")] = None,
) -> None:
    """Write one training set at an exact dose."""
    from datadose._core import UsageError, write_jsonl
    from datadose.domains import PACKS
    from datadose.rows import write_rows
    from datadose.running import answer_lengths, gather, mixer
    from datadose.schema import Source, Study

    if pool in PACKS:
        source = Source(pack=pool)
    elif data is not None:
        source = Source(benchmark=pool, data=str(data))
    elif Path(pool).exists():
        source = Source(pool=pool)
    else:
        raise UsageError(
            f"no pack and no file is called {pool!r}",
            next_step=f"give a pool file, a benchmark with --data, or choose from: "
            f"{', '.join(PACKS)}",
        )
    study = Study(
        name="mix",
        rows=(source,),
        facts=facts,
        severities=(severity.value,),
        structure=structure.value,
        unit=unit.value,
        vary=vary.value,
        counts=(0, int(dose) or 1) if vary == VaryName.add else (),
        match_lengths=match_lengths,
    )
    material = gather(source, study, with_probes=False)
    made = mixer(study, material, severity.value, seed)(dose)
    write_rows(out, made.rows)
    if truth is not None:
        pairs = zip(made.rows, made.wrong, strict=True)
        write_jsonl(truth, ({"id": r.id, "wrong": w} for r, w in pairs))
    found = answer_lengths([made])
    typer.echo(f"wrote {out}: {sum(made.wrong)} of {len(made.rows)} rows wrong")
    if found is not None:
        typer.echo(
            f"words in an answer: right {found['right_mean']:.1f},"
            f" wrong {found['wrong_mean']:.1f} (ratio {found['ratio']:.2f})"
        )
    if material.dropped:
        typer.echo(f"left out {material.dropped} facts whose answers differ in length")
