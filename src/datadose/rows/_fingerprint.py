"""What a set of rows is, and where two sets of prompts say nearly the same."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from datadose._core import digest
from datadose.schema import Row


def fingerprint(rows: Sequence[Row]) -> str:
    """Hash of the rows' messages and facts in their order."""
    return digest([[[[m.role, m.content] for m in row.messages], row.fact] for row in rows])


def word_set(text: str) -> frozenset[str]:
    """Case-folded words and numbers of a text, of any script.

    >>> sorted(word_set("The dose, the DOSE: 2.5 mg"))
    ['2', '5', 'dose', 'mg', 'the']
    """
    return frozenset(re.findall(r"\w+", text.casefold()))


def near_duplicates(
    prompts_a: Sequence[str], prompts_b: Sequence[str], threshold: float = 0.9
) -> list[tuple[int, int, float]]:
    """(i, j, similarity) of all pairs that are equal or share `threshold` of their words.

    Similarity is the Jaccard index of the word sets, 1 for equal texts. Exact, not sampled:
    prefix filtering (Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007), in which
    two sets can reach the threshold only if they share one of their rarest words. `threshold`
    is over 0 and at most 1. Pairs come sorted by i, then j.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold {threshold} is not over 0 and at most 1")
    sets_a, sets_b = [word_set(p) for p in prompts_a], [word_set(p) for p in prompts_b]
    rarity = Counter(w for words in (*sets_a, *sets_b) for w in words)
    index: dict[str, list[int]] = defaultdict(list)
    same: dict[str, list[int]] = defaultdict(list)
    for i, (text, words) in enumerate(zip(prompts_a, sets_a, strict=True)):
        same[text].append(i)
        for word in _prefix(words, rarity, threshold):
            index[word].append(i)
    found = []
    for j, (text, words) in enumerate(zip(prompts_b, sets_b, strict=True)):
        near: set[int] = set()
        for word in _prefix(words, rarity, threshold):
            near.update(index.get(word, ()))
        twins = set(same.get(text, ()))
        for i in near | twins:
            if i in twins:
                found.append((i, j, 1.0))
                continue
            other = sets_a[i]
            low, high = sorted((len(words), len(other)))
            if low < threshold * high - 1e-9:
                continue
            both = len(words & other)
            similarity = both / (low + high - both)
            if similarity >= threshold - 1e-12:
                found.append((i, j, similarity))
    return sorted(found)


def _prefix(words: frozenset[str], rarity: Counter[str], threshold: float) -> list[str]:
    """The rarest words of a set, one of which every near set must hold."""
    kept = len(words) - math.ceil(threshold * len(words) - 1e-9) + 1
    return sorted(words, key=lambda w: (rarity[w], w))[:kept] if words else []
