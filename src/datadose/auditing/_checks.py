"""Where a pool knows the answers, or has tests: rows are checked before anything is guessed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from datadose.evaluation import check_answer, check_code
from datadose.schema import Check, Pool, PoolItem, Row


def check_rows(rows: Sequence[Row], pool: Pool) -> dict[str, bool]:
    """Whether each row that could be checked is wrong, by id; the others are left out.

    A row is checked where its last prompt is one of the pool's (spaces aside): an answer that
    is word for word one of the pool's is known right or wrong; else the item's check decides, in
    the sandbox where it has unit tests. Without a sandbox such rows are left out. Where several
    items have that prompt, the row is right if its answer is so for any of them, and the same
    holds among their checks.
    """
    items: dict[str, list[PoolItem]] = defaultdict(list)
    for item in pool.items:
        items[_plain(item.prompt)].append(item)
    found = {}
    for row in rows:
        verdict = _verdict(row.answer, items.get(_plain(row.prompt[-1].content), ()))
        if verdict is not None:
            found[row.id] = verdict
    return found


def _verdict(answer: str, items: Sequence[PoolItem]) -> bool | None:
    """Whether an answer is wrong by what `items`, which share a prompt, know of it."""
    said = _plain(answer)
    if said in {_plain(a) for item in items for a in (item.correct, *item.placebo)}:
        return False
    if said in {_plain(a) for i in items for a in (*i.subtle, *i.obvious, *i.malign)}:
        return True
    found = [_checked(answer, check) for check in dict.fromkeys(i.check for i in items) if check]
    if False in found:
        return False
    return True if found and None not in found else None


def _checked(answer: str, check: Check) -> bool | None:
    """Whether a check finds an answer wrong; None where it can't tell."""
    if check.kind == "tests":
        kind, _ = check_code(answer, check)
    else:
        kind = check_answer(answer, check)
    return None if kind in ("unscored", "error") else kind != "right"


def _plain(text: str) -> str:
    return " ".join(text.split())
