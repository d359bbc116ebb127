"""Simulated studies whose true curve is known, for `make calibrate`.

The world is that of `curves.World`: effects of fact, question, seed and arm on the probit scale, so
that the true curve of the very questions asked is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit, ndtr, ndtri

from datadose.curves import Block, World
from datadose.curves._simulate import true_rate

WORLD = World()
FACTS, WORDINGS = WORLD.facts, WORLD.wordings
FACT_SD, QUESTION_SD, SLOPE_SD = WORLD.fact, WORLD.question, WORLD.slope
SEED_SD, ARM_SD, SHIFT_SD = WORLD.seed, WORLD.arm, WORLD.shift
BASE = 0.60
GRID = np.linspace(0.0, 1.0, 193)

SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flat": lambda d: 0.8 + 0 * d,
    "linear": lambda d: 0.8 - 0.6 * np.minimum(d, 1.2),
    "early drop": lambda d: 0.2 + 0.6 * np.exp(-d / 0.3),
    "late cliff": lambda d: 0.8 - 0.6 * expit(40 * (d - 0.68)),
    "sigmoid": lambda d: 0.8 - 0.6 * expit(10 * (d - 0.45)),
    "U": lambda d: 0.8 - 0.5 * np.exp(-(((d - 0.55) / 0.18) ** 2)),
    "at once": lambda d: 0.2 + 0.6 * np.exp(-d / 0.02),
    "slight": lambda d: 0.8 - 0.06 * np.minimum(d, 1.2),
    "poor": lambda d: 0.42 + 0 * d,
}
SIX = tuple(SHAPES)[:6]
"""The six whose coverage is asked for; the others are for the statuses."""


@dataclass(frozen=True)
class Cell:
    shape: str
    doses: int
    seeds: int
    target: str = "these"
    facts: int = FACTS
    shift: float = SHIFT_SD

    @property
    def number(self) -> int:
        return 100 * list(SHAPES).index(self.shape) + 10 * self.doses + self.seeds


@dataclass(frozen=True)
class Truth:
    """The curve of the questions asked, over all seeds, on GRID; and of questions like these."""

    rate: np.ndarray
    base: float


def simulate(cell: Cell, rng: np.random.Generator, grid: np.ndarray = GRID) -> tuple[Block, Truth]:
    """One study and its truth on `grid`."""
    f = SHAPES[cell.shape]
    world = replace(WORLD, shift=cell.shift)
    doses = np.linspace(0.0, 1.0, cell.doses)
    n = cell.facts * WORDINGS
    facts = np.repeat(np.arange(cell.facts), WORDINGS)
    ease = rng.normal(0, FACT_SD, cell.facts)[facts] + rng.normal(0, QUESTION_SD, n)
    slope = rng.normal(0, SLOPE_SD, cell.facts)[facts]
    seed = rng.normal(0, SEED_SD, (cell.seeds, 1, 1))
    shift = np.exp(rng.normal(0, cell.shift, (cell.seeds, 1)))
    arm = rng.normal(0, ARM_SD, (cell.seeds, cell.doses, 1))
    moved = doses * shift
    centre = ndtri(f(moved)) * np.sqrt(1 + world.spread(doses))
    eta = centre[:, :, None] + ease + doses[:, None] * slope + seed + arm
    rate = (rng.random(eta.shape) < ndtr(eta)).astype(float)
    base = (
        rng.random(n) < ndtr(ndtri(BASE) * np.sqrt(1 + world.spread(np.zeros(1))) + ease)
    ).astype(float)
    block = Block(
        doses=doses,
        seeds=tuple(str(i) for i in range(cell.seeds)),
        rate=rate,
        base=base,
        clusters=facts.astype(np.int64),
        good=rate,
        asked=np.ones_like(rate),
    )
    target = "these" if cell.target == "these" else "like these"
    true = true_rate(world, f, grid, target, ease, slope)
    return block, Truth(true, float(base.mean()))


def crossing(change: np.ndarray, level: float) -> float:
    """First dose at which `change` reaches `level`; infinite where it never does."""
    over = np.flatnonzero(change >= level)
    if not len(over):
        return np.inf
    i = int(over[0])
    if i == 0:
        return 0.0
    part = (level - change[i - 1]) / (change[i] - change[i - 1])
    return float(GRID[i - 1] + part * (GRID[i] - GRID[i - 1]))


def true_dose(truth: Truth, name: str, level: float | None) -> float | None:
    """The true threshold, None where it is not defined."""
    lost = truth.rate[0] - truth.rate
    if name == "benchmark":
        return crossing(lost, float(level or 0))
    if name == "parity":
        return crossing(-truth.rate, -(truth.base - 0.05))
    if lost[-1] < 0.10:
        return None
    return crossing(lost, (0.2 if name == "recovery" else 0.5) * lost[-1])
