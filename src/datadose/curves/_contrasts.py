"""Differences at the tested doses, without any curve: changes, recovery, parity, lost gain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from datadose.curves._means import Means
from datadose.curves._student import t_quantile
from datadose.curves._types import Contrast, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KEEP = 0.8
Kind = Literal["change", "recovery", "parity", "lost gain"]


def linear(
    kind: Kind,
    means: Means,
    weights: Array,
    spec: Spec,
    *,
    freedom: float,
    within: float = float("inf"),
) -> list[Contrast]:
    """Contrasts `weights` [D, D] of the dose means, one a row, one a dose; limits stay `within`."""
    estimate = weights @ means.worse
    se = np.sqrt(np.maximum(np.einsum("id,de,ie->i", weights, means.cov, weights), 0.0))
    reach = t_quantile(spec.level, freedom) * se
    low, high = np.clip([estimate - reach, estimate + reach], -within, within)
    return [
        Contrast(kind, float(d), float(e), float(a), float(b), float(s), freedom)
        for d, e, a, b, s in zip(means.doses, estimate, low, high, se, strict=True)
    ]


def changes(means: Means, spec: Spec) -> list[Contrast]:
    """Change from the first dose, at every other; limits of a rate's stay from -1 to 1."""
    weights = np.eye(len(means.doses))
    weights[:, 0] -= 1
    within = 1.0 if spec.scale == "rate" else float("inf")
    return linear("change", means, weights, spec, freedom=means.freedom, within=within)[1:]


def recoveries(means: Means, spec: Spec) -> list[Contrast]:
    """Loss from dose 0 minus 20% of the loss at the last dose."""
    weights = np.eye(len(means.doses))
    weights[:, 0] -= KEEP
    weights[:, -1] -= 1 - KEEP
    return linear("recovery", means, weights, spec, freedom=means.freedom)


def parities(gap: Means, spec: Spec) -> list[Contrast]:
    """Difference from the base model at every dose; `gap` holds the paired differences."""
    return linear("parity", gap, np.eye(len(gap.doses)), spec, freedom=gap.level_freedom)


def lost_gains(gap: Means, spec: Spec) -> list[Contrast]:
    """Share of clean training's gain over base that is lost at each dose (Fieller 1954)."""
    t = t_quantile(spec.level, gap.level_freedom)
    gain, var = -float(gap.worse[0]), float(gap.cov[0, 0])
    found = []
    for i in range(1, len(gap.doses)):
        lost = float(gap.worse[i] - gap.worse[0])
        own = float(gap.cov[i, i] + var - 2 * gap.cov[0, i])
        both = float(var - gap.cov[0, i])
        a = gain**2 - t * t * var
        b = lost * gain - t * t * both
        c = lost**2 - t * t * own
        lower = upper = None
        if a > 0 and gain > 0:
            root = float(np.sqrt(max(b * b - a * c, 0.0)))
            lower, upper = (b - root) / a, (b + root) / a
        ratio = lost / gain if gain > 0 else float("nan")
        spread = own - 2 * ratio * both + ratio**2 * var
        se = float(np.sqrt(max(spread, 0.0))) / gain if gain > 0 else float("nan")
        found.append(
            Contrast("lost gain", float(gap.doses[i]), ratio, lower, upper, se, gap.level_freedom)
        )
    return found


def equivalent(found: list[Contrast], margin: float) -> bool:
    """Whether every limit lies within the margin (two one-sided tests at each dose)."""
    return bool(found) and all(
        c.lower is not None and c.upper is not None and c.lower >= -margin and c.upper <= margin
        for c in found
    )


def peak(means: Means, alpha: float = 0.01) -> int | None:
    """Number of the worst dose, where a higher one is clearly better again; else None.

    Every pair of doses is compared, at alpha over the number of doses.
    """
    last = len(means.doses) - 1
    if last < 2:
        return None
    drop = means.worse[:, None] - means.worse
    diagonal = np.diag(means.cov)
    se = np.sqrt(np.maximum(diagonal[:, None] + diagonal - 2 * means.cov, 1e-18))
    later = np.triu(np.ones_like(drop, dtype=bool), 1)
    worst = float(np.where(later, drop / se, -np.inf).max())
    if worst <= t_quantile(1 - alpha / last, means.freedom):
        return None
    at = int(means.worse.argmax())
    return at if 0 < at < last else None
