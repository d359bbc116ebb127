"""The report's numbers as plain tables: one source for CSV, JSON, the page and the terminal."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datadose.curves import Threshold

Cell = str | int | float | bool | None
Kind = Literal["text", "long", "count", "rate", "dose", "flag"]

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Column:
    """A column: its name in files, its heading for people, and how its cells are shown."""

    name: str
    head: str
    kind: Kind = "text"


@dataclass(frozen=True)
class Table:
    """Rows of raw cells under typed columns; None is a cell that can't exist."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def pick(self, column: str, value: Cell) -> Table:
        """The rows that have `value` in `column`, without that column."""
        at = [c.name for c in self.columns].index(column)
        rows = tuple(row[:at] + row[at + 1 :] for row in self.rows if row[at] == value)
        return replace(self, columns=self.columns[:at] + self.columns[at + 1 :], rows=rows)


def number(value: float, *, pad: bool = True) -> str:
    """Three significant digits, without exponent between 0.0001 and a billion.

    Rounded by way of six digits, which doses.json holds, so that page and file never disagree.

    >>> number(0.3), number(0.3, pad=False), number(1234.5), number(-0.0)
    ('0.300', '0.3', '1,230', '0.00')
    """
    value = float(f"{value:.6g}") if value else 0.0
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.2e}"
    if size >= 999.5:
        return f"{float(f'{value:.2e}'):,.0f}"
    return f"{value:{'#' if pad else ''}.3g}".rstrip(".")


def shown(cell: Cell, kind: Kind = "rate") -> str:
    """A cell as people read it; None is n/a."""
    if cell is None:
        return "n/a"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,d}" if kind == "count" else str(cell)
    if isinstance(cell, float):
        return number(cell, pad=kind != "dose")
    return printable(cell)


def _spelt(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"


def printable(text: str) -> str:
    """`text` with control characters, direction overrides and lone surrogates spelt out.

    They could hide or reorder what a model said, or make a file that can't be written.

    >>> printable("a" + chr(27) + "b")
    'a\\\\u001bb'
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _UNSAFE.sub(_spelt, text)


def to_csv(table: Table) -> str:
    """The table as CSV with a heading; full precision, n/a for None.

    Text that a spreadsheet would run as a formula gets a leading apostrophe, because model
    answers are untrusted; the JSON file holds it as it was.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    for row in table.rows:
        writer.writerow([_csv_cell(cell) for cell in row])
    return out.getvalue()


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return "n/a"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, (int, float)):
        return repr(cell)
    text = printable(cell)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t")) else text


def to_json(table: Table) -> dict[str, Any]:
    """The table as a JSON value: a list of objects, full precision, null for None."""
    names = [column.name for column in table.columns]
    rows = [dict(zip(names, map(plain, row), strict=True)) for row in table.rows]
    return {"name": table.name, "title": table.title, "columns": names, "rows": rows}


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numpy numbers unwrapped, NaN and infinities as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not abs(value) < float("inf"):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _SURROGATES.sub("\ufffd", str(value))


def bounded(threshold: Threshold) -> float | None:
    """A threshold's estimate, withheld where one of its limits is missing."""
    whole = threshold.lower is not None and threshold.upper is not None
    return threshold.estimate if whole else None


NAMES = {
    "benchmark": "benchmark dose",
    "recovery": "recovery dose",
    "parity": "parity dose",
    "ed50": "ED50",
    "change_point": "change point",
}


def threshold_name(threshold: Threshold) -> str:
    """A threshold's name for people, such as `benchmark dose, 10%`."""
    name = NAMES.get(threshold.threshold, threshold.threshold)
    if threshold.benchmark_response is None:
        return name
    return f"{name}, {100 * threshold.benchmark_response:.3g}%"
