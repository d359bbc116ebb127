"""Which arms to run next, so that a threshold's interval shrinks most, and when to stop.

A step adds whole seeds at {0, candidate}: the seeds of the start, which have their dose 0, at a new
candidate, or a new seed at 0 and a dose run before. docs/design.md has the rules and what was
measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from datadose._core import InputError, UsageError
from datadose.curves._blocks import Block
from datadose.curves._contrasts import KEEP, peak
from datadose.curves._expect import NODES, Arms, Expectation, members, noise, reweighed
from datadose.curves._means import Means, arm_means, oriented
from datadose.curves._profile import Limits, Profile, profile, ratio_limits, turn_limits
from datadose.curves._types import Curve, Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Named = Literal["benchmark", "recovery", "ed50", "parity"]
Stop = Literal["width", "budget", "beyond"]

START_SEEDS = 3
STEPS = 40
"""Candidates are multiples of 1/STEPS of the highest dose, and the doses run so far."""
PRIOR_SD = 0.10


@dataclass(frozen=True)
class Aim:
    """The threshold whose interval is to shrink, and when to stop.

    width: stop when the interval is as narrow. budget: the most arms, those run so far included.
    """

    threshold: Named = "benchmark"
    benchmark: float = 0.10
    width: float | None = None
    budget: int | None = None


@dataclass(frozen=True)
class Step:
    """What to run next, or why to stop.

    arms: dose and name of the seed, in order. lower, upper: the threshold's limits now, None where
    there is none. width: their distance, None where a limit is missing; expected: the width that
    is expected after these arms. stop: `width` (narrow enough), `budget` (spent), or `beyond` (no
    curve that the data allow reaches the threshold).
    """

    arms: tuple[tuple[float, str], ...]
    why: str
    stop: Stop | None
    lower: float | None
    upper: float | None
    width: float | None
    expected: float | None
    run: int


def next_arms(
    block: Block,
    spec: Spec,
    aim: Aim,
    *,
    batch: int = 1,
    top: float | None = None,
    steps: int = STEPS,
    start_seeds: int = START_SEEDS,
    prior: Curve | None = None,
) -> Step:
    """The arms worth running next, given those in `block`.

    batch: how many arms can run at once; steps are added until so many are chosen, and a step
    takes as many arms as there are whole seeds, or two. top: the highest dose there is (default:
    1 on the share axis, else the highest run). steps: candidates are multiples of top / steps.
    start_seeds: so many seeds begin with {0, middle, top}. prior: a predicted curve, by which the
    candidates are weighed, never the limits. Raises UsageError for options out of range,
    InputError where there is no highest dose.
    """
    _check(aim, batch, steps)
    run = [
        (float(block.doses[d]), int(s))
        for s, d in zip(*np.nonzero(block.asked.sum(axis=2)), strict=True)
    ]
    tested = sorted({d for d, _ in run})
    highest = _top(tested, spec, top)
    left = None if aim.budget is None else aim.budget - len(run)
    start = _start(run, highest, start_seeds, spec)
    names = _Names(block.seeds)
    if start:
        first = names.listed(start if left is None else start[: max(left, 0)])
        if not first:
            return Step((), f"the budget of {aim.budget} arms is spent", "budget", *NONE, len(run))
        why = f"to start: two seeds or more at {_listed(sorted({d for d, _ in start}))}"
        return Step(first, why, None, *NONE, len(run))
    sight = _sight(block, spec, aim)
    now = sight.limits
    width = None if now.upper is None or now.lower <= 0 else now.upper - now.lower
    found = (now.lower, now.upper, width)
    if now.beyond:
        why = f"no curve that the data allow reaches the threshold up to {tested[-1]:g}"
        return Step((), why, "beyond", *found, None, len(run))
    if aim.width is not None and width is not None and width <= aim.width:
        why = f"the interval is {width:.3g} wide, {aim.width:g} was asked for"
        return Step((), why, "width", *found, None, len(run))
    if left is not None and left < 1:
        return Step(
            (), f"the budget of {aim.budget} arms is spent", "budget", *found, None, len(run)
        )
    chosen, expected = _choose(sight, spec, run, batch, left, steps, prior)
    if not chosen:
        why = f"the budget of {aim.budget} arms leaves {left}, fewer than a step takes"
        return Step((), why, "budget", *found, None, len(run))
    why = _why(chosen, run, found, expected)
    return Step(names.listed(chosen), why, None, *found, expected, len(run))


NONE = (None, None, None, None)


def _check(aim: Aim, batch: int, steps: int) -> None:
    if batch < 1 or steps < 4:
        raise UsageError(f"batch {batch} and steps {steps} must be at least 1 and 4")
    if aim.width is not None and not aim.width > 0:
        raise UsageError(f"a width of {aim.width:g} can't be reached: give one above 0")
    if aim.budget is not None and aim.budget < 1:
        raise UsageError(f"a budget of {aim.budget} arms is none: give 1 or more")


def _top(tested: Sequence[float], spec: Spec, top: float | None) -> float:
    if top is not None:
        return top
    if len(tested) >= 3 or spec.axis == "count":
        if tested and tested[-1] > 0:
            return tested[-1]
        raise InputError(
            "no dose above 0 was run, so the highest is not known", next_step="run one, or give top"
        )
    return 1.0


def _start(
    run: Sequence[tuple[float, int]], top: float, start_seeds: int, spec: Spec
) -> list[tuple[float, int]]:
    """What is missing of {0, middle, top} in the first seeds; nothing where enough was run."""
    doses = sorted({d for d, _ in run})
    seeds = sorted({s for _, s in run})
    twice = [d for d in doses if sum(e == d for e, _ in run) > 1]
    if len(doses) >= 3 and doses[0] == 0 and len(twice) >= 3 and 0 in twice:
        return []
    middle = top / 2 if spec.axis == "share" else float(round(top / 2))
    wanted = [0.0, middle, top]
    inner = [d for d in doses if 0 < d < top]
    if inner:
        wanted[1] = min(inner, key=lambda d: abs(d - middle))
    count = max(start_seeds, min(len(seeds), start_seeds))
    first = [*seeds, *range(len(seeds), start_seeds)][:count]
    return [(d, s) for s in first for d in wanted if (d, s) not in run]


@dataclass(frozen=True)
class _Sight:
    """The profile that a threshold is read from, its limits, and its place for every shape."""

    fitted: Profile
    limits: Limits
    place: Array
    level: float


def _sight(block: Block, spec: Spec, aim: Aim) -> _Sight:
    worse = oriented(block, spec)
    if aim.threshold == "parity":
        base = block.base if spec.direction == "up" else -block.base
        if np.isnan(base).all():
            raise InputError(
                "the parity dose needs the base model's answers",
                next_step="add lines with base = true, or aim at another threshold",
            )
        gap = arm_means(block, spec, worse - base)
        return _ratio_sight(_cut(gap), spec, (1.0, spec.margin, -1.0), gap.level_freedom)
    means = arm_means(block, spec)
    if aim.threshold == "benchmark":
        cut = _cut(means)
        return _ratio_sight(cut, spec, _ratio(spec, cut, aim.benchmark), cut.freedom)
    share = round(1 - KEEP, 9) if aim.threshold == "recovery" else 0.5
    fitted = profile(means, spec.level)
    place = np.tile(fitted.shapes.turns[share][fitted.kept], (len(NODES), 1))
    return _Sight(fitted, turn_limits(fitted, share), place, spec.level)


def _cut(means: Means) -> Means:
    at = peak(means)
    return means if at is None else means.cut(at)


def _ratio(spec: Spec, means: Means, fraction: float) -> tuple[float, float, float]:
    if spec.risk == "added":
        return fraction, 1.0, 0.0
    if spec.risk == "extra" and spec.direction == "up":
        return fraction, 1.0, -1.0
    return fraction, 0.0, (1.0 if means.worse[0] > 0 else -1.0)


def _ratio_sight(
    means: Means, spec: Spec, ratio: tuple[float, float, float], freedom: float
) -> _Sight:
    p = profile(means, spec.level, freedom=freedom)
    fraction, constant, slope = ratio
    most = 1.0 if spec.scale == "rate" else np.inf
    limits = ratio_limits(p, fraction, constant, slope, most=most)
    whole = p.shapes.rise[-1, p.kept]
    left = np.sqrt(np.maximum(p.reach - (p.chi[p.kept] - p.best), 0.0))
    place = np.ones((len(NODES), len(p.kept)))
    for row, z in enumerate(NODES):
        change = p.change + z * left * np.sqrt(p.change_variance)
        level = p.level + z * left * p.covariance / np.sqrt(p.change_variance)
        with np.errstate(divide="ignore", invalid="ignore"):
            rise = np.where(change > 0, fraction * (constant + slope * level) / change, np.inf)
        hit = rise <= whole
        place[row, hit] = p.shapes.reach(p.kept[hit], np.maximum(rise[hit], 0.0))
    return _Sight(p, limits, place, spec.level)


def _choose(
    sight: _Sight,
    spec: Spec,
    run: list[tuple[float, int]],
    batch: int,
    left: int | None,
    steps: int,
    prior: Curve | None,
) -> tuple[Arms, float | None]:
    p = sight.fitted
    fresh = max(s for _, s in run) + 1
    if not len(p.kept):
        # nothing gets worse: only the highest dose can tell whether anything does
        pair = ((0.0, fresh), (p.top, fresh))
        return (pair if left is None or left > 1 else ()), None
    doses = _candidates(p, sight.limits, [d for d, _ in run], steps, spec)
    curves = members(p, sight.place, doses)
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
        options = _options(ahead.arms, doses[1:], fresh, affordable)
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
    run: Sequence[tuple[float, int]], doses: Array, fresh: int, left: int | None
) -> list[Arms]:
    """Every step: a dose in all whole seeds that lack it, or a new seed at {0, a dose run}.

    Whole seeds are those of the start. A dose of one seed alone would be cheaper, but on a steep
    stretch of the curve the place of that one seed's fall would pass for that of all.
    """
    own = {s: {round(d, 9) for d, t in run if t == s} for s in {s for _, s in run}}
    whole = [s for s in sorted(own) if 0.0 in own[s] and len(own[s]) >= 3] or sorted(own)
    tested = set().union(*own.values())
    found: list[Arms] = []
    for dose in (float(d) for d in doses):
        new = tuple((dose, s) for s in whole if round(dose, 9) not in own[s])
        pair = ((0.0, fresh), (dose, fresh)) if round(dose, 9) in tested else ()
        found += [o for o in (new, pair) if o and (left is None or len(o) <= left)]
    return found


class _Names:
    """Names of seeds by number; new ones go on from the highest where all are whole numbers."""

    def __init__(self, known: Sequence[str]) -> None:
        self.known = known
        self.numbers = [int(s) for s in known if s.lstrip("-").isdigit()]

    def listed(self, arms: Sequence[tuple[float, int]]) -> tuple[tuple[float, str], ...]:
        """Arms with the names of their seeds, in the order of these."""
        named = [(dose, self.of(seed)) for dose, seed in arms]
        return tuple(sorted(named, key=lambda a: (len(a[1]), a[1], a[0])))

    def of(self, seed: int) -> str:
        if seed < len(self.known):
            return self.known[seed]
        ahead = seed - len(self.known)
        if len(self.numbers) == len(self.known):
            return str(max(self.numbers, default=-1) + 1 + ahead)
        return f"new-{ahead + 1}"


def _listed(doses: Sequence[float]) -> str:
    return ", ".join(f"{d:g}" for d in doses)


def _why(
    chosen: Arms,
    run: Sequence[tuple[float, int]],
    found: tuple[float, float | None, float | None],
    expected: float | None,
) -> str:
    lower, upper, _ = found
    span = f"{lower:.3g} to {'no upper limit' if upper is None else f'{upper:.3g}'}"
    if expected is None:
        return f"limits now {span}: no curve gets worse yet, the highest dose can tell"
    old = {s for _, s in run}
    doses = _listed(sorted({d for d, _ in chosen if d > 0}))
    fresh = sorted({s for _, s in chosen} - old)
    what = f"dose {doses}" + (f" with {len(fresh)} new seed(s) at dose 0 too" if fresh else "")
    return f"limits now {span}: {what} is expected to shrink the interval most, per arm"
