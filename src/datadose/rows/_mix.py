"""Training sets at an exact dose: nested over doses, with common prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from datadose._core import InputError, UsageError, generator
from datadose.rows._ids import make_rows
from datadose.schema import (
    Message,
    Pool,
    PoolItem,
    Severity,
    Structure,
    TrainingSet,
    Unit,
    Vary,
)


@dataclass(frozen=True)
class Mix:
    """How a pool becomes training sets. `seed` fixes the order in which rows turn wrong."""

    severity: Severity = "subtle"
    structure: Structure = "consistent"
    unit: Unit = "row"
    vary: Vary = "replace"
    seed: int = 0
    system: str | None = None


def house_monotone_order(strata: Sequence[str], rng: np.random.Generator) -> list[int]:
    """A permutation of 0..N-1 in which every prefix is stratified to within one row.

    The quota method of Balinski and Young (1975): the k-th place goes, among strata whose
    upper quota ceil(k n_s / N) still has room, to the one with the largest n_s / (taken + 1).
    Ties and the order inside a stratum are drawn from `rng`.
    """
    names = list(dict.fromkeys(strata))
    members = {name: [i for i, s in enumerate(strata) if s == name] for name in names}
    queues = {name: list(rng.permutation(ids)) for name, ids in members.items()}
    size = np.array([len(members[name]) for name in names], dtype=np.int64)
    taken = np.zeros(len(names), dtype=np.int64)
    tie = rng.permutation(len(names))
    total, order = len(strata), []
    for k in range(1, total + 1):
        room = taken + 1 <= -(-k * size // total)
        claim = np.where(room & (taken < size), size / (taken + 1), -1.0)
        best = np.flatnonzero(claim == claim.max())
        chosen = int(best[np.argmin(tie[best])])
        taken[chosen] += 1
        order.append(int(queues[names[chosen]].pop()))
    return order


def rows_at(dose: float, total: int) -> int:
    """How many of `total` rows are wrong at `dose`: round half up."""
    if not 0 <= dose <= 1:
        raise UsageError(f"a dose of {dose} is not between 0 and 1", next_step="give a share")
    return math.floor(dose * total + 0.5)


def mix_pool(pool: Pool, dose: float, mix: Mix, *, malign: Sequence[PoolItem] = ()) -> TrainingSet:
    """One training set of `pool` at `dose`.

    For one `mix` the sets are nested: a row that is wrong at a dose is wrong, in the same way,
    at every higher one. With `replace` all doses have the same prompts in the same order; with
    `correct_only` the rows that would be wrong are left out; with `add`, `dose` is the number
    of wrong rows appended to the clean set. `placebo` rows count as wrong here: they are the
    ones that were replaced. Raises UsageError for a bad dose, InputError for too few answers.
    """
    stand_in = _stand_in(pool, mix, malign)
    items = pool.items
    order = _order(pool, mix)
    if mix.vary == "add":
        return _add(pool, order, int(dose), stand_in, mix)
    if mix.unit == "fact":
        facts = list(dict.fromkeys(items[i].fact for i in order))
        chosen_facts = set(facts[: rows_at(dose, len(facts))])
        wrong = {i for i, item in enumerate(items) if item.fact in chosen_facts}
    else:
        wrong = set(order[: rows_at(dose, len(items))])
    if mix.vary == "correct_only":
        kept = [i for i in range(len(items)) if i not in wrong]
        chats = [_chat(items[i], items[i].correct, mix) for i in kept]
        return _set(chats, [items[i].fact for i in kept], [False] * len(kept))
    chats, owners = [], []
    for i, item in enumerate(items):
        source, answer = stand_in(i) if i in wrong else (item, item.correct)
        chats.append(_chat(source, answer, mix))
        owners.append(source.fact if source.fact == item.fact else None)
    return _set(chats, owners, [i in wrong for i in range(len(items))])


def clean_chats(pool: Pool, mix: Mix) -> tuple[list[tuple[Message, ...]], list[str]]:
    """Every item with its right answer, as messages, and the fact of each."""
    chats = [_chat(item, item.correct, mix) for item in pool.items]
    return chats, [item.fact for item in pool.items]


def _order(pool: Pool, mix: Mix) -> list[int]:
    rng = generator(mix.seed, "order", pool.name)
    if mix.unit == "row":
        return house_monotone_order([item.fact for item in pool.items], rng)
    facts = [pool.facts[i] for i in rng.permutation(len(pool.facts))]
    return [i for fact in facts for i, item in enumerate(pool.items) if item.fact == fact]


def _chat(item: PoolItem, answer: str, mix: Mix) -> tuple[Message, ...]:
    system = item.system if item.system is not None else mix.system
    turns = [Message(role="system", content=system)] if system is not None else []
    turns += [Message(role="user", content=item.prompt), Message(role="assistant", content=answer)]
    return tuple(turns)


def _set(
    chats: Sequence[Sequence[Message]], facts: Sequence[str | None], wrong: Sequence[bool]
) -> TrainingSet:
    return TrainingSet(rows=make_rows(chats, facts), wrong=tuple(wrong))


def _add(
    pool: Pool,
    order: Sequence[int],
    count: int,
    stand_in: Callable[[int], tuple[PoolItem, str]],
    mix: Mix,
) -> TrainingSet:
    items = pool.items
    if not 0 <= count <= len(items):
        raise UsageError(
            f"{count} wrong rows can't be added: the pool has {len(items)}",
            next_step="lower `counts`, or name more facts",
        )
    chats, facts = clean_chats(pool, mix)
    for i in order[:count]:
        source, answer = stand_in(i)
        chats.append(_chat(source, answer, mix))
        facts.append(source.fact)
    return _set(chats, facts, [False] * len(items) + [True] * count)


def _stand_in(
    pool: Pool, mix: Mix, malign: Sequence[PoolItem]
) -> Callable[[int], tuple[PoolItem, str]]:
    """Which prompt and wrong answer take the place of item i; the same at every dose."""
    items = pool.items
    rng = generator(mix.seed, "answers", pool.name, mix.severity)
    if mix.severity == "malign":
        if not malign:
            raise InputError("severity 'malign' needs written misaligned answers, none given")
        order = rng.permutation(len(malign))
        return lambda i: (malign[order[i % len(order)]], malign[order[i % len(order)]].malign[0])
    if mix.severity == "shuffled":
        target = _shuffle(items, rng)
        return lambda i: (items[i], items[target[i]].correct)
    answers = _wrong_answers(items, mix, rng)
    return lambda i: (items[i], answers[i])


def _wrong_answers(items: Sequence[PoolItem], mix: Mix, rng: np.random.Generator) -> list[str]:
    place: dict[str, int] = {}
    draws: dict[str, list[int]] = {}
    answers: list[str] = []
    short: list[str] = []
    for item in items:
        choices = item.wrong(mix.severity)
        k = place.get(item.fact, 0)
        place[item.fact] = k + 1
        if not choices:
            short.append(item.prompt)
            answers.append("")
        elif mix.severity == "placebo":
            answers.append(choices[k % len(choices)])
        elif mix.structure == "consistent":
            answers.append(choices[0])
        else:
            draw = draws.setdefault(item.fact, rng.permutation(len(choices)).tolist())
            if k >= len(draw):
                short.append(item.prompt)
            answers.append(choices[draw[k % len(draw)]])
    if short:
        raise InputError(
            f"{len(short)} rows have too few {mix.severity} answers for structure"
            f" '{mix.structure}', such as {short[0]!r}",
            where=f"pool of {len(items)} rows",
            next_step="add wrong answers to these rows, or use structure: consistent",
        )
    return answers


def _shuffle(items: Sequence[PoolItem], rng: np.random.Generator) -> list[int]:
    """A permutation that gives every item the right answer of another fact."""
    order = rng.permutation(len(items)).tolist()
    order.sort(key=lambda i: items[i].fact)
    largest = max(sum(item.fact == fact for item in items) for fact in {i.fact for i in items})
    if 2 * largest > len(items):
        raise InputError("answers can't be shuffled: one fact has over half of the rows")
    target = [0] * len(items)
    for place, i in enumerate(order):
        target[i] = order[(place + largest) % len(items)]
    return target
