"""Which arms to run next, so that a threshold's interval shrinks most, and when to stop.

docs/design.md has the rules and what was measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datadose._core import InputError, UsageError
from datadose.curves._blocks import Block
from datadose.curves._expect import Arms
from datadose.curves._sight import Aim, sight
from datadose.curves._steps import SEEDS, STEPS, choose
from datadose.curves._types import Curve, Spec

Stop = Literal["width", "budget", "beyond"]

START_SEEDS = 2


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
    takes as many arms as there are whole seeds, or two or three of a new one. top: the highest
    dose there is (default: 1 on the share axis, else the highest run). steps: candidates are
    multiples of top / steps. start_seeds: so many seeds begin with {0, middle, top}. prior: a
    predicted curve, by which the candidates are weighed, never the limits. Raises UsageError for
    options out of range, InputError where there is no highest dose.
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
    view = sight(block, spec, aim)
    now = view.limits
    width = None if now.upper is None or now.lower <= 0 else now.upper - now.lower
    found = (now.lower, now.upper, width)
    if now.beyond:
        why = f"no curve that the data allow reaches the threshold up to {tested[-1]:g}"
        return Step((), why, "beyond", *found, None, len(run))
    narrow = aim.width is not None and width is not None and width <= aim.width
    if narrow and len({s for _, s in run}) >= SEEDS:
        why = f"the interval is {width:.3g} wide, {aim.width:g} was asked for"
        return Step((), why, "width", *found, None, len(run))
    if left is not None and left < 1:
        return Step(
            (), f"the budget of {aim.budget} arms is spent", "budget", *found, None, len(run)
        )
    chosen, expected = choose(view, spec, run, batch, left, steps, prior, narrow)
    if not chosen:
        why = f"the budget of {aim.budget} arms leaves {left}, fewer than a step takes"
        return Step((), why, "budget", *found, None, len(run))
    why = _why(chosen, run, found, expected)
    if narrow:
        why = f"the interval is narrow enough, but rests on fewer than {SEEDS} seeds; {why}"
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
    first = [*seeds, *range(len(seeds), start_seeds)][:start_seeds]
    return [(d, s) for s in first for d in wanted if (d, s) not in run]


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
