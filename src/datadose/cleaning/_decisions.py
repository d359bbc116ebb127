"""What becomes of each row, and why: every row has exactly one fate."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from datadose._core import StageError
from datadose.schema import Row

Fate = Literal["kept", "corrected", "rewritten", "dropped"]
FATES: tuple[Fate, ...] = ("kept", "corrected", "rewritten", "dropped")
AROUND = 3


@dataclass(frozen=True)
class Decision:
    """The fate of the row at `place` of the input (from 0), whose id is `id`.

    score: its suspicion, 0 to 1, None where it has none. answer: the answer that takes the place
    of its own, of corrected and rewritten rows only. twin: id of the row that it nearly repeats;
    `conflict` says that the twin's answer is another.
    """

    place: int
    id: str
    fate: Fate
    reason: str
    score: float | None = None
    answer: str | None = None
    twin: str | None = None
    conflict: bool = False


def settle(rows: Sequence[Row], decisions: Iterable[Decision]) -> tuple[Decision, ...]:
    """The decisions in the order of `rows`.

    Raises StageError unless each row has exactly one, under its own id, and a new answer where it
    is corrected or rewritten and nowhere else: a row without a fate would be lost without a word.
    """
    found = sorted(decisions, key=lambda d: d.place)
    if [d.place for d in found] != list(range(len(rows))):
        raise StageError(
            f"{len(rows)} rows have {len(found)} fates",
            next_step="report this as an error of datadose: nothing was written",
        )
    for row, d in zip(rows, found, strict=True):
        changed = d.fate in ("corrected", "rewritten")
        if d.id != row.id or changed != (d.answer is not None) or d.answer == row.answer:
            raise StageError(
                f"row {d.place + 1} ({row.id}) is {d.fate} under the id {d.id}, with"
                f" {'a' if d.answer is not None else 'no'} new answer",
                next_step="report this as an error of datadose: nothing was written",
            )
    return tuple(found)


def word_diff(before: str, after: str) -> str:
    """What changed, as [-old-]{+new+} with up to three words around; empty for equal texts.

    It begins with a bracket or an ellipsis whatever the texts hold, so that no spreadsheet takes
    it for a formula.

    >>> word_diff("It is in Oslo, by the sea.", "It is in Turku, by the sea.")
    '… It is in [-Oslo,-]{+Turku,+} by the sea. …'
    """
    if before == after:
        return ""
    a, b = re.findall(r"\S+\s*|\s+", before), re.findall(r"\S+\s*|\s+", after)
    parts: list[str] = []
    codes = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    for k, (kind, a0, a1, b0, b1) in enumerate(codes):
        if kind == "equal":
            words = a[a0:a1]
            head = words[:AROUND] if k else []
            tail = words[max(len(head), len(words) - AROUND) :] if k + 1 < len(codes) else []
            gap = ["… "] if len(head) + len(tail) < len(words) else []
            parts += [*head, *gap, *tail]
            continue
        old, new = "".join(a[a0:a1]), "".join(b[b0:b1])
        bare = old.rstrip(), new.rstrip()
        if bare[0] == bare[1]:  # spaces alone: show them
            bare = old, new
        parts += [f"[-{bare[0]}-]" if old else "", f"{{+{bare[1]}+}}" if new else "", " "]
    text = "".join(parts).strip()
    text = text if text.startswith(("[-", "{+", "…")) else f"… {text}"
    return text if text.endswith(("-]", "+}", "…")) else f"{text} …"
