"""What a corrector is trained on: right rows made wrong, right rows left alone, and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose._core import InputError
from datadose.auditing import fact_names, fenced
from datadose.cleaning._candidates import told_value
from datadose.cleaning._reference import Passage, Retriever
from datadose.corruption import Values, wrong_answer
from datadose.models import chat
from datadose.rows import make_rows
from datadose.schema import Message, Row

FEWEST = 20
EVIDENCE = 2
LONGEST = 600
CORRECT = (
    "Reference:\n{reference}\n\nQuestion:\n{question}\n\nAnswer:\n{answer}\n\n"
    "If the reference says otherwise, correct the answer; else repeat it. Write only the answer."
)


@dataclass(frozen=True)
class Pair:
    """A correction to learn: `row` as it may be found, the passages shown with it, and the answer
    wanted. fact: name of the trusted row's fact. kind: `wrong` (the passages tell the right
    answer), `right` (they support the row's), or `unsupported` (they say nothing of it, and the
    answer is to stay as it is).
    """

    row: Row
    passages: tuple[Passage, ...]
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


def correction_prompt(
    row: Row, passages: Sequence[Passage], answer: str | None = None
) -> tuple[Message, ...]:
    """The chat that asks for a correction; passages, question and answer are fenced."""
    parts = fenced(
        reference="\n".join(p.text for p in passages),
        question=question_of(row),
        answer=row.answer if answer is None else answer,
    )
    return chat(CORRECT.format(**parts))


def make_pairs(
    trusted: Sequence[Row], reference: Retriever, *, evidence: int = EVIDENCE, seed: int = 0
) -> tuple[Pair, ...]:
    """Pairs from rows known to be right, each made wrong by `corruption.wrong_answer`.

    A row is supported where the passages found for it tell its value (`told_value`), which is then
    put for another row's or, where the answer has a number, made wrong by rule. Each supported row
    gives a wrong and a right pair; each row an unsupported one with the next best passages, right
    and wrong by turns.
    Raises InputError for fewer than 20 trusted rows, or where none is supported.
    """
    if len(trusted) < FEWEST:
        raise InputError(
            f"{len(trusted)} trusted rows are too few to train a corrector",
            next_step=f"give --trusted with {FEWEST} rows or more, or leave --evidence out",
        )
    trusted = [r for r in trusted if fits(r)]
    prompts, answers = [question_of(r) for r in trusted], [r.answer for r in trusted]
    facts = fact_names(trusted)
    found = [reference.best(q, 2 * evidence) for q in prompts]
    told = [
        told_value(q, a, f[:evidence], reference)
        for q, a, f in zip(prompts, answers, found, strict=True)
    ]
    values = Values(tuple(told))
    made: list[Pair] = []
    for i, row in enumerate(trusted):
        shown, rest = found[i][:evidence], found[i][evidence:]
        slip = None
        if told[i] is not None:
            slip = wrong_answer(i, prompts, answers, facts, values, seed=seed)
            made.append(Pair(row, shown, row.answer, facts[i], "right"))
        if slip is not None and slip.answer != row.answer:
            bad = _with(row, slip.answer)
            made.append(Pair(bad, shown, row.answer, facts[i], "wrong"))
        else:
            bad = row
        rest = rest if told[i] is not None else shown
        if rest and told_value(prompts[i], answers[i], rest, reference) is None:
            own = bad if i % 2 else row
            made.append(Pair(own, rest, own.answer, facts[i], "unsupported"))
    if not any(p.kind == "wrong" for p in made):
        raise InputError(
            "no trusted row is supported by the reference: there is nothing to learn from",
            next_step="give evidence that the trusted rows are about",
        )
    return tuple(made)


def training_rows(pairs: Sequence[Pair]) -> tuple[Row, ...]:
    """The pairs as rows to fine-tune on."""
    return make_rows(
        [
            (*correction_prompt(p.row, p.passages), Message(role="assistant", content=p.wanted))
            for p in pairs
        ]
    )


def _with(row: Row, answer: str) -> Row:
    turns = (*row.prompt, Message(role="assistant", content=answer))
    return row.model_copy(update={"messages": turns})
