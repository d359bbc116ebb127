"""`datadose audit`: rank rows, estimate the wrong share."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datadose.auditing import Session
    from datadose.schema import Row


def audit(
    rows: Annotated[Path, typer.Argument(help="Rows: JSONL, JSON, parquet or a dataset.")],
    out: Annotated[Path, typer.Option(help="Folder for scores.csv, audit.json, audit.html.")],
    model: Annotated[str, typer.Option(help="Embedded name, folder or hub id.")] = "smollm2-135m",
    label: Annotated[
        int, typer.Option(min=0, help="Draw so many rows and ask you about each.")
    ] = 0,
    labels: Annotated[
        Path | None, typer.Option(help="CSV of labels: id, label (y wrong, n right, ?).")
    ] = None,
    labeller_error: Annotated[
        float, typer.Option(min=0, help="Rate at which the labels are wrong, either way.")
    ] = 0.0,
    study: Annotated[
        Path | None, typer.Option(help="A study's run folder, for its thresholds.")
    ] = None,
    pool: Annotated[
        Path | None, typer.Option(help="A pool or pack that knows answers, or has tests.")
    ] = None,
    trusted: Annotated[
        Path | None, typer.Option(help="Rows known to be right, for gradient agreement.")
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="A model asked whether each answer is right: YAML file, URL#MODEL, local:MODEL."
        ),
    ] = None,
    epochs: Annotated[float, typer.Option(min=1, help="Epochs of each recorded run.")] = 3.0,
    folds: Annotated[
        int, typer.Option(min=0, help="Folds for held-out scores; 0 leaves them out.")
    ] = 2,
    examples: Annotated[
        int, typer.Option(min=0, help="Rows alike shown before each row; 0 leaves that out.")
    ] = 4,
    plant: Annotated[
        float, typer.Option(min=0.001, max=0.1, help="Share of rows planted wrong, of either kind.")
    ] = 0.05,
    seed: Annotated[int, typer.Option()] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Rank rows by suspicion and estimate the share that is wrong."""
    from datadose._core import UsageError
    from datadose.cli._progress import Progress
    from datadose.evaluation import judge_spec
    from datadose.running import AuditSettings, audit_text, run_audit

    if folds == 1:
        raise UsageError("one fold has no rows left out", next_step="give --folds 0, 2 or more")
    settings = AuditSettings(
        model=model,
        epochs=epochs,
        folds=folds,
        examples=examples,
        plant=plant,
        seed=seed,
        trusted=trusted,
        pool=pool,
        study=study,
        labeller_error=labeller_error,
        judge=judge_spec(judge) if judge is not None else None,
    )
    done = run_audit(
        rows,
        out,
        settings,
        label=label,
        ask=ask_person if label else None,
        labels=labels,
        on_event=Progress(),
    )
    if json:
        typer.echo((out / "audit.json").read_text("utf-8"), nl=False)
        return
    typer.echo(audit_text(done))
    typer.echo(f"rows: {out / 'scores.csv'}\nreport: {out / 'audit.html'}")


def ask_person(session: Session, rows: Mapping[str, Row]) -> Session:
    """Show rows one by one and read keys until all are labelled or the person stops.

    On a terminal single keys, else lines. The screen is standard error, so that standard output
    holds the result alone.
    """
    from datadose.cli._screen import harmless

    with _single_keys():
        while session.current is not None:
            row = rows[session.current]
            count = f"{len(session.labels) + 1} of {len(session.queue)}"
            _show(f"\n--- row {count} {'-' * 40}")
            for turn in row.messages:
                _show(f"{turn.role}: {harmless(turn.content)}")
            _show("Is this answer wrong?  y wrong  n right  ? unsure  u undo  q stop")
            session = session.press(_key())
    _show(f"{len(session.labels)} of {len(session.queue)} rows labelled")
    return session


def _show(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _single_keys() -> Iterator[None]:
    """Have a terminal hand over each key as it is pressed.

    For as long as the form runs: between two questions a terminal that waits for whole lines would
    keep a quick key back, or lose it.
    """
    if not sys.stdin.isatty():
        yield
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _key() -> str:
    """One key, or a line where there is no terminal; q at the end of input."""
    if sys.stdin.isatty():
        return sys.stdin.read(1).lower() or "q"
    line = sys.stdin.readline()
    return line.strip().lower() if line else "q"
