"""A person's CSV as a frame: what spreadsheets and hands do to it, read or refused plainly."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import InputError
from datadose.curves._blocks import LINE

if TYPE_CHECKING:
    import polars as pl

NUMBERS = ("dose", "good", "asked", "value")
SEEDS = ("seed", "data_seed", "train_seed")


def read_table(path: Path) -> pl.DataFrame:
    """Read a CSV with a head, in UTF-8 with or without a byte-order mark.

    Columns may be separated by commas, or by semicolons or tabs where there is no comma at all.
    Blanks around cells and blank lines are left out; a blank cell is null. A blank dose is the
    base model's, and is refused where that line names a seed and no column `base` says yes. The
    column LINE holds each row's line in the file. Raises InputError where it can't be read.
    """
    import polars as pl

    head, rows = _cells(path)
    columns: dict[str, Any] = {name: [row[1][i] for row in rows] for i, name in enumerate(head)}
    made = pl.DataFrame(columns, schema=dict.fromkeys(head, pl.String))
    made = made.with_columns(
        *(_typed(made[c], pl.Float64) for c in NUMBERS if c in head),
        *(_typed(made[c], pl.Int64) for c in SEEDS if c in head),
        pl.Series(LINE, [line for line, _ in rows], dtype=pl.Int64),
    )
    _refuse_half_blank(made)
    return made


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str | None]]]]:
    """The head and, with its line in the file, every line that is not blank."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such table", where=str(path)) from error
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8 text: byte {error.start + 1} is {error.object[error.start]:#04x}",
            where=str(path),
            next_step="save the table as CSV UTF-8",
        ) from error
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=_separator(text, path), skipinitialspace=True
    )
    lines: list[tuple[int, list[str | None]]] = []
    try:
        for row in reader:
            cells = [cell.strip() or None for cell in row]
            if any(cells):
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise InputError(f"can't be read as CSV: {error}", where=where) from error
    if not lines:
        raise InputError(
            "the table is empty",
            where=str(path),
            next_step="start with the line dose,seed,question,good,asked",
        )
    head = [name or "" for name in lines[0][1]]
    twice = [name for name, n in Counter(head).items() if name and n > 1]
    if twice:
        raise InputError(f"two columns are named {twice[0]!r}", where=f"{path}, line {lines[0][0]}")
    for number, cells in lines[1:]:
        if len(cells) != len(head):
            raise InputError(
                f"{len(cells)} cells, where the head has {len(head)}",
                where=f"{path}, line {number}",
                next_step="write decimal points, and quotes around a text that holds a comma",
            )
    return head, lines[1:]


def _separator(text: str, path: Path) -> str:
    head = next((line for line in text.splitlines() if line.strip()), "")
    if "," in head:
        return ","
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if mark not in head:
            continue
        if "," in text:
            raise InputError(
                f"columns are separated by {name}, and there are commas in the cells",
                where=str(path),
                next_step="write decimal points and separate the columns by commas",
            )
        return mark
    return ","


def _typed(column: pl.Series, kind: Any) -> pl.Series:
    """The column as numbers where every cell is one; else as it is, to be named where used."""
    made = column.cast(kind, strict=False)
    return made if made.null_count() == column.null_count() else column


def _refuse_half_blank(frame: pl.DataFrame) -> None:
    """A dose that was forgotten must not pass for the base model."""
    import polars as pl

    seeds = [c for c in SEEDS if c in frame.columns]
    if "dose" not in frame.columns or not seeds:
        return
    seeded = pl.any_horizontal([pl.col(c).is_not_null() for c in seeds])
    stated = pl.col("base").is_not_null() if "base" in frame.columns else pl.lit(False)
    bad = frame.filter(pl.col("dose").is_null() & seeded & ~stated)
    if not bad.is_empty():
        raise InputError(
            "the dose is missing",
            where=f"line {bad[LINE][0]}",
            next_step="fill it in; lines of the base model leave dose and seed blank,"
            " or say yes in a column base",
        )


def repeated_lines(frame: pl.DataFrame) -> str:
    """What is said of lines that repeat an arm's question, and "" where there are none."""
    import polars as pl

    keys = [c for c in ("response", "base", "dose", *SEEDS, "question") if c in frame.columns]
    if "question" not in keys or "dose" not in keys:
        return ""
    again = frame.filter(~pl.struct(keys).is_first_distinct())
    if again.is_empty():
        return ""
    same = pl.struct(pl.exclude(LINE)).is_first_distinct()
    copies = len(frame) - len(frame.filter(same))
    first = f" (first in line {again[LINE][0]})" if LINE in frame.columns else ""
    added = "values are averaged" if "value" in frame.columns else "counts are added up"
    note = f"lines that repeat a dose, seed and question: {len(again)}{first}; their {added}"
    return note + (f"; copies of a whole line: {copies}" if copies else "")
