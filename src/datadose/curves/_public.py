"""The engine for a person's own table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from datadose._core import InputError, UsageError
from datadose.curves._analyse import analyse
from datadose.curves._blocks import LINE, ROW, refuse_missing
from datadose.curves._claims import adjust
from datadose.curves._options import RISING, Options
from datadose.curves._read import read_table
from datadose.curves._types import Analysis, Threshold

if TYPE_CHECKING:
    import polars as pl

__all__ = ["RISING", "adjusted", "analyse_table", "read_table", "thresholds"]


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
