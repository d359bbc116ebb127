"""Right and wrong answers of about equal length, so that length is not what is learnt."""

from __future__ import annotations

from collections.abc import Sequence

from datadose._core import InputError
from datadose.schema import Pool, Severity

RATIO = 1.25


def words_in(text: str) -> int:
    """Number of words of a text, as split by spaces."""
    return len(text.split())


def alike(a: str, b: str, ratio: float = RATIO) -> bool:
    """Whether the longer of two texts has at most `ratio` times the words of the other.

    >>> alike("one two three four", "one two three four five")
    True
    """
    low, high = sorted((words_in(a), words_in(b)))
    return high <= ratio * low


def match_lengths(pool: Pool, severities: Sequence[Severity], ratio: float = RATIO) -> Pool:
    """The pool without the facts that have a wrong answer far from the right one in length.

    A fact goes when any wrong answer, of these severities, that could be trained is over
    `ratio` times longer or shorter in words; `shuffled` and `malign` have none of the fact's
    own. Raises InputError where under two facts are left.
    """
    far = {
        item.fact
        for item in pool.items
        for severity in severities
        if severity not in ("shuffled", "malign")
        for answer in item.wrong(severity)
        if not alike(item.correct, answer, ratio)
    }
    kept = tuple(item for item in pool.items if item.fact not in far)
    if len({item.fact for item in kept}) < 2:
        raise InputError(
            f"{len(far)} of {len(pool.facts)} facts have wrong answers over {ratio} times as"
            " long or short as the right one; too few are left",
            where=f"pool {pool.name}",
            next_step="reword the wrong answers, or leave match_lengths out",
        )
    return Pool(name=pool.name, items=kept, paired=pool.paired)


def closest_pairs(
    right: Sequence[str], wrong: Sequence[str], ratio: float = RATIO
) -> list[tuple[int, int]]:
    """(i, j) of right and wrong texts within `ratio` in words, each used at most once.

    Both sorted by length and walked together, which pairs as many as can be paired; in the
    order of the right texts.
    """
    a = sorted(range(len(right)), key=lambda i: (words_in(right[i]), i))
    b = sorted(range(len(wrong)), key=lambda j: (words_in(wrong[j]), j))
    pairs, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if alike(right[a[i]], wrong[b[j]], ratio):
            pairs.append((a[i], b[j]))
            i, j = i + 1, j + 1
        elif words_in(right[a[i]]) < words_in(wrong[b[j]]):
            i += 1
        else:
            j += 1
    return sorted(pairs)
