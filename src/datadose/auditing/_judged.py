"""A judge model's opinion of rows: what it made of each is named, and only scores count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadose.auditing._evidence import Evidence, NotMeasuredError, detector
from datadose.evaluation import Judge, Verdict, own_rubric
from datadose.schema import Row

if TYPE_CHECKING:
    import numpy as np

RUBRIC = "correctness"


def row_pair(row: Row) -> tuple[str, str]:
    """What a judge is shown of a row: prompt and answer; several turns with their speakers."""
    turns = row.prompt
    if len(turns) == 1:
        return turns[0].content, row.answer
    return "\n\n".join(f"{m.role}: {m.content}" for m in turns), row.answer


def judge_pairs(judge: Judge, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
    """Verdicts by the project's rubric `correctness`: how likely each answer is right, 0 to 100."""
    return judge.judge(own_rubric(RUBRIC), pairs)


def judge_column(verdicts: Sequence[Verdict]) -> np.ndarray:
    """100 less the score, [N], larger is more suspicious; NaN where the judge gave no score."""
    import numpy as np

    scores = [float("nan") if v.score is None else v.score for v in verdicts]
    return 100.0 - np.asarray(scores, dtype=float)


def judge_outcomes(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many rows got which kind of verdict: scored, said (the word), declined, unparsable,
    failed."""
    named = Counter(f"said {v.word}" if v.kind == "said" else v.kind for v in verdicts)
    return dict(sorted(named.items()))


@detector("judge")
def judged(evidence: Evidence) -> np.ndarray:
    """How unlikely a judge model thinks it that the answer is right. Rows without a score stay
    without one, and rank in the middle."""
    import numpy as np

    column = evidence.need("judge", "no judge was given (--judge)")
    if not np.isfinite(column).any():
        raise NotMeasuredError("the judge gave no row a score")
    return column
