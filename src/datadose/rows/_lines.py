"""Records of a text file with their line numbers, read in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from datadose._core import InputError, Issue
from datadose.rows._formats import shorten

MAX_LINE = 64 * 2**20
MAX_LIST = 512 * 2**20
SNIFF = 8192
BOM = b"\xef\xbb\xbf"
WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


def check_file(path: Path) -> None:
    """Raise InputError unless `path` is a readable text file with something in it."""
    where = str(path)
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir())[:5]
        raise InputError(
            "is a folder, not a file of rows",
            where=where,
            next_step=f"name a file in it, such as {inside[0]}" if inside else "name a file",
        )
    try:
        with path.open("rb") as file:
            start = file.read(SNIFF)
    except FileNotFoundError:
        raise InputError("no such file", where=where, next_step="check the path") from None
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}", where=where, next_step="check its permissions"
        ) from error
    if start.startswith(WIDE_BOMS):
        raise InputError("is UTF-16, not UTF-8", where=where, next_step="save it as UTF-8")
    if b"\0" in start:
        raise InputError(
            f"is a binary file, not text (seen: {shorten(start[:16])})",
            where=where,
            next_step="give a .jsonl or .json file, or a .parquet file with that ending",
        )
    if not start.removeprefix(BOM).strip() and path.stat().st_size <= SNIFF:
        raise InputError("is empty: no rows", where=where, next_step="give a file with rows")


def read_records(path: Path) -> Iterator[tuple[int, Any | Issue]]:
    """(line, record) for every record of a JSONL file or a JSON list, or (line, Issue).

    A BOM and CRLF are accepted, blank lines are skipped. Lines over MAX_LINE bytes are not held
    in memory. Raises InputError for what is not a text file of records at all.
    """
    check_file(path)
    with path.open("rb") as file:
        start = file.read(SNIFF).removeprefix(BOM).lstrip()
        file.seek(0)
        if start.startswith(b"["):
            yield from _list(path, file)
        else:
            yield from _jsonl(path, file)


def container(path: Path) -> str:
    """`json` for a file that starts with a list, else `jsonl`."""
    with path.open("rb") as file:
        return "json" if file.read(SNIFF).removeprefix(BOM).lstrip()[:1] == b"[" else "jsonl"


def _jsonl(path: Path, file: IO[bytes]) -> Iterator[tuple[int, Any | Issue]]:
    number = 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            start = line[:40]
            while line and not line.endswith(b"\n"):
                line = file.readline(MAX_LINE)
            limit = MAX_LINE // 2**20
            what = f"line is over {limit} MB: is there a line break between rows?"
            yield number, Issue(f"{path}:{number}", what, shorten(start.decode("utf-8", "replace")))
            continue
        text = _text(path, number, line.removeprefix(BOM) if number == 1 else line)
        if not text.strip():
            continue
        try:
            yield number, json.loads(text)
        except (ValueError, RecursionError) as error:
            yield number, _broken(path, number, error, text)


def _text(path: Path, number: int, line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8 text: byte 0x{line[error.start]:02x} at column {error.start + 1}",
            where=f"{path}:{number}",
            next_step="save the file as UTF-8",
        ) from error
    if "\0" in text:
        raise InputError(
            "is a binary file, not text: a zero byte",
            where=f"{path}:{number}",
            next_step="give a .jsonl or .json file",
        )
    return text


def _broken(path: Path, number: int, error: Exception, text: str) -> Issue:
    if isinstance(error, json.JSONDecodeError):
        what = f"broken JSON: {error.msg} at column {error.colno}"
        if text.strip() in ("{", "[") and number == 1:
            what += " (a JSONL file has one whole object a line)"
        seen = text.rstrip("\r\n")[max(0, error.pos - 20) : error.pos + 20]
        return Issue(f"{path}:{number}", what, shorten(seen))
    what = "nested too deep" if isinstance(error, RecursionError) else str(error)
    return Issue(f"{path}:{number}", f"broken JSON: {what}", shorten(text[:40]))


def _list(path: Path, file: IO[bytes]) -> Iterator[tuple[int, Any | Issue]]:
    if path.stat().st_size > MAX_LIST:
        raise InputError(
            f"is a JSON list of over {MAX_LIST // 2**20} MB",
            where=str(path),
            next_step="write it as JSONL, one row a line, which is read in little memory",
        )
    text = _text(path, 1, file.read().removeprefix(BOM))
    decoder = json.JSONDecoder()
    at = _blank(text, text.index("[") + 1)
    line, counted = 1 + text.count("\n", 0, at), at
    if text[at : at + 1] == "]":
        raise InputError("is an empty list: no rows", where=str(path))
    while True:
        line, counted = line + text.count("\n", counted, at), at
        try:
            record, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            spot = getattr(error, "pos", at)
            bad = line + text.count("\n", at, spot)
            message = getattr(error, "msg", "nested too deep")
            seen = shorten(text[max(0, spot - 20) : spot + 20])
            yield bad, Issue(f"{path}:{bad}", f"broken JSON: {message}", seen)
            return
        yield line, record
        at = _blank(text, at)
        if text[at : at + 1] == "]":
            rest = text[at + 1 :].strip()
            if rest:
                yield line, Issue(f"{path}:{line}", "text after the list's end", shorten(rest))
            return
        if text[at : at + 1] != ",":
            line += text.count("\n", counted, at)
            seen = shorten(text[at : at + 20])
            yield line, Issue(f"{path}:{line}", "broken JSON: ',' or ']' expected", seen)
            return
        at = _blank(text, at + 1)


def _blank(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
