"""`datadose clean`: drop, correct and rewrite rows, and say what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def clean(
    rows: Annotated[Path, typer.Argument(help="Rows: JSONL, JSON, parquet or a dataset.")],
    out: Annotated[Path, typer.Option(help="Folder for kept, changed, dropped rows, the ledger.")],
    audit: Annotated[
        Path | None, typer.Option(help="Folder of an audit of these rows: ranks, share, labels.")
    ] = None,
    by: Annotated[
        Literal["careful", "estimate", "lower", "upper"],
        typer.Option(
            help="How many suspicious rows go: careful (the estimate, none where the limits hold"
            " 0), estimate, lower or upper."
        ),
    ] = "careful",
    share: Annotated[
        float | None, typer.Option(min=0, max=0.99, help="The wrong share, if you know it better.")
    ] = None,
    detector: Annotated[
        str | None, typer.Option(help="Another detector of the audit than the chosen one.")
    ] = None,
    duplicates: Annotated[
        Literal["same", "near", "none"],
        typer.Option(help="Repeats to drop: same, near (0.9 of their words) or none."),
    ] = "same",
    protect: Annotated[
        Path | None, typer.Option(help="Ids of rows that must stay, one a line or a CSV.")
    ] = None,
    pool: Annotated[
        Path | None, typer.Option(help="A pool or pack that knows answers, or has tests.")
    ] = None,
    trusted: Annotated[Path | None, typer.Option(help="Rows known to be right.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Drop, correct and rewrite rows; nothing is lost, and the ledger has every row."""
    from datadose.cli._progress import Progress
    from datadose.running import CleanSettings, clean_text
    from datadose.running import clean as run_clean

    settings = CleanSettings(
        audit=audit,
        by=by,
        share=share,
        detector=detector,
        duplicates=duplicates,
        protect=protect,
        pool=pool,
        trusted=trusted,
        seed=seed,
    )
    done = run_clean(rows, out, settings, on_event=Progress())
    if json:
        typer.echo((out / "clean.json").read_text("utf-8"), nl=False)
        return
    typer.echo(clean_text(done))
    typer.echo(f"rows to train on: {out / 'cleaned.jsonl'}\nledger: {out / 'ledger.csv'}")
