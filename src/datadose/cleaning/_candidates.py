"""Answers that might be right: the row's own with words of the evidence in the place of some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from datadose.cleaning._pairs import question_of
from datadose.cleaning._reference import Passage, Retriever
from datadose.corruption import same_value
from datadose.rows import word_set
from datadose.schema import Row

WORD = re.compile(r"\w+(?:[-'.,/]\w+)*")
GAP = re.compile(r"[\s\-]*")
MOST_WORDS = 4
COMMON = 0.25
MOST = 24
FUNCTION = word_set(
    "a an the of in on at to by for from with and or is are was were be been it its this that"
    " these those as than then so not no"
)


def slot_candidates(
    row: Row, value: str | None, passages: Sequence[Passage], reference: Retriever
) -> tuple[str, ...]:
    """Up to 24 answers: the row's own with its value in the words of a passage.

    value: the run of words that carries the answer (`corruption.find_values`); None gives none.
    Put in its place are runs of up to four words of a passage that begin and end with a word which
    is neither the question's, nor a function word, nor in a quarter of all passages.
    """
    if value is None or value not in row.answer:
        return ()
    asked = word_set(question_of(row))
    found: dict[str, None] = {}
    for passage in passages:
        for run in _runs(passage.text, asked, reference):
            text = row.answer.replace(value, _cased(run, value), 1)
            if text != row.answer:
                found.setdefault(text)
    return tuple(found)[:MOST]


def _runs(text: str, asked: frozenset[str], reference: Retriever) -> Iterator[str]:
    words = list(WORD.finditer(text))
    plain = [_carries(w.group(), asked, reference) for w in words]
    for size in range(1, MOST_WORDS + 1):
        for i in range(len(words) - size + 1):
            run = words[i : i + size]
            gaps = [text[a.end() : b.start()] for a, b in pairwise(run)]
            if plain[i] and plain[i + size - 1] and all(GAP.fullmatch(g) for g in gaps):
                yield text[run[0].start() : run[-1].end()]


def _carries(word: str, asked: frozenset[str], reference: Retriever) -> bool:
    own = word_set(word)
    if own & asked or own <= FUNCTION:
        return False
    return any(c.isdigit() for c in word) or reference.rarity(word) <= COMMON


def _cased(run: str, like: str) -> str:
    """The run with a capital where the value it replaces begins with one, else as it stands."""
    return run[:1].upper() + run[1:] if like[:1].isupper() else run


def says_another(given: str, answer: str, question: str) -> bool:
    """Whether two answers differ in what they say, and not in its wording alone.

    Yes where their numbers or negations differ, or where each has a word, neither the question's
    nor a function word, that the other lacks. A rule in the place of a trained classifier: it
    takes a synonym for a difference.
    """
    if _numbers(given) != _numbers(answer) or _negated(given) != _negated(answer):
        return True
    aside = word_set(question) | FUNCTION
    a, b = word_set(given) - aside, word_set(answer) - aside
    return bool(a - b) and bool(b - a)


def _numbers(text: str) -> list[float]:
    found = [float(n.replace(",", "")) for n in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)]
    return sorted(found)


def _negated(text: str) -> int:
    return len(re.findall(r"\b(?:not?|never|none|nor|cannot|without)\b|n[’']t\b", text.casefold()))


def same_numbers(a: str, b: str) -> bool:
    """Whether two texts have the same numbers, however they are written."""
    x, y = _numbers(a), _numbers(b)
    return len(x) == len(y) and all(same_value(p, q, 0.0) for p, q in zip(x, y, strict=True))
