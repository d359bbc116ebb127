"""Evidence for corrections: texts that are taken to be true, and which of them a row is about."""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from datadose._core import InputError, Issue

LONGEST = 2000
K1, B = 1.2, 0.75


@dataclass(frozen=True)
class Passage:
    """A text that is taken to be true; `id` names it in reasons."""

    id: str
    text: str


def read_reference(path: Path) -> tuple[Passage, ...]:
    """Passages from JSONL (`text`, and `id` where there is one), or the paragraphs of a text file.

    Raises InputError that lists bad lines, and passages of over 2,000 characters, which would
    crowd out the row they are shown with.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"can't be read as text: {error}", where=str(path), next_step="check the path"
        ) from error
    found: list[Passage] = []
    issues: list[Issue] = []
    if path.suffix in (".jsonl", ".json"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                _take(line, f"{path}:{number}", number, found, issues)
    else:
        parts = [p.strip() for p in text.replace("\r\n", "\n").split("\n\n")]
        found = [Passage(str(k), p) for k, p in enumerate(filter(None, parts), 1)]
    issues += [
        Issue(f"{path}: passage {p.id}", f"has {len(p.text)} characters, over {LONGEST}")
        for p in found
        if len(p.text) > LONGEST
    ]
    if issues or not found:
        raise InputError(
            f"{len(issues)} bad places in this reference" if issues else "has no passages",
            where=str(path),
            issues=issues[:10],
            total=len(issues),
            next_step='give JSONL with {"text": ...} on each line, or paragraphs',
        )
    return tuple(found)


def _take(line: str, where: str, number: int, found: list[Passage], issues: list[Issue]) -> None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        issues.append(Issue(where, f"broken JSON: {error}", repr(line[:40])))
        return
    text = record.get("text") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text.strip():
        issues.append(Issue(where, "needs a text", repr(line[:40])))
        return
    found.append(Passage(str(record.get("id", number)), text.strip()))


class Retriever:
    """BM25 over passages (Robertson and Zaragoza 2009; k1 1.2, b 0.75), words of any script."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        counts = [Counter(_stems(p.text)) for p in self.passages]
        length = [sum(c.values()) for c in counts]
        mean = sum(length) / max(1, len(length))
        number = Counter(w for c in counts for w in c)
        self._weight = {
            w: math.log(1 + (len(counts) - n + 0.5) / (n + 0.5)) for w, n in number.items()
        }
        self._index: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for i, c in enumerate(counts):
            norm = K1 * (1 - B + B * length[i] / max(mean, 1e-9))
            for w, n in c.items():
                self._index[w].append((i, n * (K1 + 1) / (n + norm)))

    def best(self, query: str, count: int = 2) -> tuple[Passage, ...]:
        """Up to `count` passages that share words with the query, the best first."""
        scores: dict[int, float] = defaultdict(float)
        for w in set(_stems(query)):
            for i, part in self._index.get(w, ()):
                scores[i] += self._weight[w] * part
        order = sorted(scores, key=lambda i: (-scores[i], i))
        return tuple(self.passages[i] for i in order[:count])

    def coverage(self, query: str, passages: Sequence[Passage]) -> float:
        """Largest share of the query's words that one of the passages has, 0 to 1, each word by
        BM25's weight for rarity; one that no passage has weighs most."""
        unknown = math.log(1 + (len(self.passages) + 0.5) / 0.5)
        words = {w: self._weight.get(w, unknown) for w in _stems(query)}
        shares = [sum(words[w] for w in {*_stems(p.text)} & words.keys()) for p in passages]
        return max(shares, default=0.0) / max(sum(words.values()), 1e-9)

    def rarity(self, word: str) -> float:
        """Share of the passages that have this word, 0 to 1."""
        return len(self._index.get(_stem(word), ())) / max(1, len(self.passages))


def _stems(text: str) -> list[str]:
    return [_stem(w) for w in re.findall(r"\w+", text)]


def _stem(word: str) -> str:
    """A word without an English plural's end."""
    word = word.casefold()
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
