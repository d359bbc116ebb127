"""Read rows from a file, and say everything that is wrong with them before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from datadose._core import InputError, Issue, UsageError, write_jsonl
from datadose.rows._formats import FORMATS, convert, detect, shorten
from datadose.rows._ids import row_id
from datadose.rows._lines import container, read_records
from datadose.schema import Message, Row

Format = Literal["auto", "chat", "sharegpt", "alpaca", "pair"]
LOOKED_AT = 200


@dataclass(frozen=True)
class RowsFile:
    """Rows as read. `lines[i]` is the line (parquet, dataset: the row, from 1) of `rows[i]`.

    `format` is the record format that was found, `container` the kind of file.
    """

    rows: tuple[Row, ...]
    format: str
    lines: tuple[int, ...]
    container: str = "jsonl"


def read_rows(path: Path | str, *, format: Format = "auto", limit_errors: int = 20) -> RowsFile:
    """All rows of a JSONL file, a JSON list, a parquet file or a Hugging Face dataset.

    Every row is checked before any is returned. Raises InputError that lists up to
    `limit_errors` bad places with file, line, field and value seen, and counts the rest;
    UsageError for an unknown format; MissingExtraError for a dataset without `[hf]`.
    """
    if format != "auto" and format not in FORMATS:
        raise UsageError(
            f"no row format is called {format!r}", next_step=f"choose from: {', '.join(FORMATS)}"
        )
    kind, records = open_records(path)
    first = list(islice(records, LOOKED_AT))
    name = detect(r for _, r in first) if format == "auto" else format
    issues = _Issues(limit_errors)
    if name is None:
        _unknown(path, first, issues)
    assert name is not None
    chats: list[tuple[tuple[Message, ...], Any, Any]] = []
    lines = []
    for line, record in chain(first, records):
        if isinstance(record, Issue):
            issues.add(record)
            continue
        messages, problems = convert(name, record)
        for p in problems:
            issues.add(Issue(f"{path}:{line}: {p.field}", p.what, p.seen))
        if not problems:
            chats.append((messages, record.get("fact"), record.get("id")))
            lines.append(line)
    issues.raise_if_any(path, name)
    return RowsFile(_with_ids(chats), name, tuple(lines), kind)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write chat JSONL with id and fact, atomically; `read_rows` gives the same rows back."""
    write_jsonl(
        path,
        (
            {
                "id": row.id,
                "messages": [{"role": m.role, "content": m.content} for m in row.messages],
                **({"fact": row.fact} if row.fact is not None else {}),
            }
            for row in rows
        ),
    )


class _Issues:
    """The first issues, and how many there were."""

    def __init__(self, limit: int) -> None:
        self.limit, self.total = limit, 0
        self.kept: list[Issue] = []

    def add(self, issue: Issue) -> None:
        self.total += 1
        if len(self.kept) < self.limit:
            self.kept.append(issue)

    def raise_if_any(self, path: Path | str, name: str) -> None:
        if self.total:
            raise InputError(
                f"{self.total} bad place{'s' if self.total > 1 else ''} (read as {name} rows)",
                where=str(path),
                issues=self.kept,
                total=self.total,
                next_step="mend or delete these rows, then run the same command again",
            )


def _unknown(path: Path | str, first: list[tuple[int, Any]], issues: _Issues) -> None:
    for line, record in first:
        if isinstance(record, Issue):
            issues.add(record)
        elif not isinstance(record, dict):
            issues.add(Issue(f"{path}:{line}", "must be a JSON object", shorten(record)))
    issues.raise_if_any(path, "JSON")
    seen = next((sorted(map(str, r)) for _, r in first if isinstance(r, dict)), [])
    if not first:
        raise InputError("is empty: no rows", where=str(path), next_step="give a file with rows")
    raise InputError(
        f"the format of these rows is not known: the first has the keys {shorten(seen)}",
        where=f"{path}:{first[0][0]}",
        next_step="give rows with messages, conversations, instruction and output,"
        " prompt and completion, prompt and response, or question and answer",
    )


def open_records(path: Path | str) -> tuple[str, Iterator[tuple[int, Any]]]:
    """The kind of file, and its records (or Issues) with their lines, none of them checked."""
    place = Path(path)
    if place.is_dir() and (place / "state.json").exists() | (place / "dataset_dict.json").exists():
        return "dataset", _dataset(place)
    if place.suffix == ".parquet":
        return "parquet", _parquet(place)
    if not place.exists() and re.fullmatch(r"hf:[\w.-]+(/[\w.-]+)?", str(path)):
        return "dataset", _hub(str(path)[3:])
    records = read_records(place)
    head = list(islice(records, 1))
    return container(place), chain(head, records)


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import polars as pl

    if not path.is_file():
        raise InputError("no such file", where=str(path), next_step="check the path")
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"can't be read as parquet: {str(error).splitlines()[0]}",
            where=str(path),
            next_step="give a .jsonl file",
        ) from error
    yield from enumerate(frame.iter_rows(named=True), 1)


def _dataset(path: Path) -> Iterator[tuple[int, Any]]:
    from datadose._core import need_extra

    need_extra("datasets", "hf")
    import datasets

    try:
        data = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read as a dataset: {error}", where=str(path)) from error
    yield from enumerate(_split(data, str(path)), 1)


def _hub(name: str) -> Iterator[tuple[int, Any]]:
    from datadose._core import need_extra

    need_extra("datasets", "hf")
    import datasets

    try:
        data = datasets.load_dataset(name)
    except Exception as error:  # the hub client raises its own, many kinds
        raise InputError(
            f"can't be loaded from the hub: {str(error).splitlines()[0][:200]}",
            where=f"hf:{name}",
            next_step="check the name and the network, or give a local file",
        ) from error
    yield from enumerate(_split(data, f"hf:{name}"), 1)


def _split(data: Any, where: str) -> Iterable[Any]:
    if not hasattr(data, "keys"):
        return data  # type: ignore[no-any-return]
    names = list(data.keys())
    if "train" not in names and len(names) != 1:
        raise InputError(
            f"has several splits and no 'train': {', '.join(names)}",
            where=where,
            next_step="save the split you want by itself",
        )
    return data["train" if "train" in names else names[0]]  # type: ignore[no-any-return]


def _with_ids(chats: list[tuple[tuple[Message, ...], Any, Any]]) -> tuple[Row, ...]:
    """Rows with ids by content; an id in the file is kept where it is one of these.

    Kept, because a part of a row set may hold abc-2 without abc, and must keep its names.
    """
    names = [row_id(messages) for messages, _, _ in chats]
    taken: set[str] = set()
    final: list[str | None] = []
    for name, (_, _, given) in zip(names, chats, strict=True):
        fits = isinstance(given, str) and re.fullmatch(rf"{name}(-([2-9]|[1-9]\d+))?", given)
        final.append(given if fits and given not in taken else None)
        taken.add(final[-1] or "")
    rows = []
    after: dict[str, int] = {}
    for name, kept, (messages, fact, _) in zip(names, final, chats, strict=True):
        own = kept or name
        if kept is None:
            k = after.get(name, 0) + 1
            while (own := f"{name}-{k}" if k > 1 else name) in taken:
                k += 1
            after[name] = k
            taken.add(own)
        rows.append(Row(id=own, messages=messages, fact=fact))
    return tuple(rows)
