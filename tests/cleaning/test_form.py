"""Form rules mend what is broken, leave code alone, and change no fact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import UsageError
from datadose.cleaning import changed_facts, form_rule, tidy_form


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Sure! Here is the answer:\nIt is zinc.\n\nI hope this helps!", "It is zinc."),
        ("As an AI language model, I cannot feel, but it is 5.", "I cannot feel, but it is 5."),
        ("It is zinc.The rest is  iron. ", "It is zinc. The rest is iron."),
        ("Answer:Paris\r\n\r\n\r\n\r\nDone", "Answer: Paris\n\nDone"),
        ("Use this:```python\nx  = 1\n", "Use this:\n```python\nx  = 1\n```"),
        ("<p>One.</p><p>Two &amp; three</p>", "One.\nTwo & three"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_broken_form_is_mended_and_nothing_else(before: str, after: str) -> None:
    assert tidy_form(before) == after
    assert changed_facts(before, after) == ()
    assert tidy_form(after) == after


@pytest.mark.parametrize(
    "text",
    [
        "def f(a):\n    s = 'a  b'\n    return s.Upper now",
        "```\na  b   \n\n\n\nc\n```",
        "Use the <br> tag and <p>.",
        "See example.com. Call `foo.bar.Baz now` there.",
        "می‌خواهم",
        "a  b | c\n1  2 | 3",
        "Certainly.",
        "Of course, it is 7.",
        "1.5 or 3/4, not 12%",
    ],
)
def test_what_is_not_broken_stays(text: str) -> None:
    assert tidy_form(text) == text


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("It is 3/4.", "It is 34.", "numbers"),
        ("It costs $5.", "It costs £5.", "numbers"),
        ("It is -5.", "It is 5.", "numbers"),
        ("(A) Oslo", "(B) Oslo", "option letters"),
        ("Take zinc.", "Take iron.", "letters"),
        ("Take it.", "Do not take it.", "negations"),
        ("Ask Ms Reed.", "Ask.", "letters"),
        ("It is zinc.", "It is zinc. Truly.", "letters"),
        ("Go:\n```\na = 1\n```", "Go:\n```\na = 2\n```", "code blocks"),
        ("It is zinc.", "Itiszinc.", "words run together"),
        ("a\n```\nx\n```", "a", "code blocks"),
    ],
)
def test_a_rewriting_that_touches_a_fact_is_told(before: str, after: str, what: str) -> None:
    assert what in changed_facts(before, after)


@given(st.text(max_size=60))
def test_rules_hold_on_any_text(text: str) -> None:
    found = tidy_form(text)
    assert found.strip() or not text.strip()
    assert changed_facts(text, text) == ()


def test_rules_are_named() -> None:
    assert set(form_rule) == {"fences", "markup", "joined", "boilerplate", "spaces"}
    assert tidy_form("a.  b", ["joined"]) == "a.  b"
    with pytest.raises(UsageError, match="choose from"):
        tidy_form("a", ["nonsense"])
