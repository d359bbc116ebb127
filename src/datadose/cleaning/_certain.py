"""Answers that are known, not guessed: those of a pool, and of rows known to be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose.schema import Message, Pool, Row


@dataclass(frozen=True)
class Known:
    """A right answer to a row's prompt, and where it comes from."""

    answer: str
    source: str


def known_answers(
    rows: Sequence[Row], *, pool: Pool | None = None, trusted: Sequence[Row] = ()
) -> dict[str, Known]:
    """The right answer of each row whose prompt the pool or a trusted row has, by the row's id.

    A prompt is all turns before the answer, spaces aside; a pool's item is one user turn, and a
    system turn where it has one. A prompt to which trusted rows give different answers has none
    from them: none of the two can be taken for the other.
    """
    found: dict[str, Known] = {}
    said: dict[str, set[str]] = {}
    for row in trusted:
        said.setdefault(_key(row.prompt), set()).add(row.answer)
    sure = {key: next(iter(answers)) for key, answers in said.items() if len(answers) == 1}
    items = {" ".join(i.prompt.split()): i for i in (pool.items if pool else ())}
    for row in rows:
        own = [m for m in row.prompt if m.role != "system"]
        item = items.get(" ".join(own[-1].content.split())) if len(own) == 1 else None
        if item is not None:
            found[row.id] = Known(item.correct, f"the pool's answer (fact {item.fact})")
        elif (key := _key(row.prompt)) in sure:
            found[row.id] = Known(sure[key], "a trusted row's answer")
    return found


def _key(prompt: Sequence[Message]) -> str:
    return "\n".join(f"{m.role}: {' '.join(m.content.split())}" for m in prompt)
