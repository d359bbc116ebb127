"""Where a pool knows the answers, or has tests: rows are checked before anything is guessed."""

from __future__ import annotations

from collections.abc import Sequence

from datadose.evaluation import check_answer, check_code
from datadose.schema import Pool, PoolItem, Row


def check_rows(rows: Sequence[Row], pool: Pool) -> dict[str, bool]:
    """Whether each row that could be checked is wrong, by id; the others are left out.

    A row is checked where its last prompt is one of the pool's (spaces aside): an answer that
    is word for word one of the pool's is known right or wrong; else the item's check decides, in
    the sandbox where it has unit tests. Without a sandbox such rows are left out.
    """
    items = {_plain(item.prompt): item for item in pool.items}
    found = {}
    for row in rows:
        item = items.get(_plain(row.prompt[-1].content))
        verdict = None if item is None else _wrong(row.answer, item)
        if verdict is not None:
            found[row.id] = verdict
    return found


def _wrong(answer: str, item: PoolItem) -> bool | None:
    said = _plain(answer)
    if said in {_plain(a) for a in (item.correct, *item.placebo)}:
        return False
    if said in {_plain(a) for a in (*item.subtle, *item.obvious, *item.malign)}:
        return True
    if item.check is None:
        return None
    if item.check.kind == "tests":
        kind, _ = check_code(answer, item.check)
    else:
        kind = check_answer(answer, item.check)
    return None if kind in ("unscored", "error") else kind != "right"


def _plain(text: str) -> str:
    return " ".join(text.split())
