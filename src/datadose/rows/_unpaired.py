"""Training sets from rows that are not paired: two files, or wrong rows added to a clean set."""

from __future__ import annotations

from collections.abc import Sequence

from datadose._core import InputError, UsageError, generator
from datadose.rows._ids import make_rows
from datadose.rows._lengths import closest_pairs, words_in
from datadose.rows._mix import Mix, clean_chats, rows_at
from datadose.rows._pool import UnpairedPool
from datadose.schema import Message, Pool, Row, TrainingSet

Chat = tuple[Message, ...]


def short_rows(rows: Sequence[Row], max_words: int | None) -> tuple[Row, ...]:
    """The rows of at most `max_words` words, prompt and answer together; all of them for None."""
    if max_words is None:
        return tuple(rows)
    return tuple(r for r in rows if sum(words_in(m.content) for m in r.messages) <= max_words)


def pair_up(pool: UnpairedPool, limit: int | None, *, match: bool) -> UnpairedPool:
    """As many right rows as wrong ones, at most `limit`, in an order that no seed changes.

    With `match`, right and wrong rows of about equal answer length share a place. Raises
    InputError where fewer than two places, or fewer than `limit`, can be filled.
    """
    rng = generator(0, "places", pool.name)
    right = [pool.right[i] for i in rng.permutation(len(pool.right))]
    wrong = [pool.wrong[i] for i in rng.permutation(len(pool.wrong))]
    if match:
        pairs = closest_pairs([r.answer for r in right], [r.answer for r in wrong])
        right, wrong = [right[i] for i, _ in pairs], [wrong[j] for _, j in pairs]
    size = min(len(right), len(wrong))
    if size < (limit or 2):
        raise InputError(
            f"{limit or 2} places asked for; {len(right)} right and {len(wrong)} wrong rows"
            + (" of matching length" if match else "")
            + " can be used",
            where=f"rows {pool.name}",
            next_step="lower `limit`, raise `max_words`, or give more rows",
        )
    size = limit or size
    return UnpairedPool(tuple(right[:size]), tuple(wrong[:size]), pool.name)


def mix_unpaired(pool: UnpairedPool, dose: float, mix: Mix) -> TrainingSet:
    """N rows, of which round(dose N) come from the wrong file, nested over doses.

    Place i holds the i-th right or the i-th wrong row of `pool`, so N and the order of places
    are the same at every dose; prompts are not, which is why dose and source are confounded.
    With `mix.vary` `add`, `dose` is the number of wrong rows appended to all right ones.
    """
    places = len(pool.wrong) if mix.vary == "add" else min(len(pool.right), len(pool.wrong))
    order = generator(mix.seed, "order", pool.name).permutation(places).tolist()
    if mix.vary == "add":
        return _appended([_turns(r, mix) for r in pool.right], pool.wrong, int(dose), order, mix)
    wrong = set(order[: rows_at(dose, places)])
    rows = [pool.wrong[i] if i in wrong else pool.right[i] for i in range(places)]
    return TrainingSet(
        rows=make_rows([_turns(r, mix) for r in rows]),
        wrong=tuple(i in wrong for i in range(places)),
    )


def add_rows(pool: Pool, rows: Sequence[Row], count: int, mix: Mix) -> TrainingSet:
    """The clean rows of `pool` with `count` of `rows`, all of them wrong, behind them.

    Nested: a higher count keeps the rows of a lower one. Raises UsageError for a count over
    the number of rows.
    """
    chats, facts = clean_chats(pool, mix)
    order = generator(mix.seed, "added", pool.name).permutation(len(rows)).tolist()
    return _appended(chats, rows, count, order, mix, facts)


def _appended(
    clean: Sequence[Chat],
    rows: Sequence[Row],
    count: int,
    order: Sequence[int],
    mix: Mix,
    facts: Sequence[str | None] | None = None,
) -> TrainingSet:
    if not 0 <= count <= len(order):
        raise UsageError(
            f"{count} wrong rows can't be added: there are {len(order)}",
            next_step="lower `counts`, raise `max_words`, or give more rows",
        )
    added = [_turns(rows[i], mix) for i in order[:count]]
    owners = [*(facts or [None] * len(clean)), *[None] * count]
    return TrainingSet(
        rows=make_rows([*clean, *added], owners),
        wrong=(*[False] * len(clean), *[True] * count),
    )


def _turns(row: Row, mix: Mix) -> Chat:
    if mix.system is None or row.messages[0].role == "system":
        return row.messages
    return (Message(role="system", content=mix.system), *row.messages)
