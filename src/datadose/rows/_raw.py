"""Rows as their file has them, with all that reading them leaves out."""

from __future__ import annotations

import json
from pathlib import Path

from datadose._core import InputError
from datadose.rows._lines import BOM
from datadose.rows._read import RowsFile, open_records


def raw_rows(path: Path, source: RowsFile) -> tuple[str, ...]:
    """The records that `source` was read from, each as JSON on one line, in the same order.

    Lines of a JSONL file are as they stand, to the byte, without the line's end. Of other files
    the record is written as JSON; values that JSON has no word for (dates, bytes) become text.
    Raises InputError where the file is no longer the one that was read.
    """
    if source.container == "jsonl":
        wanted = set(source.lines)
        found = []
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number in wanted:
                    text = line.removeprefix(BOM) if number == 1 else line
                    found.append(text.decode("utf-8").rstrip("\r\n"))
    else:
        _, records = open_records(path)
        found = [json.dumps(record, ensure_ascii=False, default=str) for _, record in records]
    if len(found) != len(source.rows):
        raise InputError(
            f"has {len(found)} rows now, {len(source.rows)} were read",
            where=str(path),
            next_step="run the same command again, and leave the file alone meanwhile",
        )
    return tuple(found)
