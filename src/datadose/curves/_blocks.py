"""Counts or values as a block of rates: seed x dose x question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from datadose._core import InputError
from datadose.curves._types import Spec

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COLUMNS = ("dose", "seed", "question", "good", "asked")
SCORES = ("dose", "seed", "question", "value")
SEED_PARTS = ("data_seed", "train_seed")
LINE, ROW = "__line", "__row"
"""Where a row stands in the file or the frame that it came from; no analysis reads it."""


@dataclass(frozen=True)
class Block:
    """Rates of one response.

    rate: [S, D, Q], NaN where a question was not asked. base: [Q], NaN where there is none.
    clusters: [Q], the number of each question's cluster. Doses rise; seeds stand in an order
    that does not depend on their names.
    """

    doses: Array
    seeds: tuple[str, ...]
    rate: Array
    base: Array
    clusters: NDArray[np.int64]
    good: Array
    asked: Array


def to_block(frame: pl.DataFrame, spec: Spec) -> Block:
    """Check a table and arrange it; raises InputError that names the column or the value."""
    import polars as pl

    frame = _checked(frame, spec)
    arms, base = frame.filter(~pl.col("base")), frame.filter("base")
    questions = frame["question"].unique().sort().to_list()
    place = {q: i for i, q in enumerate(questions)}
    cluster = dict(zip(frame["question"], frame["cluster"], strict=True))
    numbers = {c: i for i, c in enumerate(sorted(set(cluster.values())))}
    doses = arms["dose"].unique().sort().to_list()
    seeds = arms["seed"].unique().sort().to_list()
    shape = (len(seeds), len(doses), len(questions))
    at_seed = {s: i for i, s in enumerate(seeds)}
    at_dose = {d: i for i, d in enumerate(doses)}
    where = np.array(
        [
            (at_seed[s] * shape[1] + at_dose[d]) * shape[2] + place[q]
            for s, d, q in zip(arms["seed"], arms["dose"], arms["question"], strict=True)
        ],
        dtype=np.int64,
    )
    good = _sums(where, arms["good"].to_numpy(), shape)
    asked = _sums(where, arms["asked"].to_numpy(), shape)
    own = np.array([place[q] for q in base["question"]], dtype=np.int64)
    base_good = _sums(own, base["good"].to_numpy(), shape[2:])
    base_asked = _sums(own, base["asked"].to_numpy(), shape[2:])
    with np.errstate(invalid="ignore", divide="ignore"):
        rate, base_rate = good / asked, base_good / base_asked
    order = _by_content(rate)
    return Block(
        doses=np.array(doses, dtype=float),
        seeds=tuple(seeds[i] for i in order),
        rate=rate[order],
        base=base_rate,
        clusters=np.array([numbers[cluster[q]] for q in questions], dtype=np.int64),
        good=good[order],
        asked=asked[order],
    )


def _sums(where: NDArray[np.int64], values: Array, shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape))
    return np.bincount(where, weights=values, minlength=size).reshape(shape).astype(float)


def _by_content(rate: Array) -> list[int]:
    """An order of seeds that renaming them does not change."""
    filled = np.nan_to_num(rate, nan=-1.0)
    keys = [
        (*filled[i].mean(axis=1).round(12).tolist(), filled[i].tobytes()) for i in range(len(rate))
    ]
    return sorted(range(len(rate)), key=keys.__getitem__)


def _checked(frame: pl.DataFrame, spec: Spec) -> pl.DataFrame:
    """Columns dose, seed, question, cluster, good, asked, base in their types, values in range."""
    import polars as pl

    refuse_missing(frame, spec.scale)
    if "seed" not in frame.columns:
        parts = [c for c in SEED_PARTS if c in frame.columns]
        frame = frame.with_columns(pl.concat_str(parts, separator="/").alias("seed"))
    for column in ("dose", "value") if spec.scale == "continuous" else ("dose", "good", "asked"):
        if not (frame[column].dtype.is_numeric() or frame[column].dtype == pl.Null):
            _refuse_text(frame, column)
    if spec.scale == "continuous":
        frame = frame.with_columns((pl.col("value") / spec.unit).alias("good"))
        frame = frame.with_columns(pl.lit(1.0).alias("asked"))
    if "base" in frame.columns and frame["base"].dtype != pl.Boolean:
        frame = frame.with_columns(_truth(frame))
    stated = pl.col("base").fill_null(False) if "base" in frame.columns else pl.lit(False)
    cluster = pl.col("cluster") if "cluster" in frame.columns else pl.col("question")
    made = frame.select(
        pl.col("dose").cast(pl.Float64),
        pl.col("seed").cast(pl.String),
        pl.col("question").cast(pl.String).fill_null(""),
        cluster.cast(pl.String).fill_null("").alias("cluster"),
        pl.col("good").cast(pl.Float64),
        pl.col("asked").cast(pl.Float64),
        (pl.col("dose").is_null() | stated).alias("base"),
    )
    _check_values(made, spec, frame)
    return made.with_columns(pl.col("seed").fill_null(""))


def refuse_missing(frame: pl.DataFrame, scale: str) -> None:
    """Raise InputError that names the columns which a table on this scale lacks."""
    wanted = COLUMNS if scale == "rate" else SCORES
    missing = [c for c in wanted if c not in frame.columns]
    if "seed" in missing and any(c in frame.columns for c in SEED_PARTS):
        missing.remove("seed")
    if not missing:
        return
    other = SCORES if scale == "rate" else COLUMNS
    step = f"name the columns {', '.join(wanted)}"
    if all(c in frame.columns for c in other):
        step = (
            "give --scale continuous and its --unit to read the column value"
            if scale == "rate"
            else "leave the scale at rate to read the columns good and asked"
        )
    some = len(missing) > 1
    raise InputError(
        f"the table lacks the column{'s' * some} {', '.join(map(repr, missing))}",
        where=f"columns: {', '.join(c for c in frame.columns if c not in (LINE, ROW))}",
        next_step=step,
    )


def _where(frame: pl.DataFrame, row: int) -> str:
    """Where row number `row` of a frame stands for the person who wrote it."""
    if LINE in frame.columns:
        return f"line {frame[LINE][row]}"
    return f"row {frame[ROW][row] if ROW in frame.columns else row + 1} of the table"


def _refuse_text(frame: pl.DataFrame, name: str) -> None:
    import polars as pl

    column = frame[name]
    numbers = column.cast(pl.String).cast(pl.Float64, strict=False)
    bad = (numbers.is_null() & column.is_not_null()).arg_true()
    row = int(bad[0]) if len(bad) else 0
    raise InputError(
        f"{name} {column[row]!r} is not a number",
        where=_where(frame, row),
        next_step=f"write plain numbers in the column {name}",
    )


def _truth(frame: pl.DataFrame) -> pl.Series:
    """A column of 0/1, yes/no or true/false as truth values."""
    import polars as pl

    column = frame["base"]
    text = column.cast(pl.String).str.to_lowercase().fill_null("false")
    bad = (~text.is_in(["0", "1", "true", "false", "yes", "no", ""])).arg_true()
    if len(bad):
        row = int(bad[0])
        raise InputError(
            f"base {column[row]!r} is neither true nor false", where=_where(frame, row)
        )
    return text.is_in(["1", "true", "yes"]).alias("base")


def _check_values(frame: pl.DataFrame, spec: Spec, source: pl.DataFrame) -> None:
    """Refuse what can't be counted; `source` says where a row of `frame` came from."""
    import polars as pl

    numbers = [pl.col(c) for c in ("good", "asked")]
    arm = ~pl.col("base")
    unknown = pl.any_horizontal([c.is_null() | ~c.is_finite() for c in numbers])
    unknown |= arm & (~pl.col("dose").is_finite() | pl.col("seed").is_null())
    counts = pl.col("asked") < 0
    if spec.scale == "rate":
        counts |= (pl.col("good") < 0) | (pl.col("good") > pl.col("asked"))
    too_far = pl.col("dose") > 1 if spec.axis == "share" else pl.lit(False)
    dose = arm & ((pl.col("dose") < 0) | too_far)
    found = frame.select(unknown.alias("unknown"), counts.alias("counts"), dose.alias("dose"))
    for kind in ("unknown", "counts", "dose"):
        bad = found[kind].fill_null(True).arg_true()
        if not len(bad):
            continue
        i = int(bad[0])
        where = _where(source, i)
        if kind == "unknown":
            wanted = COLUMNS if spec.scale == "rate" else SCORES
            shown = ", ".join(f"{c} {_shown(source[c][i])}" for c in wanted)
            raise InputError(f"a value is missing or not a number: {shown}", where=where)
        row = frame.row(i, named=True)
        if kind == "counts":
            raise InputError(f"good {row['good']:g} is not within 0..{row['asked']:g}", where=where)
        if row["dose"] < 0:
            raise InputError(f"a dose of {row['dose']:g} is below 0", where=where)
        raise InputError(
            f"a dose of {row['dose']:g} is not between 0 and 1",
            where=where,
            next_step="give shares (25% is 0.25), or numbers of rows and the axis count",
        )


def _shown(value: object) -> str:
    return "(blank)" if value is None else str(value)
