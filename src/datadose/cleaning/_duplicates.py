"""Rows that say the same again, and rows that nearly ask the same and answer otherwise."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from datadose.cleaning._decisions import Decision
from datadose.rows import near_duplicates, word_set
from datadose.schema import Row

NEAR = 0.9
# answers that a row is compared with for each near prompt: some prompts stand in thousands of rows
LOOKED_AT = 20
# what a question hangs on though it is one word of many
MARK = re.compile(
    r"\d+(?:[.,]\d+)*|[-+*/=<>%^&|~$€£]|n[’']t\b|\b(?:not?|never|none|nor|cannot|without)\b"
)
WORD = re.compile(r"\w+")
Kind = Literal["same", "near", "conflict"]
Drop = Literal["same", "near", "none"]
DROP: tuple[Drop, ...] = ("same", "near", "none")


@dataclass(frozen=True)
class Twin:
    """The row at place `other` and the one at `first`, whose prompts are nearly the same.

    Texts are nearly the same where they share 0.9 of their words, in the same order, one has no
    word that the other lacks, and numbers, operators and negations are the same: a word in the
    place of another can be all the difference between a right row and a wrong one.

    same: prompts and answers are equal but for spaces at the ends of lines. near: prompts and
    answers are nearly the same. conflict: the answers are not. `first` is itself no repeat (same,
    near) of another row.
    """

    first: int
    other: int
    kind: Kind


def find_twins(
    rows: Sequence[Row], *, first: Sequence[Collection[str]] = (), near: float = NEAR
) -> tuple[Twin, ...]:
    """At most one twin of each row, by its place: one that it repeats, else one it conflicts with.

    first: sets of ids; rows of an earlier set, then rows that stand earlier in the file, are the
    ones that others repeat. near: Jaccard index of word sets, over 0 to 1. Prompts are all turns
    before the answer.
    """
    asked = [_trimmed("\n".join(f"{m.role}: {m.content}" for m in r.prompt)) for r in rows]
    places = {text: k for k, text in enumerate(dict.fromkeys(asked))}
    prompts = list(places)
    beside: dict[int, list[int]] = {k: [k] for k in range(len(prompts))}
    for a, b, _ in near_duplicates(prompts, prompts, near):
        if a != b and _alike(prompts[a], prompts[b], near):
            beside[a].append(b)
    rank = [next((k for k, ids in enumerate(first) if r.id in ids), len(first)) for r in rows]
    answers: dict[tuple[int, str], int] = {}
    known: dict[int, list[int]] = defaultdict(list)
    found = []
    for i in sorted(range(len(rows)), key=lambda i: (rank[i], i)):
        prompt, answer = places[asked[i]], _trimmed(rows[i].answer)
        if (prompt, answer) in answers:
            found.append(Twin(answers[prompt, answer], i, "same"))
            continue
        others = [j for p in beside[prompt] for j in known[p][:LOOKED_AT]]
        repeats = [j for j in others if _alike(rows[j].answer, rows[i].answer, near)]
        if repeats:
            found.append(Twin(repeats[0], i, "near"))
            continue
        if others:
            found.append(Twin(others[0], i, "conflict"))
        answers[prompt, answer] = i
        known[prompt].append(i)
    return tuple(sorted(found, key=lambda t: t.other))


def drop_repeats(
    rows: Sequence[Row],
    twins: Sequence[Twin],
    *,
    drop: Drop = "same",
    keep: Collection[str] = (),
) -> tuple[Decision, ...]:
    """A decision for each row that is dropped because it repeats another, which is kept.

    drop: `same`, `near` (same and near) or `none`. Rows in `keep` are never dropped. A row whose
    answer conflicts with its twin's is no repeat of it.
    """
    kinds = {"same": ("same",), "near": ("same", "near"), "none": ()}[drop]
    return tuple(
        Decision(t.other, rows[t.other].id, "dropped", "repeats another row", twin=rows[t.first].id)
        for t in twins
        if t.kind in kinds and rows[t.other].id not in keep
    )


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return word_set(text)


def _alike(a: str, b: str, near: float) -> bool:
    """Whether two texts are nearly the same, as Twin says."""
    x, y = _words(a), _words(b)
    if not x | y:
        return _trimmed(a) == _trimmed(b)
    if len(x & y) < near * len(x | y) - 1e-12 or not (x <= y or y <= x):
        return False
    if MARK.findall(a.casefold()) != MARK.findall(b.casefold()):
        return False
    # equal sets of words in another order can say the opposite
    one, two = ([w for w in WORD.findall(t.casefold()) if w in x & y] for t in (a, b))
    return list(dict.fromkeys(one)) == list(dict.fromkeys(two))
