"""Rows against a pool that knows answers, also where several of its items share a prompt."""

from __future__ import annotations

from itertools import permutations

import pytest

from datadose.auditing import check_rows
from datadose.rows import make_rows
from datadose.schema import Check, Message, Pool, PoolItem


def rows_of(*answers: str):
    return make_rows(
        [
            (Message(role="user", content="Name  a gas."), Message(role="assistant", content=a))
            for a in answers
        ]
    )


def verdicts(items, *answers: str) -> list[bool | None]:
    rows = rows_of(*answers)
    found = check_rows(rows, Pool(name="p", items=tuple(items)))
    return [found.get(r.id) for r in rows]


def item(correct: str, subtle: tuple[str, ...] = (), **more) -> PoolItem:
    return PoolItem(prompt="Name a gas.", fact="f", correct=correct, subtle=subtle, **more)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_answer_is_right_if_any_item_of_its_prompt_has_it_as_right(order) -> None:
    items = [item("Neon.", ("Iron.", "Argon.")), item("Argon.", ("Zinc.",)), item("Radon.")]
    answers = ("Argon.", "Neon.", "Radon.", "Iron.", "Zinc.", "Tin.")
    told = verdicts([items[i] for i in order], *answers)
    assert told == [False, False, False, True, True, None]


@pytest.mark.parametrize("turn", [1, -1])
def test_checks_decide_what_no_item_has_written(turn: int) -> None:
    neon = item("Neon.", check=Check(kind="text", accept=("neon",)))
    argon = item("Argon.", ("Argon-like iron.",), check=Check(kind="text", accept=("argon",)))
    answers = ("It is argon.", "It is neon.", "Tin.", "Argon-like iron.")
    told = verdicts([neon, argon][::turn], *answers)
    assert told == [False, False, True, True]
