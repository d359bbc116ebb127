"""The engine for a person's own table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from datadose._core import InputError
from datadose.curves._analyse import analyse
from datadose.curves._types import Spec, Threshold

if TYPE_CHECKING:
    import polars as pl


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV of counts; raises InputError where it can't be read."""
    import polars as pl

    try:
        return pl.read_csv(path, schema_overrides={"question": pl.String, "cluster": pl.String})
    except FileNotFoundError as error:
        raise InputError("no such table", where=str(path)) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"can't be read as CSV: {error}", where=str(path)) from error


def thresholds(frame: pl.DataFrame) -> tuple[Threshold, ...]:
    """Thresholds of every response in a table of counts.

    Columns dose, seed, question, good, asked; optional cluster, base, response. `misaligned` and
    `dangerous` get worse as they rise (extra risk), every other response as it falls (added
    risk). Raises InputError that names a missing column or a value out of range.
    """
    import polars as pl

    if "response" not in frame.columns:
        frame = frame.with_columns(pl.lit("domain").alias("response"))
    if frame.is_empty():
        raise InputError("the table has no rows", next_step="one line per dose, seed and question")
    found: list[Threshold] = []
    for name in frame["response"].unique(maintain_order=True).to_list():
        up = name in ("misaligned", "dangerous")
        spec = Spec(str(name), "up" if up else "down", "extra" if up else "added")
        found += analyse(frame.filter(pl.col("response") == name), spec).thresholds
    return tuple(found)
