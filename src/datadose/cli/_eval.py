"""`datadose eval`: ask one model the benchmarks, or the project's own probes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


class PrecisionName(StrEnum):
    """Arithmetic of the model."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="The embedded model, a folder, a hub id, MODEL+ADAPTERFOLDER, or an arm's folder."
        ),
    ],
    tasks: Annotated[
        str,
        typer.Option(
            help="NAME,NAME:GROUP+GROUP,... as `datadose datasets --tasks` lists them;"
            " probes:PACK or probes:alignment for our own; lm-eval:NAME or lm-eval:FILE.yaml."
        ),
    ],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many items of each task.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(envvar="DATADOSE_DATA", help="Folder of the public data sets, or `hub`."),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Write one line of JSON for each item into this file.")
    ] = None,
    inspect_log: Annotated[
        Path | None, typer.Option(help="Write a log of each task, for `inspect view`, here.")
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option("--chat/--plain", help="In the chat template, or as plain text."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="System prompt of a chat.")] = None,
    primer: Annotated[
        Path | None, typer.Option(help="A text that goes before every plain prompt.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Answers an item; gives pass@k.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.0,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    seed: Annotated[int, typer.Option()] = 0,
    precision: Annotated[PrecisionName, typer.Option()] = PrecisionName.auto,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Ask one model benchmarks and probes: rates with 95% bounds, and what became of each item."""
    from datadose._core import canonical_json, write_jsonl
    from datadose.evaluation import Form
    from datadose.running import evaluate as ask

    form = Form(
        chat=chat,
        system=system,
        primer=_text(primer),
        samples=samples,
        temperature=temperature,
        seed=seed,
        limit=limit,
        max_tokens=max_tokens,
    )
    summaries, records = ask(
        model,
        [name for name in tasks.split(",") if name.strip()],
        form,
        data=_place(data),
        precision=precision.value,
        inspect_log=inspect_log,
        say=lambda text: typer.echo(text, err=True),
    )
    if answers is not None:
        write_jsonl(answers, records)
    if json:
        typer.echo(canonical_json({"model": model, "seed": seed, "tasks": summaries}))
        return
    typer.echo(_as_text(summaries))


def _text(path: Path | None) -> str:
    from datadose._core import InputError

    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise InputError(f"can't be read: {error}", where=str(path)) from error


def _place(data: str | None) -> Any:
    """The folder of the data, `hub`, or the cache's folder where it holds any."""
    from datadose.cli._datasets import placed_folder

    if data is None:
        folder = placed_folder()
        return folder if folder.is_dir() else None
    return "hub" if data == "hub" else Path(data).expanduser()


def _as_text(summaries: Sequence[dict[str, Any]]) -> str:
    from datadose.cli._datasets import columns

    rows = [("task", "form", "asked", "right", "rate", "lower", "upper", "outcomes")]
    for s in summaries:
        told = [f"{k} {n}" for k, n in s["outcomes"].items() if n]
        shares = [f"pass@{k} {v:.3f}" for k, v in s.get("pass_at", {}).items()]
        counts = (str(s["asked"]), str(s["right"]))
        bounds = tuple("-" if s[k] is None else f"{s[k]:.3f}" for k in ("rate", "lower", "upper"))
        rows.append((s["task"], s["form"], *counts, *bounds, ", ".join([*told, *shares])))
    return columns(rows)
