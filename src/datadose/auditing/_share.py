"""The share of wrong rows, with bounds: labels joined with scores, and the scores alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from datadose._core import UsageError
from datadose.curves import exact_limits

if TYPE_CHECKING:
    import numpy as np

FEW = 5
GROUP = 12
LEVEL = 0.95

Method = Literal[
    "labels and scores",
    "labels alone",
    "labels alone, exact",
    "every row labelled",
    "model-based",
    "none",
]


@dataclass(frozen=True)
class Share:
    """An estimate of the share of wrong rows, 0 to 1, with two-sided limits.

    Every number is None where `method` is `none`. `labelled` rows were judged by a person and
    `positives` of them found wrong. `note` says what the limits rest on.
    """

    estimate: float | None
    lower: float | None
    upper: float | None
    level: float
    method: Method
    labelled: int = 0
    positives: int = 0
    note: str = ""


def score_limits(rate: float, asked: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval (1927) of a rate out of `asked`, which may be an effective count."""
    from scipy.stats import norm

    z2 = float(norm.ppf((1 + level) / 2)) ** 2
    centre = (rate + z2 / (2 * asked)) / (1 + z2 / asked)
    half = (z2 * (rate * (1 - rate) / asked + z2 / (4 * asked * asked))) ** 0.5 / (1 + z2 / asked)
    return max(0.0, centre - half), min(1.0, centre + half)


def labels_alone(wrong: Sequence[bool], level: float = LEVEL) -> Share:
    """What the labels of a simple random sample say by themselves, without any score."""
    count, found = len(wrong), sum(wrong)
    few = min(found, count - found) < FEW
    limits = exact_limits(found, count, level) if few else score_limits(found / count, count, level)
    kind: Method = "labels alone, exact" if few else "labels alone"
    return Share(found / count, *limits, level, kind, count, found)


def wrong_share(
    suspicion: np.ndarray,
    place: Sequence[int],
    wrong: Sequence[bool],
    probability: Sequence[float],
    *,
    labeller_error: float = 0.0,
    level: float = LEVEL,
) -> Share:
    """The share of wrong rows among all N, from the labels of a sample and every row's suspicion.

    suspicion: [N], any scale. place, wrong, probability: the labelled rows, their labels and their
    chances to be drawn. Prediction-powered inference (Angelopoulos et al. 2023) with its weight
    tuned (PPI++, 2023): mean of lambda f over all rows, plus the labelled rows' mean of
    y - lambda f, each weighted by 1 / probability (the regression estimator of survey sampling,
    Cassel, Sarndal and Wretman 1976). Its variance is taken within groups of GROUP labelled rows
    that are neighbours in suspicion, as the systematic sample allows, and gives an effective
    number of labels for Wilson's interval, shrunk for its degrees of freedom (Korn and Graubard
    1998).

    With under FEW labels of either kind no variance can be trusted: then Clopper and Pearson of
    the labels alone, on as many labels as the row least likely to be drawn stands for.

    labeller_error: the rate, 0 to under 0.5, at which the person is known to err either way; the
    estimate and its limits are turned back by (q - e) / (1 - 2 e) (Rogan and Gladen 1978).
    Raises UsageError for no labels, repeated ones, or a rate out of range.
    """
    import numpy as np

    f = np.asarray(suspicion, dtype=float)
    at = np.asarray(place, dtype=int)
    y = np.asarray(wrong, dtype=float)
    chance = np.asarray(probability, dtype=float)
    total, count, found = len(f), len(at), int(y.sum())
    if not count:
        raise UsageError("no row is labelled", next_step="datadose audit ROWS --label 60")
    if len(set(at.tolist())) != count:
        raise UsageError("a row is labelled twice", next_step="keep one label for each row")
    if not 0 <= labeller_error < 0.5:
        raise UsageError(
            f"a labeller who errs {labeller_error:g} of the time tells nothing",
            next_step="give a rate from 0 to under 0.5",
        )
    weight = 1 / chance
    weight = weight / weight.sum()
    if count == total:
        rate = float(y.mean())
        return _turned(rate, rate, rate, labeller_error, level, "every row labelled", count, found)
    if min(found, count - found) < FEW:
        asked = max(1.0, float(total * chance.min()))
        rate = float(weight @ y)
        low, high = exact_limits(min(rate, 1.0) * asked, asked, level)
        return _turned(rate, low, high, labeller_error, level, "labels alone, exact", count, found)
    rate, asked = _joined(f, at, y, weight, total)
    low, high = score_limits(rate, asked, level)
    return _turned(rate, low, high, labeller_error, level, "labels and scores", count, found)


def _joined(
    f: np.ndarray, at: np.ndarray, y: np.ndarray, weight: np.ndarray, total: int
) -> tuple[float, float]:
    """The estimate and the number of plain labels that would be as good."""
    import numpy as np
    from scipy.stats import norm, t

    count = len(at)
    own = f[at]
    middle = weight @ own
    spread = float(weight @ (own - middle) ** 2)
    slope = float(weight @ ((own - middle) * y)) / spread if spread > 0 else 0.0
    left = y - slope * own
    rate = slope * float(f.mean()) + float(weight @ left)
    rate = min(max(rate, 0.5 / count), 1 - 0.5 / count)
    order = np.argsort(own, kind="stable")
    groups = np.array_split(order, max(1, count // GROUP))
    pull = weight * (left - weight @ left)
    variance = 0.0
    for group in groups:
        inside = pull[group] - pull[group].mean()
        variance += float(inside @ inside) * len(group) / (len(group) - 1)
    freedom = count - len(groups)
    variance *= freedom / max(1, freedom - 1) * (1 - count / total)
    shrink = (norm.ppf(0.975) / t.ppf(0.975, freedom - 1)) ** 2
    return rate, max(1.0, float(rate * (1 - rate) / max(variance, 1e-12) * shrink))


def _turned(
    rate: float,
    low: float,
    high: float,
    error: float,
    level: float,
    kind: Method,
    count: int,
    found: int,
) -> Share:
    def back(q: float) -> float:
        return min(1.0, max(0.0, (q - error) / (1 - 2 * error)))

    note = f"the labeller is taken to err {error:g} of the time, either way" if error else ""
    return Share(back(rate), back(low), back(high), level, kind, count, found, note)
