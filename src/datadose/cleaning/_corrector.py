"""Corrections from evidence: a trained reader weighs a row's answer against the evidence.

After SciFix (arXiv 2305.14707): a model learns from supported answers, from the same with values
exchanged, and from questions that the evidence does not answer, and complete candidates are
reranked. Ours: the reader is not shown the answer that it is to judge; candidates are the answer's
own frame with a passage's words in it; a row whose answer the question's best passage tells is left
alone; whether the passages speak of the question at all is weighed by a rule (`_gate`) fitted on
rows that the reader did not learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datadose._core import generator
from datadose.auditing import fenced
from datadose.cleaning._candidates import says_another, slot_candidates
from datadose.cleaning._gate import Gate, Signs, fit_gate
from datadose.cleaning._pairs import (
    EVIDENCE,
    UNTOLD,
    Pair,
    fits,
    make_pairs,
    passages_for,
    question_of,
    reading_prompt,
    silent_for,
    slips,
    told,
    training_rows,
)
from datadose.cleaning._reference import Passage, Retriever
from datadose.corruption import Values
from datadose.evaluation import log_likelihoods
from datadose.models import BaseModel, Item, chat, encode_answer, half_weights, saved_adapter
from datadose.rows import plain_answer
from datadose.schema import Message, Recipe, Row
from datadose.training import OnEvent, row_losses, train_arm

RECIPE = Recipe(epochs=2, lr=1e-3, batch=4, max_length=2048, checkpoints=(0.5, 1.0))
MOST = 300
HELD_OUT = 0.2
WRITE = "Text:\n{text}\n\nWrite a question that this text answers."
NO_TEXT = "(no text)"
QUESTION = 16


@dataclass(frozen=True)
class Proposal:
    """Another answer for a row, by the evidence shown: the row's with words of a passage in it.

    gain: log-odds beyond the margin (`Gate.gain`). passages: ids of what was shown.
    """

    id: str
    answer: str
    gain: float
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Corrector:
    """A tuned model that answers from evidence; it learned from so many pairs.

    `gate` says which of its answers are proposed; it was fitted on `held_out` right rows.
    """

    adapter: Path
    reference: Retriever
    gate: Gate
    pairs: int
    held_out: int
    evidence: int = EVIDENCE

    def shown(self, row: Row) -> tuple[Passage, ...]:
        """What is shown with a row, the best first."""
        return passages_for(row, self.reference, self.evidence)


@dataclass(frozen=True)
class _Seen:
    """A row's likeliest candidate that says something else than the row."""

    answer: str
    signs: Signs


def train_corrector(
    base: BaseModel,
    trusted: Sequence[Row],
    passages: Sequence[Passage],
    folder: Path,
    *,
    recipe: Recipe = RECIPE,
    evidence: int = EVIDENCE,
    most: int = MOST,
    seed: int = 0,
    on_event: OnEvent = lambda _: None,
) -> Corrector:
    """Fine-tune a corrector on right rows in `folder`.

    An interrupted call goes on from what is finished there. most: so many pairs are drawn to learn
    from, as evenly from the three kinds as can be. A fifth of the trusted rows' facts is held out
    of the training and fits the gate: each of their rows is put with what is found for it, with
    passages that tell nothing of it, and with a wrong answer in the place of its own. Raises
    InputError as `make_pairs` does.
    """
    reference = Retriever(passages)
    made = make_pairs(trusted, reference, evidence=evidence, seed=seed)
    facts = list(dict.fromkeys(p.fact for p in made))
    count = max(1, round(HELD_OUT * len(facts)))
    outside = {facts[i] for i in generator(seed, "corrector").permutation(len(facts))[:count]}
    kept = _even([p for p in made if p.fact not in outside], most, seed)
    train_arm(base, training_rows(kept), recipe, seed, folder, on_event=on_event)
    asked = {p.question for p in made if p.fact in outside}
    held = [r for r in trusted if fits(r) and question_of(r) in asked][: most // 3]
    start = Corrector(folder / "adapter", reference, Gate(), len(kept), len(held), evidence)
    return replace(start, gate=_fitted(base, start, held, seed))


def _fitted(base: BaseModel, start: Corrector, held: Sequence[Row], seed: int) -> Gate:
    """The gate from held-out right rows, put three ways: see `train_corrector`."""
    reference = start.reference
    found = [start.shown(r) for r in held]
    silent = [silent_for(r, reference, start.evidence) for r in held]
    values = Values(tuple(told(r, s, reference) for r, s in zip(held, found, strict=True)))
    slipped = zip(held, slips(held, values, seed), strict=True)
    pairs = [(r, _answered(r, s.answer)) for r, s in slipped if s is not None]
    put = [*held, *held, *(w for _, w in pairs)]
    seen = _weigh(base, start, put, [*found, *silent, *(start.shown(w) for _, w in pairs)])
    right = [*held, *held, *(r for r, _ in pairs)]
    some = [(s, r) for s, r in zip(seen, right, strict=True) if s is not None]
    groups = [(seen[: len(held)], found), (seen[len(held) : 2 * len(held)], silent)]
    return fit_gate(
        [s.signs for s, _ in some],
        [plain_answer(s.answer) == plain_answer(r.answer) for s, r in some],
        [([s.signs for s in own if s is not None], sum(map(bool, shown))) for own, shown in groups],
    )


def _answered(row: Row, answer: str) -> Row:
    said = Message(role="assistant", content=answer)
    return row.model_copy(update={"messages": (*row.prompt, said)})


def propose(
    base: BaseModel,
    corrector: Corrector,
    rows: Sequence[Row],
    *,
    passages: Sequence[Sequence[Passage]] | None = None,
) -> tuple[Proposal | None, ...]:
    """For each row another answer, or None where its own stays.

    passages: what is shown with each row, the best for its question first; else what the reference
    has for it. Rows without a passage, rows of over 600 words, and those whose answer the first
    passage tells stay as they are.
    """
    shown = passages or [corrector.shown(r) for r in rows]
    found: list[Proposal | None] = []
    for row, own, best in zip(rows, shown, _weigh(base, corrector, rows, shown), strict=True):
        gain = corrector.gate.gain(best.signs) if best is not None else 0.0
        ids = tuple(p.id for p in own)
        found.append(Proposal(row.id, best.answer, gain, ids) if best and gain > 0 else None)
    return tuple(found)


def _even(pairs: Sequence[Pair], most: int, seed: int) -> list[Pair]:
    """Up to `most` pairs, a third of each kind where there are so many, in an order drawn."""
    order = [pairs[i] for i in generator(seed, "pairs").permutation(len(pairs)).tolist()]
    kinds = [[p for p in order if p.kind == kind] for kind in ("told", "swapped", "untold")]
    found: list[Pair] = []
    for turn in range(max(map(len, kinds), default=0)):
        found += [k[turn] for k in kinds if turn < len(k)]
    return found[:most]


def _weigh(
    base: BaseModel,
    corrector: Corrector,
    rows: Sequence[Row],
    passages: Sequence[Sequence[Passage]],
) -> list[_Seen | None]:
    """None where the row stays for want of passages, of candidates, or because its question's best
    passage tells its answer."""
    reference = corrector.reference
    places, options, items = [], [], []
    for i, (row, shown) in enumerate(zip(rows, passages, strict=True)):
        if not shown or not fits(row) or told(row, shown[:1], reference) is not None:
            continue
        question = question_of(row)
        slots = slot_candidates(question, row.answer, shown, reference)
        other = [c for c in slots if says_another(row.answer, c, question)]
        if not other:
            continue
        ask = reading_prompt(question, shown)
        branches = [encode_answer(base, ask, c) for c in (row.answer, UNTOLD, *other)]
        places.append(i)
        options.append(other)
        items.append(Item(tuple(branches)))
    found: list[_Seen | None] = [None] * len(rows)
    if not items:
        return found
    with saved_adapter(base, corrector.adapter), half_weights(base):
        weighed = log_likelihoods(base, items)
    asked = _question_gains(
        base, [question_of(rows[i]) for i in places], [passages[i] for i in places]
    )
    for i, other, likelier, (own, untold, *scores) in zip(
        places, options, asked, weighed, strict=True
    ):
        best = max(range(len(other)), key=lambda k: scores[k])
        share = reference.coverage(question_of(rows[i]), passages[i])
        signs = Signs(scores[best] - own, scores[best] - untold, share, likelier)
        found[i] = _Seen(other[best], signs)
    return found


def _question_gains(
    base: BaseModel, questions: Sequence[str], passages: Sequence[Sequence[Passage]]
) -> list[float]:
    """Nats by which each question is likelier after the likeliest of its passages than after none,
    under the model as it stands; of longer questions the mean word's times `QUESTION` words."""
    texts = [[NO_TEXT, *(p.text for p in shown)] for shown in passages]
    encoded = [
        encode_answer(base, chat(WRITE.format(**fenced(text=text))), question)
        for question, own in zip(questions, texts, strict=True)
        for text in own
    ]
    with half_weights(base):
        losses = iter(row_losses(base, encoded).tolist())
    found = []
    for question, own in zip(questions, texts, strict=True):
        bare, *given = (next(losses) for _ in own)
        found.append((bare - min(given)) * min(1.0, QUESTION / max(1, len(question.split()))))
    return found
