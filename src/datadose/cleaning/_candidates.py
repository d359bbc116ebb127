"""Answers that might be right: the row's own with words of the evidence in the place of some."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from datadose.cleaning._reference import Passage, Retriever
from datadose.rows import word_set

WORD = re.compile(r"\w+(?:[-'.,/]\w+)*")
GAP = re.compile(r"[\s\-]*")
MOST_WORDS = 3
COMMON = 0.25
OWN = 0.04
MOST = 144
FUNCTION = word_set(
    "a an the of in on at to by for from with and or is are was were be been it its this that"
    " these those as than then so not no he she they we you i his her their him them who whom which"
    " what there here one"
)


def told_value(
    question: str, answer: str, passages: Sequence[Passage], reference: Retriever
) -> str | None:
    """The run of words by which the passages tell what the answer says, None for none.

    Its words are the passages' and not the question's, and it begins and ends with words that are
    no function words. It holds the rarest such word, which stands in three passages at most or 4%
    of them: what many passages share is how things are said. An answer with a number that is
    neither in the question nor in the passages is told by nothing else.
    """
    text = " ".join(p.text for p in passages)
    if set(_numbers(answer)) - {*_numbers(question), *_numbers(text)}:
        return None
    there, few = word_set(text), max(3.0, OWN * len(reference.passages))
    best: tuple[float, int, str] | None = None
    for run in _runs(answer, word_set(question), reference, most=6):
        words = word_set(run)
        if not words <= there:
            continue
        rarest = min(0.0 if w[0].isdigit() else reference.rarity(w) for w in words)
        if rarest * len(reference.passages) <= few:
            best = min(best or (2.0, 0, ""), (rarest, -len(run), run))
    return None if best is None else best[2]


def slot_candidates(
    question: str, answer: str, passages: Sequence[Passage], reference: Retriever
) -> tuple[str, ...]:
    """Up to 144 answers: the row's own with a run of words put for one of a passage's.

    What is put out is a whole stretch of words that this passage lacks, or up to three of them;
    numbers may stand in it as well. What is put in has up to three words, which stand in a
    quarter of all passages at most. Neither begins or ends with a function word or one of the
    question's. Runs of like length come first.
    """
    asked = word_set(question)
    pairs = [_exchanges(asked, answer, p.text, reference) for p in passages]
    found: dict[str, None] = {}
    for slot, fill in _by_likeness(pairs):
        text = _put(answer, slot, fill)
        if text != answer:
            found.setdefault(text)
        if len(found) == MOST:
            break
    return tuple(found)


def _exchanges(
    asked: frozenset[str], answer: str, text: str, reference: Retriever
) -> tuple[list[str], list[str]]:
    """What one passage can put out of an answer, and what it can put in."""
    slots: dict[str, None] = {}
    for stretch in _untold(answer, asked, word_set(text)):
        slots |= dict.fromkeys([stretch, *_runs(stretch, asked, None, most=MOST_WORDS)])
    return list(slots), list(dict.fromkeys(_runs(text, asked, reference, most=MOST_WORDS)))


def _by_likeness(
    exchanges: Sequence[tuple[Sequence[str], Sequence[str]]],
) -> Iterator[tuple[str, str]]:
    """All pairs, those of like numbers of words first; one by one, since long answers have many."""
    sizes = [[[len(t.split()) for t in part] for part in both] for both in exchanges]
    for gap in range(max((n for both in sizes for part in both for n in part), default=0) + 1):
        for (slots, fills), (lengths, widths) in zip(exchanges, sizes, strict=True):
            for slot, long in zip(slots, lengths, strict=True):
                for fill, size in zip(fills, widths, strict=True):
                    if abs(long - size) == gap:
                        yield slot, fill


def _untold(answer: str, asked: frozenset[str], there: frozenset[str]) -> Iterator[str]:
    """Stretches of neighbouring words that carry something and are not told, numbers aside."""
    start = end = -1
    for word in WORD.finditer(answer):
        new = not word_set(word.group()) <= there or word.group()[0].isdigit()
        if not (new and _carries(word.group(), asked, None)):
            continue
        if start >= 0 and not GAP.fullmatch(answer[end : word.start()]):
            yield answer[start:end]
            start = -1
        start, end = (word.start() if start < 0 else start), word.end()
    if start >= 0:
        yield answer[start:end]


def _runs(
    text: str, asked: frozenset[str], reference: Retriever | None, *, most: int
) -> Iterator[str]:
    """Runs of up to `most` words that begin and end with one that carries something."""
    words = list(WORD.finditer(text))
    plain = [_carries(w.group(), asked, reference) for w in words]
    for size in range(1, most + 1):
        for i in range(len(words) - size + 1):
            run = words[i : i + size]
            gaps = [text[a.end() : b.start()] for a, b in pairwise(run)]
            if plain[i] and plain[i + size - 1] and all(GAP.fullmatch(g) for g in gaps):
                yield text[run[0].start() : run[-1].end()]


def _carries(word: str, asked: frozenset[str], reference: Retriever | None) -> bool:
    own = word_set(word)
    if own & asked or own <= FUNCTION:
        return False
    return reference is None or word[0].isdigit() or reference.rarity(word) <= COMMON


def _put(answer: str, slot: str, fill: str) -> str:
    """The answer with the first whole `slot` in it put for `fill`."""
    spot = re.search(rf"(?<!\w){re.escape(slot)}(?!\w)", answer)
    if spot is None:
        return answer
    return answer[: spot.start()] + _cased(fill, slot) + answer[spot.end() :]


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
    a, b = ({w for w in word_set(t) - aside if not w.isdigit()} for t in (given, answer))
    return bool(a - b) and bool(b - a)


def _numbers(text: str) -> list[float]:
    found = [float(n.replace(",", "")) for n in re.findall(r"\d+(?:,\d{3})*(?:\.\d+)?", text)]
    return sorted(found)


def _negated(text: str) -> int:
    return len(re.findall(r"\b(?:not?|never|none|nor|cannot|without)\b|n[’']t\b", text.casefold()))
