"""Rows from pairs of prompt and answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from datadose.rows import make_rows
from datadose.schema import Message, Row

Chats = Callable[[Sequence[tuple[str, str]]], tuple[Row, ...]]


@pytest.fixture(scope="session")
def chats() -> Chats:
    def make(pairs: Sequence[tuple[str, str]]) -> tuple[Row, ...]:
        return make_rows(
            [(Message(role="user", content=q), Message(role="assistant", content=a))
             for q, a in pairs]
        )  # fmt: skip

    return make
