"""The engine for a person's own table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from datadose._core import InputError, UsageError
from datadose.curves._analyse import analyse
from datadose.curves._blocks import COLUMNS, Block, to_block
from datadose.curves._claims import adjust
from datadose.curves._next import Aim, Named, Step, next_arms
from datadose.curves._types import Analysis, Spec, Threshold

if TYPE_CHECKING:
    import polars as pl

RISING = ("misaligned", "dangerous")


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV of counts; raises InputError where it can't be read."""
    import polars as pl

    try:
        return pl.read_csv(path, schema_overrides={"question": pl.String, "cluster": pl.String})
    except FileNotFoundError as error:
        raise InputError("no such table", where=str(path)) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"can't be read as CSV: {error}", where=str(path)) from error


def analyse_table(
    frame: pl.DataFrame,
    *,
    axis: str = "share",
    up: Sequence[str] = (),
    target: str = "these",
    primary: str | None = None,
) -> tuple[Analysis, ...]:
    """Analyses of every response in a table of counts, in the table's order.

    `misaligned`, `dangerous` and those named in `up` get worse as they rise (extra risk), every
    other response as it falls (added risk). target: `these` or `like` questions. primary: the
    response whose benchmark dose at 0.10 was named in advance (default: the first); every other
    threshold is adjusted by Holm. Raises InputError that names a missing column or a value out of
    range, UsageError for a wrong option.
    """
    import polars as pl

    _check_options(axis, target)
    if "response" not in frame.columns:
        frame = frame.with_columns(pl.lit(primary or "domain").alias("response"))
    if frame.is_empty():
        raise InputError("the table has no rows", next_step="one line per dose, seed and question")
    frame = frame.with_columns(pl.col("response").cast(pl.String).fill_null(""))
    names = frame["response"].unique(maintain_order=True).to_list()
    for name in (*up, *([] if primary is None else [primary])):
        if name not in names:
            raise UsageError(
                f"no response is called {name!r}", next_step=f"choose from: {', '.join(names)}"
            )
    found = []
    for name in names:
        spec = _spec(name, name in (*RISING, *up), axis, target)
        found.append(analyse(frame.filter(pl.col("response") == name), spec))
    return adjusted(found, primary or names[0])


def _check_options(axis: str, target: str) -> None:
    if axis not in ("share", "count"):
        raise UsageError(f"no axis is called {axis!r}", next_step="choose from: count, share")
    if target not in ("these", "like"):
        raise UsageError(f"no target is called {target!r}", next_step="choose from: like, these")


def _spec(name: str, rises: bool, axis: str, target: str) -> Spec:
    return Spec(
        name,
        "up" if rises else "down",
        "extra" if rises else "added",
        axis="count" if axis == "count" else "share",
        target="these" if target == "these" else "like these",
    )


def adjusted(found: Sequence[Analysis], primary: str) -> tuple[Analysis, ...]:
    """The analyses of one study with all but the primary benchmark dose adjusted by Holm."""
    every = [t for a in found for t in a.thresholds]
    named = next(
        (
            t
            for a in found
            if a.spec.response == primary
            for t in a.thresholds
            if t.threshold == "benchmark" and t.benchmark_response == a.spec.benchmark
        ),
        None,
    )
    rest = iter(adjust(every, named))
    return tuple(replace(a, thresholds=tuple(next(rest) for _ in a.thresholds)) for a in found)


def thresholds(
    frame: pl.DataFrame,
    *,
    axis: str = "share",
    up: Sequence[str] = (),
    target: str = "these",
    primary: str | None = None,
) -> tuple[Threshold, ...]:
    """Thresholds of every response in a table of counts; options as in `analyse_table`.

    Columns dose, seed (or data_seed, train_seed), question, good, asked; optional cluster, base,
    response.
    """
    found = analyse_table(frame, axis=axis, up=up, target=target, primary=primary)
    return tuple(t for analysis in found for t in analysis.thresholds)


def next_doses(
    frame: pl.DataFrame,
    *,
    response: str | None = None,
    threshold: str = "benchmark",
    benchmark: float = 0.10,
    width: float | None = None,
    budget: int | None = None,
    batch: int = 1,
    axis: str = "share",
    top: float | None = None,
    up: bool = False,
    target: str = "these",
) -> Step:
    """The arms worth running next after those of a table, or why to stop.

    Columns as in `thresholds`; a table without lines starts a study. response: which one to look
    at (default: the first). threshold: `benchmark` (at `benchmark`), `recovery`, `ed50` or
    `parity`. width, budget, batch, top: as in `Aim` and `next_arms`. Raises InputError that names
    a missing column or a value out of range, UsageError for a wrong option.
    """
    import polars as pl

    _check_options(axis, target)
    if threshold not in ("benchmark", "recovery", "ed50", "parity"):
        raise UsageError(
            f"no threshold is called {threshold!r}",
            next_step="choose from: benchmark, ed50, parity, recovery",
        )
    if not 0 < benchmark < 1:
        raise UsageError(f"a benchmark response of {benchmark:g} is not between 0 and 1")
    if top is not None and not (top > 0 and (axis == "count" or top <= 1)):
        raise UsageError(f"{top:g} is no highest dose", next_step="give shares, or use axis count")
    if "response" in frame.columns and not frame.is_empty():
        frame = frame.with_columns(pl.col("response").cast(pl.String).fill_null(""))
        names = frame["response"].unique(maintain_order=True).to_list()
        response = names[0] if response is None else response
        if response not in names:
            raise UsageError(
                f"no response is called {response!r}", next_step=f"choose from: {', '.join(names)}"
            )
        frame = frame.filter(pl.col("response") == response)
    name = response or "domain"
    spec = _spec(name, up or name in RISING, axis, target)
    block = _no_arms(frame) if frame.is_empty() else to_block(frame, spec)
    aim = Aim(cast("Named", threshold), benchmark, width, budget)
    return next_arms(block, spec, aim, batch=batch, top=top)


def _no_arms(frame: pl.DataFrame) -> Block:
    missing = [c for c in COLUMNS if c not in frame.columns and c != "seed"]
    if missing:
        raise InputError(
            f"the table lacks the column {missing[0]!r}",
            where=f"columns: {', '.join(frame.columns)}",
            next_step=f"name the columns {', '.join(COLUMNS)}",
        )
    none = np.zeros((0, 0, 0))
    return Block(np.zeros(0), (), none, np.zeros(0), np.zeros(0, dtype=np.int64), none, none)
