"""`datadose clean`: drop, correct and rewrite rows, and say what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

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
    evidence: Annotated[
        Path | None,
        typer.Option(help="A reference text, or JSONL of texts, from which answers are proposed."),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Put proposed answers in the place of the rows' own.")
    ] = False,
    form: Annotated[
        Literal["none", "rules", "model"],
        typer.Option(help="Better form for kept rows: by rules, or a model taught on --trusted."),
    ] = "none",
    post_train: Annotated[
        bool,
        typer.Option("--post-train", help="Train the audit's model on with what is left."),
    ] = False,
    model: Annotated[
        str, typer.Option(help="Embedded name, folder or hub id, for what needs a model.")
    ] = "smollm2-135m",
    seed: Annotated[int, typer.Option()] = 0,
    prove: Annotated[
        bool, typer.Option("--prove", help="Retrain on rows before and after, and compare.")
    ] = False,
    probes: Annotated[
        list[str] | None,
        typer.Option(help="For --prove: a pack or a file of probes that ask what the rows teach."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="For --prove: seeds of every arm; else 5.")
    ] = None,
    epochs: Annotated[
        float | None,
        typer.Option(min=0.01, help="For --prove: passes over the rows as they were; else 2."),
    ] = None,
    outside: Annotated[
        int | None,
        typer.Option(
            min=2, help="For --prove: most questions of a kind outside the domain; else 60."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="For --prove: which rows are wrong, where that is known.")
    ] = None,
    study: Annotated[
        Path | None, typer.Option(help="For --prove: a study's run folder, for its curves.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Drop, correct and rewrite rows; nothing is lost, and the ledger has every row."""
    from datadose._core import UsageError, canonical_json, read_json
    from datadose.cli._progress import Progress
    from datadose.running import (
        CleanSettings,
        ProofSettings,
        clean_text,
        proof_text,
        prove_cleaning,
    )
    from datadose.running import clean as run_clean

    told: dict[str, Any] = {
        "probes": tuple(probes) if probes else None,
        "seeds": None if seeds is None else tuple(range(seeds)),
        "epochs": epochs,
        "outside": outside,
        "truth": truth,
        "study": study,
    }
    given = {name: value for name, value in told.items() if value is not None}
    if given and not prove:
        raise UsageError(
            f"{', '.join(f'--{name}' for name in given)} go with --prove", next_step="add --prove"
        )
    how = ProofSettings(**{"probes": (), "model": model, **given})
    if prove:
        how.check()

    settings = CleanSettings(
        audit=audit,
        by=by,
        share=share,
        detector=detector,
        duplicates=duplicates,
        protect=protect,
        pool=pool,
        trusted=trusted,
        evidence=evidence,
        apply=apply,
        form=form,
        post_train=post_train,
        model=model,
        seed=seed,
    )
    done = run_clean(rows, out, settings, on_event=Progress())
    if not json:
        typer.echo(clean_text(done))
        typer.echo(f"rows to train on: {out / 'cleaned.jsonl'}\nledger: {out / 'ledger.csv'}")
    proof = prove_cleaning(done, settings, how, out, on_event=Progress()) if prove else None
    if json and proof is None:
        typer.echo((out / "clean.json").read_text("utf-8"), nl=False)
    elif json:
        both = {**read_json(out / "clean.json"), "proof": read_json(out / "prove.json")}
        typer.echo(canonical_json(both))
    elif proof is not None:
        typer.echo(f"\n{proof_text(proof)}\nproof: {out / 'prove.html'}")
