"""Corrections from evidence: a trained reader weighs a row's answer against the evidence.

After SciFix (arXiv 2305.14707): a model learns from supported answers, from the same with values
exchanged, and from questions that the evidence does not answer, and complete candidates are
reranked. Ours: the reader is not shown the answer that it is to judge; candidates are the answer's
own frame with a passage's words in it; a row whose answer the passages tell is left alone, and so
is one of whose question they seem to say nothing, by a margin set on rows it did not learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datadose._core import generator
from datadose.cleaning._candidates import says_another, slot_candidates
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
    told,
    training_rows,
)
from datadose.cleaning._reference import Passage, Retriever
from datadose.evaluation import log_likelihoods
from datadose.models import BaseModel, Item, encode_answer, half_weights, saved_adapter
from datadose.schema import Recipe, Row
from datadose.training import OnEvent, train_arm

RECIPE = Recipe(epochs=2, lr=1e-3, batch=4, max_length=2048, checkpoints=(0.5, 1.0))
MOST = 240
HELD_OUT = 0.2
HARMED = 0.02
# nats that count for passages which have all of the question's words; set on the finance pack
COVERED = 30.0


@dataclass(frozen=True)
class Proposal:
    """Another answer for a row, by the evidence shown: the row's with words of a passage in it.

    gain: nats by which the reader prefers it both to the row's own and to saying that the evidence
    does not tell, and `COVERED` times the share of the question's words that a passage has, over
    the margin. passages: ids of what was shown.
    """

    id: str
    answer: str
    gain: float
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Corrector:
    """A tuned model that answers from evidence; it learned from so many pairs.

    An answer is changed from `margin` nats on, which was set on `held_out` right rows.
    """

    adapter: Path
    reference: Retriever
    margin: float
    pairs: int
    held_out: int
    evidence: int = EVIDENCE

    def shown(self, row: Row) -> tuple[Passage, ...]:
        """What is shown with a row, the best first."""
        return passages_for(row, self.reference, self.evidence)


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
    of the training and sets the margin: each of their rows is put with what is found for it and
    with passages that tell nothing of it, and at most `HARMED` of these right answers would be
    changed. Where too few of them have another answer to tell, it is `COVERED`, so that what the
    question's words give makes no change by itself. Raises InputError as `make_pairs` does.
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
    start = Corrector(folder / "adapter", reference, 0.0, len(kept), len(held), evidence)
    shown = [start.shown(r) for r in held] + [silent_for(r, reference, evidence) for r in held]
    found = _weigh(base, start, [*held, *held], shown)
    gains = sorted((f.gain for f in found if f is not None), reverse=True)
    spared = int(HARMED * len(found))
    return replace(start, margin=gains[spared] if spared < len(gains) else COVERED)


def propose(
    base: BaseModel,
    corrector: Corrector,
    rows: Sequence[Row],
    *,
    passages: Sequence[Sequence[Passage]] | None = None,
) -> tuple[Proposal | None, ...]:
    """For each row another answer, or None where its own stays.

    passages: what is shown with each row; else what the reference has for it. Rows without a
    passage, rows of over 600 words, and those whose answer the passages tell stay as they are.
    """
    shown = passages or [corrector.shown(r) for r in rows]
    found = _weigh(base, corrector, rows, shown)
    return tuple(
        replace(best, gain=best.gain - corrector.margin)
        if best is not None and best.gain > corrector.margin
        else None
        for best in found
    )


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
) -> list[Proposal | None]:
    """The likeliest candidate that says something else than the row, whatever its gain; None where
    the row stays for want of passages, of candidates, or because the passages tell its answer."""
    reference = corrector.reference
    places, options, items = [], [], []
    for i, (row, shown) in enumerate(zip(rows, passages, strict=True)):
        if not shown or not fits(row) or told(row, shown, reference) is not None:
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
    found: list[Proposal | None] = [None] * len(rows)
    if not items:
        return found
    with saved_adapter(base, corrector.adapter), half_weights(base):
        weighed = log_likelihoods(base, items)
    for i, other, (own, untold, *scores) in zip(places, options, weighed, strict=True):
        best = max(range(len(other)), key=lambda k: scores[k])
        about = reference.coverage(question_of(rows[i]), passages[i])
        gain = scores[best] - max(own, untold) + COVERED * about
        found[i] = Proposal(rows[i].id, other[best], gain, tuple(p.id for p in passages[i]))
    return found
