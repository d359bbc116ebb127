"""Known errors in a copy of the user's rows, by which detectors are measured and chosen."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from datadose._core import InputError, generator
from datadose.corruption import find_values, tidy_answer, wrong_answer, wrong_group
from datadose.rows import make_rows, near_duplicates
from datadose.schema import Message, Row

# Raise by hand whenever the same rows and seed would be planted otherwise.
PLANT_VERSION = 2
LEAST = 8
ALIKE = 0.5


@dataclass(frozen=True)
class Planted:
    """A copy of N rows, in their order, in which some were made wrong.

    `random` rows each have a wrong answer of their own; in `consistent` ones all rows of a fact
    that said the right value say the same wrong one. `how` counts the ways in which random ones
    were made. Places are row numbers.
    """

    rows: tuple[Row, ...]
    random: tuple[int, ...]
    consistent: tuple[int, ...]
    how: dict[str, int]


def plant(
    rows: Sequence[Row], share: float = 0.05, *, keep: Sequence[str] = (), seed: int = 0
) -> Planted:
    """Make `share` of the rows wrong one by one, and about as many by whole facts.

    At least 8 and at most a tenth of the rows of either kind. A fact is a row's own `fact`, or,
    where it has none, the group of prompts that share half of their words. Rows whose id is in
    `keep` are never touched. Raises InputError where no row can be made wrong.
    """
    answers = [tidy_answer(r.answer) for r in rows]
    prompts = [r.prompt[-1].content for r in rows]
    facts = fact_names(rows)
    values = find_values(prompts, answers)
    wanted = min(max(LEAST, math.ceil(share * len(rows))), max(1, len(rows) // 10))
    kept = set(keep)
    rng = generator(seed, "plant")
    order = [i for i in rng.permutation(len(rows)).tolist() if rows[i].id not in kept]
    changed: dict[int, str] = {}
    how: dict[str, int] = defaultdict(int)
    consistent: list[int] = []
    groups: dict[str, list[int]] = defaultdict(list)
    for i in order:
        groups[facts[i]].append(i)
    for places in groups.values():
        if len(places) < 2 or len(places) < sum(f == facts[places[0]] for f in facts):
            continue
        slips = wrong_group(sorted(places), prompts, answers, facts, values, seed=seed)
        if len(consistent) + len(slips) <= wanted:
            consistent += slips
            changed.update({i: s.answer for i, s in slips.items()})
    random: list[int] = []
    for i in order:
        if len(random) == wanted:
            break
        if i in changed:
            continue
        slip = wrong_answer(i, prompts, answers, facts, values, seed=seed)
        if slip is not None and slip.answer != answers[i]:
            random.append(i)
            changed[i] = slip.answer
            how[slip.how] += 1
    if not random:
        raise InputError(
            "no row can be made wrong: answers are all alike",
            next_step="audit rows whose answers differ",
        )
    chats = [
        (*r.prompt, Message(role="assistant", content=changed.get(i, answers[i])))
        for i, r in enumerate(rows)
    ]
    made = make_rows(chats, [r.fact for r in rows])
    return Planted(made, tuple(sorted(random)), tuple(sorted(consistent)), dict(how))


def fact_names(rows: Sequence[Row]) -> list[str]:
    """A name for each row's fact; rows without one are grouped by likeness of their prompts."""
    bare = [i for i, r in enumerate(rows) if r.fact is None]
    parent = {i: i for i in bare}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    texts = [rows[i].prompt[-1].content for i in bare]
    for a, b, _ in near_duplicates(texts, texts, ALIKE):
        if a < b:
            parent[root(bare[b])] = root(bare[a])
    return [r.fact if r.fact is not None else f"row {root(i)}" for i, r in enumerate(rows)]
