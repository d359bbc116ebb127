"""Nearest neighbours in the model's own space: rows whose prompts are alike should answer alike."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadose.auditing._evidence import Evidence, detector
from datadose.rows import word_set

if TYPE_CHECKING:
    import numpy as np

BLOCK = 1024


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


def answer_words(prompts: Sequence[str], answers: Sequence[str]) -> list[dict[str, float]]:
    """For each row the words of its answer that its prompt lacks, weighted by rarity.

    A row whose answer has no such word keeps all of its words.
    """
    sets = [word_set(a) for a in answers]
    counts = Counter(w for s in sets for w in s)
    total = len(answers)
    weighted = []
    for prompt, words in zip(prompts, sets, strict=True):
        own = words - word_set(prompt) or words
        weighted.append({w: math.log((1 + total) / counts[w]) for w in own})
    return weighted


@detector("neighbours")
def neighbours(evidence: Evidence, epoch: int, *, count: int = 5) -> np.ndarray:
    """How little the row's answer shares with those of the `count` rows nearest to its prompt.

    Nearness: cosine of the last hidden state at the last prompt token. Likeness of answers:
    weighted Jaccard index of `answer_words`, averaged with the cosines as weights.
    """
    import numpy as np

    places, cosines = nearest(evidence.row("before", epoch), count)
    prompts = [r.prompt[-1].content for r in evidence.rows]
    words = answer_words(prompts, [r.answer for r in evidence.rows])
    weight = np.maximum(cosines, 0) + 1e-9
    found = np.zeros(len(words))
    for i, (near, w) in enumerate(zip(places, weight, strict=True)):
        found[i] = -float(np.average([_likeness(words[i], words[int(j)]) for j in near], weights=w))
    return found


def _likeness(a: dict[str, float], b: dict[str, float]) -> float:
    both = sum(a[w] for w in a.keys() & b.keys())
    either = sum(a.values()) + sum(b.values()) - both
    return both / either if either > 0 else 0.0
