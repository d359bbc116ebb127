"""What a planned design can find, by simulating studies with its own facts, wordings and seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from datadose._core import UsageError
from datadose.curves._analyse import analyse_block
from datadose.curves._assume import Assumed
from datadose.curves._blocks import Block
from datadose.curves._contrasts import changes
from datadose.curves._means import arm_means
from datadose.curves._next import next_arms
from datadose.curves._sight import Aim
from datadose.curves._simulate import Lab, Rate
from datadose.curves._steps import STEPS
from datadose.curves._types import Spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CURVES: dict[str, Callable[[Array], Array]] = {
    "straight decline": lambda x: np.asarray(np.minimum(x, 1.0)),
    "early": lambda x: np.asarray(-np.expm1(-x / 0.25)) / -np.expm1(-4.0),
    "middle": lambda x: np.asarray(expit(12 * (x - 0.5))),
    "late cliff": lambda x: np.asarray(expit(40 * (x - 0.68))),
}
"""Share of the whole change that is done at a scaled dose."""
CHANGES = (0.02, 0.04, 0.06, 0.08, 0.10, 0.15, 0.20, 0.30, 0.40)
WANTED = 0.80


@dataclass(frozen=True)
class CurvePower:
    """What comes of one curve: found is the share of studies in which the threshold is
    `estimated`; width, lower, upper the medians of its interval in those; true its true dose
    (median over studies, None where it is not reached); arms the median used."""

    curve: str
    true: float | None
    found: float
    width: float | None
    lower: float | None
    upper: float | None
    arms: float


@dataclass(frozen=True)
class Power:
    """What a design can find, and what that rests on.

    smallest: the smallest change from dose 0 to one dose that is told from none in 80% of studies
    (its one-sided limit lies above 0), None where none of CHANGES is; by linear interpolation.
    """

    curves: tuple[CurvePower, ...]
    smallest: float | None
    studies: int
    seed: int
    assumed: Assumed


Run = Callable[[Lab], Block]
"""How a study is run: which arms of a lab are asked for."""


def fixed(doses: Sequence[float], seeds: int) -> Run:
    """Every dose (0 to 1) with every seed."""
    return lambda lab: lab.block([(d, s) for s in range(seeds) for d in doses])


def adaptive(
    spec: Spec,
    aim: Aim,
    *,
    doses: Sequence[float],
    seeds: int,
    batch: int = 1,
    steps: int = STEPS,
) -> Run:
    """Dose after dose as `next_arms` says, until it stops; first `doses` (0 to 1) with `seeds`.

    Candidates are multiples of the highest dose / `steps`. Raises UsageError without a budget.
    """
    if aim.budget is None:
        raise UsageError("an adaptive design needs a budget of arms to be simulated")

    def run(lab: Lab) -> Block:
        arms = [(d, s) for s in range(seeds) for d in doses][: aim.budget]
        while True:
            block = lab.block(arms)
            step = next_arms(
                block, spec, aim, batch=batch, top=max(doses), steps=steps, start_seeds=seeds
            )
            if step.stop is not None:
                return block
            arms += [(d, int(s)) for d, s in step.arms]

    return run


def power(
    run: Run,
    doses: Sequence[float],
    seeds: int,
    spec: Spec,
    aim: Aim,
    assumed: Assumed,
    *,
    studies: int = 40,
    seed: int = 0,
) -> Power:
    """Simulate `studies` studies of every curve and analyse each as a real one.

    run: how arms are chosen, on doses scaled to 0 to 1. doses, seeds: the design by which the
    smallest change is found. Limits are at `spec.level`, for the threshold of `aim`.
    """
    if studies < 1:
        raise UsageError(f"{studies} studies can't show anything: give 1 or more")
    found = tuple(
        _curve(name, number, run, spec, aim, assumed, studies, seed)
        for number, name in enumerate(CURVES)
    )
    least = _smallest(doses, seeds, spec, assumed, studies, seed)
    return Power(found, least, studies, seed, assumed)


def rate_of(name: str, assumed: Assumed) -> Rate:
    """The mean rate along one of CURVES, from the clean level to the fully wrong one."""
    share = CURVES[name]

    def rate(x: Array) -> Array:
        whole = (share(x) - share(np.zeros(1))[0]) / (share(np.ones(1))[0] - share(np.zeros(1))[0])
        return np.asarray(assumed.clean + (assumed.wrong - assumed.clean) * np.minimum(whole, 1.0))

    return rate


def _curve(
    name: str,
    number: int,
    run: Run,
    spec: Spec,
    aim: Aim,
    assumed: Assumed,
    studies: int,
    seed: int,
) -> CurvePower:
    limits, true, arms = [], [], []
    for i in range(studies):
        lab = Lab(assumed.world, rate_of(name, assumed), [seed, number, i])
        block = run(lab)
        arms.append(int((block.asked.sum(axis=2) > 0).sum()))
        found = analyse_block(block, spec, extras=False)
        level = aim.benchmark if aim.threshold == "benchmark" else None
        t = next(
            t
            for t in found.thresholds
            if t.threshold == aim.threshold and t.benchmark_response == level
        )
        if t.status == "estimated" and t.lower is not None and t.upper is not None:
            limits.append((t.lower, t.upper))
        true.append(true_dose(lab, spec, aim))
    reached = [t for t in true if t is not None]
    low, high = (float(np.median([x[i] for x in limits])) if limits else None for i in (0, 1))
    return CurvePower(
        curve=name,
        true=float(np.median(reached)) if len(reached) > len(true) / 2 else None,
        found=len(limits) / studies,
        width=float(np.median([b - a for a, b in limits])) if limits else None,
        lower=low,
        upper=high,
        arms=float(np.median(arms)),
    )


def true_dose(lab: Lab, spec: Spec, aim: Aim, grid: int = 193) -> float | None:
    """The true threshold of a simulated study; None where no dose reaches it."""
    dose = np.linspace(0.0, 1.0, grid)
    rate = lab.truth(dose, spec.target)
    lost = rate - rate[0] if spec.direction == "up" else rate[0] - rate
    if aim.threshold == "benchmark":
        need = aim.benchmark
        if spec.risk == "extra" and spec.direction == "up":
            need *= 1 - float(rate[0])
        elif spec.risk != "added":
            need *= float(rate[0])
    elif aim.threshold == "parity":
        gap = float(np.nanmean(lab.base)) - float(rate[0])
        need = spec.margin + (gap if spec.direction == "up" else -gap)
    else:
        need = (0.2 if aim.threshold == "recovery" else 0.5) * float(lost[-1])
    over = np.flatnonzero(lost >= need)
    if not len(over) or np.isnan(need):
        return None
    i = int(over[0])
    if i == 0:
        return 0.0
    part = (need - lost[i - 1]) / (lost[i] - lost[i - 1])
    return float(dose[i - 1] + part * (dose[i] - dose[i - 1]))


def _smallest(
    doses: Sequence[float], seeds: int, spec: Spec, assumed: Assumed, studies: int, seed: int
) -> float | None:
    sign = 1.0 if spec.direction == "up" else -1.0
    shares = [0.0]
    for number, change in enumerate(CHANGES):
        end = float(np.clip(assumed.clean + sign * change, 0.005, 0.995))

        def rate(x: Array, end: float = end) -> Array:
            return np.asarray(np.where(x > 0, end, assumed.clean))

        told = 0
        for i in range(studies):
            lab = Lab(assumed.world, rate, [seed, 100 + number, i])
            block = lab.block([(d, s) for s in range(seeds) for d in doses])
            limit = changes(arm_means(block, spec), spec)[0].lower
            told += limit is not None and limit > 0
        share = told / studies
        if share >= WANTED:
            before = CHANGES[number - 1] if number else 0.0
            part = (WANTED - shares[-1]) / (share - shares[-1])
            return before + part * (change - before)
        shares.append(share)
    return None
