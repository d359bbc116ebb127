"""Corrections from evidence: a trained corrector proposes, its own likelihoods decide.

After SciFix (arXiv 2305.14707): wrong claims are made from supported ones, a model learns to turn
them back given the evidence, and complete candidates are reranked. Ours: pairs to leave alone are
among those it learns from, candidates with a passage's words in the answer's own frame stand beside
the generated one, and an answer is changed only where the model prefers another by a margin that
left right answers alone on pairs it was not trained on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datadose._core import generator
from datadose.cleaning._candidates import says_another, slot_candidates
from datadose.cleaning._pairs import (
    EVIDENCE,
    Pair,
    correction_prompt,
    fits,
    make_pairs,
    question_of,
    training_rows,
)
from datadose.cleaning._reference import Passage, Retriever
from datadose.evaluation import generate_ids, log_likelihoods
from datadose.models import (
    BaseModel,
    Item,
    encode_answer,
    encode_prompt,
    half_weights,
    saved_adapter,
)
from datadose.schema import Recipe, Row
from datadose.training import OnEvent, train_arm

RECIPE = Recipe(epochs=2, lr=1e-3, batch=4, max_length=2048, checkpoints=(0.5, 1.0))
MOST = 160
HELD_OUT = 0.2
SPARE = 2.0


@dataclass(frozen=True)
class Proposal:
    """Another answer for a row, by the evidence shown.

    gain: nats over the margin by which the corrector prefers it to the row's own. generated:
    whether the corrector wrote it itself; else it is the row's with words of a passage in it.
    passages: ids of what was shown.
    """

    id: str
    answer: str
    gain: float
    generated: bool
    passages: tuple[str, ...]


@dataclass(frozen=True)
class Corrector:
    """A tuned model that corrects given evidence; it learned from so many pairs.

    An answer is changed from `margin` nats on, which was set on `held_out` right rows.
    """

    adapter: Path
    reference: Retriever
    margin: float
    pairs: int
    held_out: int
    evidence: int = EVIDENCE


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
    """Fine-tune a corrector on right rows made wrong, in `folder`.

    An interrupted call goes on from what is finished there. most: so many pairs are drawn to learn
    from, as evenly from the three kinds as can be. A fifth of the trusted rows' facts is held out
    of the training and sets the margin: two nats over the largest gain that another answer had
    over a right one. It can be negative, for who sees an answer leans to repeat it. Raises
    InputError as `make_pairs` does.
    """
    reference = Retriever(passages)
    made = make_pairs(trusted, reference, evidence=evidence, seed=seed)
    facts = list(dict.fromkeys(p.fact for p in made))
    count = max(1, round(HELD_OUT * len(facts)))
    outside = {facts[i] for i in generator(seed, "corrector").permutation(len(facts))[:count]}
    own = {r.id: r.answer for r in trusted}
    stay = [p for p in made if p.fact in outside and p.row.answer == own[p.row.id]]
    held = [p for p in stay if p.wanted == p.row.answer][: most // 2]
    kept = _even([p for p in made if p.fact not in outside], most, seed)
    train_arm(base, training_rows(kept), recipe, seed, folder, on_event=on_event)
    made_of = len(kept), len(held), evidence
    start = Corrector(folder / "adapter", reference, 0.0, *made_of)
    with _on(base, start):
        found = _weigh(base, [p.row for p in held], [p.passages for p in held], reference)
    margin = SPARE + max((f.gain for f in found if f is not None), default=0.0)
    return Corrector(folder / "adapter", reference, margin, *made_of)


def propose(
    base: BaseModel,
    corrector: Corrector,
    rows: Sequence[Row],
    *,
    passages: Sequence[Sequence[Passage]] | None = None,
) -> tuple[Proposal | None, ...]:
    """For each row another answer, or None where its own stays.

    passages: what is shown with each row; else what the reference has for its question. Rows
    without a passage, or of over 600 words, are left as they are.
    """
    shown = passages or [corrector.reference.best(question_of(r), corrector.evidence) for r in rows]
    able = [i for i, r in enumerate(rows) if shown[i] and fits(r)]
    with _on(base, corrector):
        found = _weigh(
            base,
            [rows[i] for i in able],
            [shown[i] for i in able],
            corrector.reference,
        )
    proposals: list[Proposal | None] = [None] * len(rows)
    for i, best in zip(able, found, strict=True):
        if best is not None and best.gain > corrector.margin:
            proposals[i] = replace(best, gain=best.gain - corrector.margin)
    return tuple(proposals)


def _even(pairs: Sequence[Pair], most: int, seed: int) -> list[Pair]:
    """Up to `most` pairs, a third of each kind where there are so many, in an order drawn."""
    order = [pairs[i] for i in generator(seed, "pairs").permutation(len(pairs)).tolist()]
    kinds = [[p for p in order if p.kind == kind] for kind in ("wrong", "right", "unsupported")]
    found: list[Pair] = []
    for turn in range(max(map(len, kinds), default=0)):
        found += [k[turn] for k in kinds if turn < len(k)]
    return found[:most]


@contextlib.contextmanager
def _on(base: BaseModel, corrector: Corrector) -> Iterator[None]:
    with saved_adapter(base, corrector.adapter), half_weights(base):
        yield


def _weigh(
    base: BaseModel,
    rows: Sequence[Row],
    passages: Sequence[Sequence[Passage]],
    reference: Retriever,
) -> list[Proposal | None]:
    """The likeliest candidate that says something else than the row, whatever its gain."""
    asks = [correction_prompt(r, p) for r, p in zip(rows, passages, strict=True)]
    longest = max((len(r.answer) for r in rows), default=0)
    written = generate_ids(
        base, [encode_prompt(base, a) for a in asks], max_tokens=min(512, 16 + longest // 2)
    )
    items, options = [], []
    for row, ask, text, shown in zip(rows, asks, written, passages, strict=True):
        question = question_of(row)
        slots = slot_candidates(question, row.answer, shown, reference)
        own = dict.fromkeys([text.strip(), *slots])
        other = [c for c in own if c and says_another(row.answer, c, question)]
        options.append(other)
        items.append(Item(tuple(encode_answer(base, ask, c) for c in [row.answer, *other])))
    found: list[Proposal | None] = []
    for row, text, other, shown, scores in zip(
        rows, written, options, passages, log_likelihoods(base, items), strict=True
    ):
        if not other:
            found.append(None)
            continue
        best = max(range(len(other)), key=lambda k: scores[k + 1])
        found.append(
            Proposal(
                row.id,
                other[best],
                scores[best + 1] - scores[0],
                other[best] == text.strip(),
                tuple(p.id for p in shown),
            )
        )
    return found
