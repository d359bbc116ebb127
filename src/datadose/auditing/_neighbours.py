"""Nearest neighbours in the model's own space: rows whose prompts are alike should answer alike."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from datadose.auditing._evidence import Evidence, detector, settled
from datadose.rows import word_set

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1024
FAINT = 0.05
SHARP = 10


def nearest(states: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Places and cosines, each [N, count], of the rows nearest to each row, itself left out.

    States [N, d] are centred first: what all rows share (the template) is no likeness. In blocks,
    so that memory grows with N, not with its square.
    """
    import numpy as np

    x = np.asarray(states, dtype=np.float32)
    x = x - x.mean(0)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    count = min(count, len(x) - 1)
    places, cosines = [], []
    for at in range(0, len(x), BLOCK):
        close = x[at : at + BLOCK] @ x.T
        close[np.arange(len(close)), at + np.arange(len(close))] = -np.inf
        top = np.argpartition(-close, count - 1, axis=1)[:, :count]
        value = np.take_along_axis(close, top, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        places.append(np.take_along_axis(top, order, axis=1))
        cosines.append(np.take_along_axis(value, order, axis=1))
    return np.concatenate(places), np.concatenate(cosines)


def answer_grams(prompts: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    """For each row the words, signs and pairs of them of its answer that its prompt lacks.

    Weighted by rarity to the power of SHARP, so that what a row says alone outweighs how it says
    it. A row whose answer has none keeps all of its own.
    """
    sets = [_grams(a) for a in answers]
    own = [s - _grams(p) or s for p, s in zip(prompts, sets, strict=True)]
    return [{g: w**SHARP for g, w in row.items()} for row in rare_words(own, sets)]


def _grams(text: str) -> frozenset[str]:
    words = re.findall(r"\w+|[^\w\s]", text.casefold())
    return frozenset([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def rare_words(
    sets: Sequence[frozenset[str]], among: Sequence[frozenset[str]] | None = None
) -> list[dict[str, float]]:
    """The words of each set, weighted by how few of the sets `among` (by default these) have them:
    log((1 + N) / n)."""
    among = sets if among is None else among
    counts = Counter(w for s in among for w in s)
    return [{w: math.log((1 + len(among)) / counts[w]) for w in s} for s in sets]


@detector("neighbours")
def neighbours(evidence: Evidence, epoch: int, *, count: int = 20) -> np.ndarray:
    """How little the row's answer shares with those of rows with a prompt like its own.

    Of the `count` rows nearest by the last hidden state at the last prompt token, each weighs by
    cosine times how much the prompts share (plus FAINT, for prompts that say the same in other
    words). Shares are weighted Jaccard indices, of the prompts' words and of `answer_grams`. The
    mean is `settled` by the sum of weights: a row that has nothing like it is in the middle.
    """
    import numpy as np

    places, cosines = nearest(evidence.row("before", epoch), count)
    prompts = [r.prompt[-1].content for r in evidence.rows]
    asked = rare_words([word_set(p) for p in prompts])
    said = answer_grams(prompts, [r.answer for r in evidence.rows])
    weight, alike = np.zeros(places.shape), np.zeros(places.shape)
    for i, near in enumerate(places):
        alike[i] = [_likeness(said[i], said[int(j)]) for j in near]
        weight[i] = [FAINT + _likeness(asked[i], asked[int(j)]) for j in near]
    weight *= np.maximum(cosines, 0)
    total = weight.sum(1)
    shared = (weight * alike).sum(1) / np.where(total > 0, total, 1)
    return -settled(shared, total)


def _likeness(a: dict[str, float], b: dict[str, float]) -> float:
    both = sum(a[w] for w in a.keys() & b.keys())
    either = sum(a.values()) + sum(b.values()) - both
    return both / either if either > 0 else 0.0
