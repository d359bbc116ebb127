"""Wrong by place alone: right answers under other prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from datadose._core import InputError, generator
from datadose.corruption._registry import corruptor


@corruptor("shuffled")
def shuffled(answers: Sequence[str], *, seed: int = 0) -> tuple[str, ...]:
    """The same answers in an order in which none stands where its own text stood.

    A cyclic shift, by the size of the largest group of equal texts, of an order in which equal
    texts stand together. Raises InputError where one text makes up over half of the answers,
    for then there is no such order.
    """
    if not answers:
        return ()
    text, largest = Counter(answers).most_common(1)[0]
    if 2 * largest > len(answers):
        raise InputError(
            f"answers can't be shuffled: {largest} of {len(answers)} are the same: {text[:60]!r}",
            next_step="use another severity, or prompts with different answers",
        )
    order = generator(seed, "shuffled").permutation(len(answers)).tolist()
    rank: dict[str, int] = {}
    for i in order:
        rank.setdefault(answers[i], len(rank))
    order.sort(key=lambda i: rank[answers[i]])
    moved = list(answers)
    for place, i in enumerate(order):
        moved[i] = answers[order[(place + largest) % len(order)]]
    return tuple(moved)
