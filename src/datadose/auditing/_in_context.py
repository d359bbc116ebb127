"""A row's answer with the rows most like it before it, as solved examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from datadose.auditing._evidence import Evidence, NotMeasuredError, detector, ranks, settled
from datadose.models import BaseModel, Encoded, encode_answers
from datadose.schema import Message, Row

if TYPE_CHECKING:
    import numpy as np

CELLS = 2**24
# what a row is about outweighs how it is asked, which many rows share
RARE = 3
# a word that surprises in any case says a little less
EXPECTED = 0.2
EXAMPLES = "give --examples 1 or more"


def most_alike(rows: Sequence[Row], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and likeness, each [N, count], of the rows that read most like each row, itself left
    out, nearest first.

    Likeness, 0 to 2, is the sum of two cosines over character 3- to 5-grams within words, each
    weighted by log((1 + N) / n)^RARE where n of N rows have it: of the prompts, and of prompts with
    answers, since one wrong word leaves an answer like those of its fact. In blocks, so that memory
    grows with N, not with its square.
    """
    import numpy as np
    from scipy.sparse import hstack

    prompts = [r.prompt[-1].content for r in rows]
    whole = [f"{p} {r.answer}" for p, r in zip(prompts, rows, strict=True)]
    x = hstack([_grams(prompts), _grams(whole)], format="csr")
    count = min(count, len(rows) - 1)
    size = max(1, CELLS // len(rows))
    places, likeness = [], []
    for at in range(0, len(rows), size):
        close = (x[at : at + size] @ x.T).toarray()
        close[np.arange(len(close)), at + np.arange(len(close))] = -np.inf
        places.append(np.argsort(-close, axis=1, kind="stable")[:, :count])
        likeness.append(np.take_along_axis(close, places[-1], axis=1))
    return np.concatenate(places), np.concatenate(likeness)


def _grams(texts: Sequence[str]) -> Any:
    """Weighted grams of each text as a sparse row of length one."""
    import numpy as np
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.preprocessing import normalize

    has = CountVectorizer(analyzer="char_wb", ngram_range=(3, 5), binary=True).fit_transform(texts)
    rarity = np.log((1 + len(texts)) / np.asarray(has.sum(0)).ravel())
    return normalize(has.multiply(rarity**RARE).tocsr())


def with_examples(
    base: BaseModel, rows: Sequence[Row], places: np.ndarray, longest: int
) -> list[Encoded]:
    """Every row after the rows at its `places` [N, k], the nearest of them last, as earlier turns.

    Examples that would make a chat longer than `longest` tokens are left out, far ones first; a
    row that leaves no room stands alone. System turns of examples are left out.
    """
    kept = [[int(j) for j in near] for near in places]
    found = encode_answers(base, [_chat(rows, i, near) for i, near in enumerate(kept)])
    while long := [i for i, e in enumerate(found) if len(e.ids) > longest and kept[i]]:
        for i in long:
            kept[i].pop()
        shorter = encode_answers(base, [_chat(rows, i, kept[i]) for i in long])
        for i, e in zip(long, shorter, strict=True):
            found[i] = e
    return found


def likeness_shown(
    likeness: np.ndarray, shown: Sequence[Encoded], alone: Sequence[Encoded]
) -> np.ndarray:
    """Mean likeness [N] of each row's examples; 0 for a row that no example left room for."""
    import numpy as np

    stands = [len(s.ids) == len(a.ids) for s, a in zip(shown, alone, strict=True)]
    return np.where(stands, 0.0, likeness.mean(1))


def _chat(rows: Sequence[Row], i: int, near: Sequence[int]) -> tuple[tuple[Message, ...], str]:
    own = rows[i].prompt
    system = [m for m in own if m.role == "system"]
    before: list[Message] = []
    for j in reversed(near):
        before += [m for m in rows[j].prompt if m.role != "system"]
        before.append(Message(role="assistant", content=rows[j].answer))
    asked = [m for m in own if m.role != "system"]
    return (*system, *before, *asked), rows[i].answer


@detector("in-context")
def in_context(evidence: Evidence) -> np.ndarray:
    """Mean excess (nats a token) of the answer in the untuned model after the rows most like it.

    Nearest rows as examples are those of Liu et al. 2022 (arXiv 2101.06804), turned round: there
    they help to answer, here what they say of the same matter makes a wrong answer surprising. The
    untuned model has not learned the row by heart. A token's excess is its loss after examples less
    EXPECTED of its loss without. By rank, and the less like the row its examples are, the nearer to
    the middle.
    """
    import numpy as np

    total = np.add.reduceat(_excess(evidence), evidence.recording.offset[:-1])
    return _in_the_middle(evidence, total / evidence.tokens)


@detector("in-context-worst")
def in_context_worst(evidence: Evidence) -> np.ndarray:
    """The same for the row's worst answer token."""
    import numpy as np

    worst = np.maximum.reduceat(_excess(evidence), evidence.recording.offset[:-1])
    return _in_the_middle(evidence, worst)


def _excess(evidence: Evidence) -> np.ndarray:
    shown = evidence.need("in_context", EXAMPLES)
    return shown - EXPECTED * evidence.need("untuned", EXAMPLES)


def _in_the_middle(evidence: Evidence, values: np.ndarray) -> np.ndarray:
    alike = evidence.need("alike", EXAMPLES)
    if not alike.any():
        raise NotMeasuredError("no row is like another, or is short enough to be read after one")
    return settled(ranks(values), alike)
