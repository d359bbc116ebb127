"""Rates that a judge with measured errors gave, corrected for those errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.stats import chi2, norm

from datadose._core import InputError, generator
from datadose.curves._agreement import (
    LEVEL,
    Share,
    few_clusters,
    share_of,
    variance_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DRAWS = 2000
LEAST = 0.1
DIFFER = 0.2
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)

Target = Literal["these", "like"]
CorrectedStatus = Literal["corrected", "transported", "unidentified"]


@dataclass(frozen=True)
class JudgedCounts:
    """One dose's answers by question [Q]: `flagged` of `asked` by the judge and, among those
    that a person labelled, `hits` (both say yes), `missed` (person only), `alarms` (judge only)
    and `cleared` (neither)."""

    dose: float
    flagged: Array
    asked: Array
    hits: Array
    missed: Array
    alarms: Array
    cleared: Array


@dataclass(frozen=True)
class CorrectedRate:
    """A rate as judged and corrected, with two-sided 95% limits.

    raw: as the judge gave it. labelled: by labels of this dose alone. estimate, lower, upper:
    corrected; None and 0 to 1 where the status is `unidentified`. method: `pooled` errors of
    all doses, errors of this dose's `own` labels, or none. sensitivity, specificity: those that
    were used. p_sensitivity, p_specificity: of the test that they are equal at all doses, None
    where there is nothing to test.
    """

    dose: float
    raw: Share
    labelled: Share
    estimate: float | None
    lower: float
    upper: float
    status: CorrectedStatus
    method: Literal["pooled", "own", "none"]
    sensitivity: Share
    specificity: Share
    p_sensitivity: float | None
    p_specificity: float | None
    note: str


def correct_rates(
    strata: Sequence[JudgedCounts],
    *,
    calibration: JudgedCounts | None = None,
    target: Target = "these",
) -> list[CorrectedRate]:
    """Rates of every dose corrected for the judge's errors (Rogan and Gladen 1978).

    Labels must be a random sample of this study's answers within each dose and question, the
    same share of every question. Sensitivity and specificity are tested for equality over doses
    (homogeneity and trend, both; p under 0.2 counts as different, since a missed difference
    biases and a false one only widens). Where they are equal, those of all doses correct
    (judged + specificity - 1) / (sensitivity + specificity - 1). Where they differ, each dose is
    corrected by its own labels, as flagged x P(bad | flagged) + cleared x P(bad | cleared): the
    same estimate, which needs no division and stays whole where a dose has no bad answer.

    `calibration`: labels from elsewhere in place of this study's; the status is `transported`,
    for it takes for granted that the judge errs here as there, and the target is always `like`.
    `unidentified`: the lower limit
    of sensitivity + specificity - 1 is under 0.1, and nothing can be said from this judge;
    `labelled` may still say something.

    `target`: `these` questions, or questions `like` these, which adds the spread between them.

    Limits are quantiles over draws from beta distributions of the parts, each taken on the side
    that widens (a hit more for the upper limit, a miss more for the lower), so that with one
    part they are Clopper and Pearson's, and 0 stays in reach. With `like`, counts are taken at
    their effective size (Korn and Graubard 1998), the design effect pooled over doses.

    Raises InputError where no label is given.
    """
    own = [s for s in strata if s.hits.sum() + s.missed.sum() + s.alarms.sum() + s.cleared.sum()]
    sources = [calibration] if calibration is not None else own
    if not sources:
        raise InputError(
            "no answer is labelled",
            next_step="label a sample of this study's answers, or calibrate on a labelled set",
        )
    # errors measured on other questions: how they differ between questions counts in any case
    target = "like" if calibration is not None else target
    sizes = _Sizes(strata, target)
    p_sens = p_spec = None
    if calibration is None:
        p_sens = _equal([(s.dose, s.hits.sum(), s.missed.sum()) for s in own])
        p_spec = _equal([(s.dose, s.cleared.sum(), s.alarms.sum()) for s in own])
    differ = any(p is not None and p < DIFFER for p in (p_sens, p_spec))
    sens = _pooled([(s.hits, s.missed) for s in sources], target)
    spec = _pooled([(s.cleared, s.alarms) for s in sources], target)
    rng = generator(0, "corrected rates")
    found = []
    for s in strata:
        n, x = float(s.asked.sum()), float(s.flagged.sum())
        bad = float(s.hits.sum() + s.missed.sum())
        told = bad + float(s.alarms.sum() + s.cleared.sum())
        raw = share_of(x, n, sizes.worth(n, "flagged"))
        labelled = share_of(bad, told, sizes.worth(told, "labelled"))
        used: tuple[_Part, _Part] = (sens, spec)
        status: CorrectedStatus = "corrected" if calibration is None else "transported"
        note, method = "", "pooled"
        estimate: float | None
        if sens.share.lower + spec.share.lower - 1 < LEAST:
            status, method, estimate, lower, upper = "unidentified", "none", None, 0.0, 1.0
            note = "the judge was not shown to tell bad answers from good ones"
        elif differ and told:
            method = "own"
            used = (_Part.of(s.hits, s.missed), _Part.of(s.cleared, s.alarms))
            estimate, lower, upper = _by_own(s, sizes, rng)
            note = "the judge's errors differ between doses: corrected by this dose's own labels"
        elif differ:
            status, method, estimate, lower, upper = "unidentified", "none", None, 0.0, 1.0
            note = "the judge's errors differ between doses, and this dose has no labels"
        else:
            estimate, lower, upper = _by_errors(raw, sizes.worth(n, "flagged"), sens, spec, rng)
            if calibration is not None:
                note = "errors measured elsewhere are taken to hold here"
        found.append(
            CorrectedRate(
                *(s.dose, raw, labelled, estimate, lower, upper, status, method),  # type: ignore[arg-type]
                *(used[0].share, used[1].share, p_sens, p_spec, note),
            )
        )
    return found


@dataclass(frozen=True)
class _Part:
    """A share's counts at the size that they are worth."""

    yes: float
    no: float
    share: Share

    @classmethod
    def of(cls, yes: Array, no: Array, worth: float | None = None) -> _Part:
        y, n = float(yes.sum()), float(yes.sum() + no.sum())
        worth = n if worth is None else min(n, worth)
        scale = worth / n if n else 0.0
        return cls(y * scale, (n - y) * scale, share_of(y, n, worth if n else None))

    def draws(self, rng: np.random.Generator, side: Literal["up", "down"]) -> Array:
        """Draws that lie high (`up`) or low, as the limits of Clopper and Pearson do."""
        a, b = (self.yes + 1, self.no) if side == "up" else (self.yes, self.no + 1)
        if a <= 0:
            return np.zeros(DRAWS)
        return np.ones(DRAWS) if b <= 0 else rng.beta(a, b, DRAWS)


class _Sizes:
    """Effective sizes of the shares of single doses, the design effects pooled over doses."""

    def __init__(self, strata: Sequence[JudgedCounts], target: Target) -> None:
        self.target = target
        self.clusters = max((int((s.asked > 0).sum()) for s in strata), default=0)
        pairs = {
            "flagged": [(s.flagged, s.asked) for s in strata],
            "labelled": [
                (s.hits + s.missed, s.hits + s.missed + s.alarms + s.cleared) for s in strata
            ],
            "precision": [(s.hits, s.hits + s.alarms) for s in strata],
            "omission": [(s.missed, s.missed + s.cleared) for s in strata],
        }
        self.effect = {name: _effect(parts) for name, parts in pairs.items()}

    def worth(self, n: float, what: str) -> float:
        if self.target == "these" or n <= 0:
            return n
        return n / self.effect[what] * few_clusters(n, self.clusters)


def _effect(parts: Sequence[tuple[Array, Array]]) -> float:
    """Design effect, at least 1: variance between clusters over that of independent answers."""
    seen = free = 0.0
    for good, asked in parts:
        keep = asked > 0
        n = float(asked.sum())
        if keep.sum() < 2 or not 0 < good.sum() < n:
            continue
        rate = float(good.sum()) / n
        seen += variance_of(good[keep], asked[keep])
        free += rate * (1 - rate) / n
    return max(1.0, seen / free) if free else 1.0


def _pooled(parts: Sequence[tuple[Array, Array]], target: Target) -> _Part:
    """The errors of all doses together; a question's errors at all doses are one cluster."""
    yes = np.sum([y for y, _ in parts], axis=0)
    no = np.sum([n for _, n in parts], axis=0)
    if target == "these":
        return _Part.of(yes, no)
    n = float((yes + no).sum())
    clusters = int(((yes + no) > 0).sum())
    return _Part.of(yes, no, n / _effect([(yes, yes + no)]) * few_clusters(n, clusters))


def _by_errors(
    raw: Share, worth: float, sens: _Part, spec: _Part, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Rogan and Gladen's estimate, kept within 0 and 1, and its limits."""
    rate = raw.rate or 0.0
    flagged = _Part(rate * worth, (1 - rate) * worth, raw)
    gap = (sens.share.rate or 0.0) + (spec.share.rate or 0.0) - 1
    estimate = float(np.clip((rate + (spec.share.rate or 0.0) - 1) / gap, 0, 1))
    ends = []
    for end, tail in zip(("down", "up"), TAILS, strict=True):
        against: Literal["up", "down"] = "up" if end == "down" else "down"
        q = flagged.draws(rng, "down" if end == "down" else "up")
        se = sens.draws(rng, against)
        # the upper limit wants few false alarms, which is a high specificity
        sp = spec.draws(rng, "up" if end == "up" else "down")
        youden = se + sp - 1
        p = np.where(youden > 0, (q + sp - 1) / np.where(youden > 0, youden, 1), end == "up")
        ends.append(float(np.quantile(np.clip(p, 0, 1), tail)))
    return estimate, min(ends[0], estimate), max(ends[1], estimate)


def _by_own(s: JudgedCounts, sizes: _Sizes, rng: np.random.Generator) -> tuple[float, float, float]:
    """Flagged x P(bad | flagged) + cleared x P(bad | cleared), and its limits."""
    n, x = float(s.asked.sum()), float(s.flagged.sum())
    flagged = _Part.of(s.flagged, s.asked - s.flagged, sizes.worth(n, "flagged"))
    told = float((s.hits + s.alarms).sum()), float((s.missed + s.cleared).sum())
    precision = _Part.of(s.hits, s.alarms, sizes.worth(told[0], "precision"))
    omission = _Part.of(s.missed, s.cleared, sizes.worth(told[1], "omission"))
    q = x / n
    bad = float((s.hits + s.missed).sum()) / sum(told)
    among_flagged = bad if precision.share.rate is None else precision.share.rate
    among_cleared = bad if omission.share.rate is None else omission.share.rate
    estimate = q * among_flagged + (1 - q) * among_cleared
    low = _mixed(flagged, precision, omission, rng, "down")
    high = _mixed(flagged, precision, omission, rng, "up")
    return estimate, min(low, estimate), max(high, estimate)


def _mixed(
    flagged: _Part,
    precision: _Part,
    omission: _Part,
    rng: np.random.Generator,
    side: Literal["up", "down"],
) -> float:
    q = flagged.draws(rng, side)
    p = q * precision.draws(rng, side) + (1 - q) * omission.draws(rng, side)
    return float(np.quantile(p, TAILS[side == "up"]))


def _equal(table: Sequence[tuple[float, float, float]]) -> float | None:
    """P of equal shares over doses: twice the smaller of homogeneity (chi-square) and trend
    (Cochran 1954, Armitage 1955). None with under two doses that have answers, or no variation.
    """
    rows = [(dose, yes, yes + no) for dose, yes, no in table if yes + no > 0]
    good = sum(y for _, y, _ in rows)
    n = sum(m for *_, m in rows)
    if len(rows) < 2 or not 0 < good < n:
        return None
    dose, yes, asked = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    rate = good / n
    each = ((yes - asked * rate) ** 2 / (asked * rate * (1 - rate))).sum()
    spread = (asked * dose**2).sum() - (asked * dose).sum() ** 2 / n
    together = float(chi2.sf(each, len(rows) - 1))
    if spread <= 0:
        return together
    score = ((yes - asked * rate) * dose).sum() / np.sqrt(rate * (1 - rate) * spread)
    return float(min(1.0, 2 * min(together, 2 * norm.sf(abs(score)))))
