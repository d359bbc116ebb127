"""Stable row ids: the hash of a row's canonical messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from datadose._core import digest
from datadose.schema import Message, Row


def row_id(messages: Sequence[Message]) -> str:
    """Sixteen hexadecimal digits that name these messages on every machine."""
    return digest([[m.role, m.content] for m in messages])


def make_rows(
    chats: Iterable[Sequence[Message]], facts: Iterable[str | None] | None = None
) -> tuple[Row, ...]:
    """Rows with ids; a repeat of the same messages gets -2, -3 and so on."""
    seen: Counter[str] = Counter()
    rows = []
    turns = [tuple(chat) for chat in chats]
    for chat, fact in zip(turns, facts or [None] * len(turns), strict=True):
        name = row_id(chat)
        seen[name] += 1
        suffix = f"-{seen[name]}" if seen[name] > 1 else ""
        rows.append(Row(id=name + suffix, messages=chat, fact=fact))
    return tuple(rows)
