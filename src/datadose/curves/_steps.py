"""Which steps there are from the arms run so far, and which shrinks the interval most per arm.

A step adds whole seeds at {0, candidate}: a dose in all seeds that were run at 0 and another, or
a new seed at 0 and one dose or two that were run before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from datadose.curves._expect import Arms, Expectation, levelled, members, noise, reweighed
from datadose.curves._profile import Limits, Profile
from datadose.curves._sight import Sight
from datadose.curves._types import Curve, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS = 40
"""Candidates are multiples of 1/STEPS of the highest dose, and the doses run so far."""
SEEDS = 3
"""No interval is narrow enough on fewer: two seeds hardly show how far apart seeds fall."""
PRIOR_SD = 0.10


def choose(
    sight: Sight,
    spec: Spec,
    run: list[tuple[float, int]],
    batch: int,
    left: int | None,
    steps: int,
    prior: Curve | None,
    narrow: bool,
) -> tuple[Arms, float | None]:
    """The arms of the next step, or steps until they are `batch`, and the width expected then.

    left: arms that the budget leaves. narrow: the interval is narrow enough but for the number of
    seeds. No arms where `left` is less than a step takes.
    """
    p = sight.fitted
    fresh = max(s for _, s in run) + 1
    if not len(p.kept):
        # nothing gets worse: only the highest dose can tell whether anything does
        pair = ((0.0, fresh), (p.top, fresh))
        return (pair if left is None or left > 1 else ()), None
    doses = _candidates(p, sight.limits, [d for d, _ in run], steps, spec)
    curves = levelled(members(p, sight.place, doses))
    spread = noise(p, curves, sight.level, rate=spec.scale == "rate")
    if prior is not None:
        sign = 1.0 if spec.direction == "up" else -1.0
        rate = sign * np.interp(doses, np.array(prior.dose), np.array(prior.rate))
        curves = reweighed(curves, rate, PRIOR_SD)
    ahead = Expectation(curves, spread, run)
    before = max(ahead.width(), 1e-9)
    chosen: list[tuple[float, int]] = []
    after = before
    while len(chosen) < batch:
        affordable = None if left is None else left - len(chosen)
        few = narrow and len({s for _, s in ahead.arms}) < SEEDS
        options = _options(ahead.arms, doses[1:], fresh, affordable, few=few)
        if not options:
            break
        widths = [ahead.width(o) for o in options]
        own = ahead.width() if chosen else before
        gains = [(own - w) / len(o) for w, o in zip(widths, options, strict=True)]
        best = int(np.argmax(gains))
        chosen += options[best]
        after = widths[best]
        ahead.take(options[best])
        fresh = max(s for _, s in ahead.arms) + 1
    limits = sight.limits
    now = (p.top if limits.upper is None else limits.upper) - limits.lower
    return tuple(chosen), now * min(1.0, after / before)


def _candidates(p: Profile, limits: Limits, run: Sequence[float], steps: int, spec: Spec) -> Array:
    """0, the doses run, a coarse grid over all and a fine one around the interval."""
    high = p.top if limits.upper is None else limits.upper
    pad = 0.25 * (high - limits.lower) + 2 * p.top / steps
    every = np.arange(steps + 1) / steps * p.top
    coarse = every[:: max(1, steps // 10)]
    near = every[(every >= limits.lower - pad) & (every <= high + pad)]
    near = near[:: max(1, len(near) // 16)]
    found = np.concatenate([[0.0, p.top], coarse, near])
    if spec.axis == "count":
        found = np.round(found)
    own = np.array([d for d in run if d <= p.top])
    found = np.concatenate([own, found[(np.abs(found[:, None] - own) > 1e-9).all(axis=1)]])
    return np.asarray(np.unique(np.round(found, 9)))


def _options(
    run: Sequence[tuple[float, int]],
    doses: Array,
    fresh: int,
    left: int | None,
    *,
    few: bool,
) -> list[Arms]:
    """Every step within `left` arms; where seeds are `few`, those that bring a new one.

    A dose of one seed alone would be cheaper than one of all, but on a steep stretch of the curve
    the place of that one seed's fall would pass for that of all.
    """
    own = {s: {round(d, 9) for d, t in run if t == s} for s in {s for _, s in run}}
    whole = [s for s in sorted(own) if 0.0 in own[s] and len(own[s]) >= 2] or sorted(own)
    tested = set().union(*own.values())
    listed = [float(d) for d in doses]
    again = [d for d in listed if round(d, 9) in tested]
    wider = [tuple((d, s) for s in whole if round(d, 9) not in own[s]) for d in listed]
    new: list[Arms] = [((0.0, fresh), (d, fresh)) for d in again]
    new += [((0.0, fresh), (a, fresh), (b, fresh)) for a, b in combinations(again, 2)]
    asked = new if few else [*wider, *new]
    return [o for o in asked if o and (left is None or len(o) <= left)]
