"""The engine for a person's own table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from datadose._core import InputError, UsageError
from datadose.curves._analyse import analyse
from datadose.curves._blocks import LINE, ROW, Block, refuse_missing, to_block
from datadose.curves._claims import adjust
from datadose.curves._next import Step, next_arms
from datadose.curves._options import Options
from datadose.curves._read import read_table
from datadose.curves._sight import Aim, Named
from datadose.curves._types import Analysis, Threshold

if TYPE_CHECKING:
    import polars as pl

__all__ = ["adjusted", "analyse_table", "next_doses", "read_table", "thresholds"]


def analyse_table(
    frame: pl.DataFrame,
    *,
    axis: str = "share",
    up: Sequence[str] = (),
    target: str = "these",
    primary: str | None = None,
    scale: str = "rate",
    unit: float | None = None,
    direction: str | None = None,
    risk: str | None = None,
    benchmark: float | None = None,
) -> tuple[Analysis, ...]:
    """Analyses of every response in a table, in the table's order.

    scale: `rate` reads counts (columns good, asked); `continuous` reads a score or a loss (column
    value, one line per answer or mean of answers) and needs `unit`, the difference that counts as
    1: 100 for a score of 0 to 100. Benchmarks of 5, 10 and 20% and every margin are then parts of
    the unit. direction: which way all responses get worse; without it `misaligned`, `dangerous`
    and those named in `up` get worse as they rise, every other as it falls. risk: `added`,
    `extra` or `relative` (see Spec); without it extra for rates that get worse as they rise, else
    added. benchmark: the response change that leads, in the table's own units (0.1 of a rate, 10
    points of 100; a share of r(0) for relative and of what is left for extra); 5, 10 and 20% stand
    beside it. axis: `share` or `count`. target: `these` or `like` questions. primary: the response
    whose benchmark dose was named in advance (default: the first); every other threshold is
    adjusted by Holm. Raises InputError that names a missing column or a value out of range,
    UsageError for a wrong option.
    """
    import polars as pl

    options = Options(axis, tuple(up), target, scale, unit, direction, risk, benchmark)
    refuse_missing(frame, scale)
    if "response" not in frame.columns:
        frame = frame.with_columns(pl.lit(primary or "domain").alias("response"))
    if frame.is_empty():
        raise InputError("the table has no rows", next_step="one line per dose, seed and question")
    if LINE not in frame.columns:
        frame = frame.with_row_index(ROW, offset=1)
    frame = frame.with_columns(pl.col("response").cast(pl.String).fill_null(""))
    names = frame["response"].unique(maintain_order=True).to_list()
    for name in (*up, *([] if primary is None else [primary])):
        if name not in names:
            raise UsageError(
                f"no response is called {name!r}", next_step=f"choose from: {', '.join(names)}"
            )
    found = [
        analyse(frame.filter(pl.col("response") == name), options.spec(name)) for name in names
    ]
    return adjusted(found, primary or names[0])


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
    scale: str = "rate",
    unit: float | None = None,
    direction: str | None = None,
    risk: str | None = None,
    benchmark: float | None = None,
) -> tuple[Threshold, ...]:
    """Thresholds of every response in a table; options and errors as in `analyse_table`.

    Columns dose, seed (or data_seed, train_seed), question, good and asked (or value on a
    continuous scale); optional cluster, base, response.
    """
    found = analyse_table(
        frame,
        axis=axis,
        up=up,
        target=target,
        primary=primary,
        scale=scale,
        unit=unit,
        direction=direction,
        risk=risk,
        benchmark=benchmark,
    )
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

    options = Options(axis, (), target)
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
    spec = replace(options, up=(name,) if up else ()).spec(name)
    block = _no_arms(frame) if frame.is_empty() else to_block(frame, spec)
    aim = Aim(cast("Named", threshold), benchmark, width, budget)
    return next_arms(block, spec, aim, batch=batch, top=top)


def _no_arms(frame: pl.DataFrame) -> Block:
    refuse_missing(frame, "rate")
    none = np.zeros((0, 0, 0))
    return Block(np.zeros(0), (), none, np.zeros(0), np.zeros(0, dtype=np.int64), none, none)
