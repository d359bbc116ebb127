"""What a corrector is trained on: questions, passages, and what the passages tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from datadose._core import InputError
from datadose.auditing import fact_names, fenced
from datadose.cleaning._candidates import told_value
from datadose.cleaning._reference import Passage, Retriever
from datadose.corruption import Slip, Values, wrong_answer
from datadose.models import chat
from datadose.rows import make_rows
from datadose.schema import Message, Row

FEWEST = 20
EVIDENCE = 2
LONGEST = 600
READ = "Reference:\n{reference}\n\nQuestion:\n{question}\n\nAnswer the question from the reference."
UNTOLD = "The reference does not say."


@dataclass(frozen=True)
class Pair:
    """A reading to learn: the answer `wanted` to a question beside these passages.

    fact: name of the trusted row's fact. kind: `told` (the passages tell the row's answer),
    `swapped` (another value stands in its place in both, so that what is read counts and not what
    is known), or `untold` (they say nothing of it: wanted is `UNTOLD`).
    """

    passages: tuple[Passage, ...]
    question: str
    wanted: str
    fact: str
    kind: str


def question_of(row: Row) -> str:
    """What the answer answers: the user's turn, or the whole talk before it."""
    said = [m for m in row.prompt if m.role != "system"]
    if len(said) == 1:
        return said[0].content
    return "\n".join(f"{m.role}: {m.content}" for m in said)


def fits(row: Row) -> bool:
    """Whether question and answer have 600 words together at most, so that a prompt can hold them
    beside passages."""
    return len(question_of(row).split()) + len(row.answer.split()) <= LONGEST


def passages_for(row: Row, reference: Retriever, count: int) -> tuple[Passage, ...]:
    """Up to `count` passages for a row: the best for its question first, then the best for
    question and answer. A right answer leads to what bears it out; a wrong one, which is another
    question's right one, leads away, so that it may not choose the first."""
    question = question_of(row)
    both = reference.best(f"{question} {row.answer}", count)
    return tuple(dict.fromkeys([*reference.best(question, 1), *both]))[:count]


def told(row: Row, passages: Sequence[Passage], reference: Retriever) -> str | None:
    """`told_value` of a row: what the passages together tell of its answer, None for nothing."""
    return told_value(question_of(row), row.answer, passages, reference)


def silent_for(row: Row, reference: Retriever, count: int) -> tuple[Passage, ...]:
    """The best passages that tell nothing of the row's answer: what is found for a row whose
    matter the reference does not hold."""
    found = passages_for(row, reference, 2 * count + 1)
    return tuple(p for p in found if told(row, [p], reference) is None)[:count]


def reading_prompt(question: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
    """The chat that asks for the answer; passages and question are fenced. A row's own answer is
    not shown: a model of any size leans to repeat it."""
    return chat(
        READ.format(**fenced(reference="\n".join(p.text for p in passages), question=question))
    )


def make_pairs(
    trusted: Sequence[Row], reference: Retriever, *, evidence: int = EVIDENCE, seed: int = 0
) -> tuple[Pair, ...]:
    """Pairs from rows known to be right: each gives a told pair where the passages found for it
    tell its value, a swapped one where `corruption.wrong_answer` finds another value for it, and
    an untold one with the nearest passages that don't.

    Raises InputError for fewer than 20 trusted rows, or where none is supported.
    """
    if len(trusted) < FEWEST:
        raise InputError(
            f"{len(trusted)} trusted rows are too few to train a corrector",
            next_step=f"give --trusted with {FEWEST} rows or more, or leave --evidence out",
        )
    trusted = [r for r in trusted if fits(r)]
    facts = fact_names(trusted)
    shown = [passages_for(r, reference, evidence) for r in trusted]
    made: list[Pair] = []
    values = Values(tuple(told(r, s, reference) for r, s in zip(trusted, shown, strict=True)))
    for i, (row, slip) in enumerate(zip(trusted, slips(trusted, values, seed), strict=True)):
        question = question_of(row)
        if values.runs[i] is not None:
            made.append(Pair(shown[i], question, row.answer, facts[i], "told"))
            other = _swapped(shown[i], slip) if slip is not None else ()
            if slip is not None and other:
                made.append(Pair(other, question, slip.answer, facts[i], "swapped"))
        if silent := silent_for(row, reference, evidence):
            made.append(Pair(silent, question, UNTOLD, facts[i], "untold"))
    if not any(p.kind == "told" for p in made):
        raise InputError(
            "no trusted row is supported by the reference: there is nothing to learn from",
            next_step="give evidence that the trusted rows are about",
        )
    return tuple(made)


def slips(rows: Sequence[Row], values: Values, seed: int) -> list[Slip | None]:
    """For each right row a wrong answer by `corruption.wrong_answer`; None where no passage tells
    its value, or where none is found. values: what the passages tell of the rows' answers."""
    prompts, answers = [question_of(r) for r in rows], [r.answer for r in rows]
    facts = fact_names(rows)
    return [
        None if run is None else wrong_answer(i, prompts, answers, facts, values, seed=seed)
        for i, run in enumerate(values.runs)
    ]


def training_rows(pairs: Sequence[Pair]) -> tuple[Row, ...]:
    """The pairs as rows to fine-tune on, every third with the best passage last."""
    return make_rows(
        [
            (
                *reading_prompt(p.question, p.passages if i % 3 else p.passages[::-1]),
                Message(role="assistant", content=p.wanted),
            )
            for i, p in enumerate(pairs)
        ]
    )


def _swapped(passages: Sequence[Passage], slip: Slip) -> tuple[Passage, ...]:
    """The passages with the slip made in them too; nothing where they lack what it put out."""
    if not slip.old or not slip.new:
        return ()
    spot = re.compile(rf"(?<!\w){re.escape(slip.old)}(?!\w)")
    found = tuple(Passage(p.id, spot.sub(lambda _: slip.new, p.text)) for p in passages)
    return found if found != tuple(passages) else ()
