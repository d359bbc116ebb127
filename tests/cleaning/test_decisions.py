"""Every row has one fate, and a diff says what changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import StageError
from datadose.cleaning import Decision, settle, word_diff


def test_a_row_without_or_with_two_fates_is_refused(chats) -> None:
    rows = chats([("a?", "b"), ("c?", "d")])
    good = [Decision(i, r.id, "kept", "why") for i, r in enumerate(rows)]
    assert settle(rows, reversed(good)) == tuple(good)
    for bad in (
        good[:1],
        [*good, good[0]],
        [good[0], replace(good[1], id=rows[0].id)],
        [good[0], replace(good[1], fate="corrected")],
        [good[0], replace(good[1], answer="e")],
        [good[0], replace(good[1], fate="corrected", answer="d")],
    ):
        with pytest.raises(StageError, match="report this"):
            settle(rows, bad)


def test_a_diff_shows_the_change_with_words_around() -> None:
    assert word_diff("one two", "one two") == ""
    assert word_diff("a b c d e old f g h i", "a b c d e new f g h i") == (
        "… c d e [-old-]{+new+} f g h …"
    )
    assert word_diff("x  ", "x") == "[-x  -]{+x+}"


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_diff_is_no_formula_and_never_empty_for_a_change(a: str, b: str) -> None:
    found = word_diff(a, b)
    assert (found == "") == (a == b)
    assert not found or found[0] in "[{…"
