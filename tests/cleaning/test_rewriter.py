"""A rewriter is taught on pairs, and what it writes counts only where nothing changed."""

from __future__ import annotations

import pytest

from datadose._core import InputError, generator
from datadose.cleaning import (
    better_form,
    changed_facts,
    damage,
    damaged,
    pair_good,
    rewrite,
    train_rewriter,
)
from datadose.models import load_base
from datadose.schema import Recipe

GOOD = "It is zinc. The rest is iron.\n\nThere are 3 of them."


def test_damage_hides_no_fact_and_can_be_found() -> None:
    for name in damage:
        text = GOOD + "\n```\nx = 1\n```"
        broken = damage.get(name)(text, generator(0, name))
        assert broken != text, name
        assert changed_facts(text, broken) in ((), ("words run together",)), name
    assert damaged(GOOD, generator(1)) == damaged(GOOD, generator(1))


def test_broken_rows_are_paired_with_good_ones_that_say_the_same(chats) -> None:
    ask = "Which metals are in the old green box of the lab, and how many?"
    rows = chats(
        [
            ("Please: " + ask, "<p>It is zinc.</p>The rest is iron. There are 3 of them. Bye"),
            (ask, "It is iron. The rest is zinc. There are 3 of them."),
            ("Something else?", GOOD),
        ]
    )
    good = chats([(ask, GOOD)])
    assert pair_good(rows, good) == ((0, 0),)


def test_what_changed_a_fact_is_not_used(chats) -> None:
    (row,) = chats([("Which?", "It is zinc.The rest  is iron.")])
    tidy = "It is zinc. The rest is iron."
    assert better_form(row, ("It is zinc.\nThe rest is iron.", ())) == (
        "It is zinc.\nThe rest is iron.",
        "form, by the rewriter",
    )
    assert better_form(row, ("It is iron.", ("letters",))) == (tidy, "form, by rule")
    assert better_form(row, (row.answer, ())) == (tidy, "form, by rule")
    (fine,) = chats([("Which?", tidy)])
    assert better_form(fine, (tidy, ())) == (tidy, "")


def test_a_rewriter_is_trained_and_checked_row_by_row(chats, tmp_path) -> None:
    base = load_base("tiny")
    good = chats([(f"q{i}?", f"It is {i}. So.") for i in range(20)])
    with pytest.raises(InputError, match="19 good rows are too few"):
        train_rewriter(base, (), good[:19], tmp_path)
    recipe = Recipe(lr=5e-3, batch=4, steps=2, max_length=2048, checkpoints=(1.0,))
    adapter = train_rewriter(base, (), good, tmp_path, recipe=recipe)
    long = chats([("q?", "word " * 601)])
    found = rewrite(base, adapter, (*good[:2], *long))
    assert found[2] == (long[0].answer, ())
    for row, (text, changed) in zip(good, found[:2], strict=False):
        assert changed == changed_facts(row.answer, text)
