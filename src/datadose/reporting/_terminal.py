"""Thresholds for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadose.reporting._contents import tables
from datadose.reporting._model import Report
from datadose.reporting._tables import Table, shown

if TYPE_CHECKING:
    from rich.table import Table as RichTable

SHOWN = ("series", "response", "threshold", "estimate", "lower", "upper", "status")


def _cells(report: Report) -> list[tuple[str, ...]]:
    table = tables(report)["thresholds"]
    names = [column.name for column in table.columns]
    at = [names.index(name) for name in SHOWN if name != "series" or len(report.series) > 1]
    head = tuple(table.columns[i].head for i in at)
    return [head, *(tuple(shown(r[i], table.columns[i].kind) for i in at) for r in table.rows)]


def print_thresholds(report: Report) -> RichTable:
    """The thresholds as a rich table, to be printed by the caller's console."""
    from rich.table import Table as RichTable
    from rich.text import Text

    head, *rows = _cells(report)
    made = RichTable(title="Thresholds")
    for name in head:
        number = name in ("estimate", "lower", "upper")
        made.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        # Text, because labels in square brackets would be read as markup
        made.add_row(*(Text(cell) for cell in row))
    return made


def thresholds_text(report: Report) -> str:
    """The thresholds as aligned plain text, a line each, with a heading."""
    return _aligned(_cells(report)) + "\n"


def table_text(table: Table, drop: Sequence[str] = ()) -> str:
    """A table as aligned plain text with a heading, without the columns of `drop`."""
    kept = [i for i, c in enumerate(table.columns) if c.name not in drop]
    head = tuple(table.columns[i].head for i in kept)
    rows = [tuple(shown(r[i], table.columns[i].kind) for i in kept) for r in table.rows]
    return _aligned([head, *rows])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)
