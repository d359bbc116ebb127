"""How well a score ranks wrong rows first."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def auroc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Chance that a wrong row scores above a right one, ties counted half; NaN without both."""
    import numpy as np
    from scipy.stats import rankdata

    bad = np.asarray(wrong, dtype=bool)
    a, b = int(bad.sum()), int((~bad).sum())
    if not a or not b:
        return float("nan")
    rank = rankdata(_whole(score))
    return float((rank[bad].sum() - a * (a + 1) / 2) / (a * b))


def auroc_error(value: float, wrong: int, right: int) -> float:
    """Standard error of an AUROC (Hanley and McNeil 1982, exponential form)."""
    a = min(max(value, 1 / (2 * wrong + 1)), 1 - 1 / (2 * wrong + 1))
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    spread = a * (1 - a) + (wrong - 1) * (q1 - a * a) + (right - 1) * (q2 - a * a)
    return float((spread / (wrong * right)) ** 0.5)


def average_precision(score: np.ndarray, wrong: np.ndarray) -> float:
    """Mean over wrong rows of the precision at their place in the ranking; ties share a place."""
    import numpy as np

    s, bad = _whole(score), np.asarray(wrong, dtype=bool)
    if not bad.any():
        return float("nan")
    order = np.argsort(-s, kind="stable")
    s, hit = s[order], bad[order]
    ends = np.append(np.flatnonzero(np.diff(s)), len(s) - 1)
    found = np.cumsum(hit)[ends]
    return float((np.diff(found, prepend=0) * found / (ends + 1)).sum() / found[-1])


def precision_at(score: np.ndarray, wrong: np.ndarray, count: int) -> float:
    """Share of wrong rows among the `count` highest; the expected share where ties straddle it."""
    import numpy as np

    s, bad = _whole(score), np.asarray(wrong, dtype=bool)
    cut = np.sort(s)[::-1][count - 1]
    above, level = s > cut, s == cut
    room = count - int(above.sum())
    return float((bad[above].sum() + room * bad[level].mean()) / count)


def _whole(score: np.ndarray) -> np.ndarray:
    """Scores with the middle one in place of those that are missing."""
    import numpy as np

    s = np.asarray(score, dtype=float)
    good = np.isfinite(s)
    return np.where(good, s, np.median(s[good]) if good.any() else 0.0)
