"""Simulated studies whose true curve is known, for `make calibrate`.

Questions differ in ease and in how they answer to the dose, a seed shifts its whole curve up and
along the dose axis, every arm has noise of its own; all on the probit scale, so that the true curve
of the very questions asked is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr, ndtri

from datadose.curves import Block

FACTS, WORDINGS = 50, 4
FACT_SD, QUESTION_SD, SLOPE_SD = 0.7, 0.4, 0.5
SEED_SD, ARM_SD, SHIFT_SD = 0.10, 0.12, 0.05
BASE = 0.60
GRID = np.linspace(0.0, 1.0, 193)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
WEIGHTS = WEIGHTS / WEIGHTS.sum()

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


def spread(d: np.ndarray) -> np.ndarray:
    """Variance on the probit scale over questions, seeds and arms at dose d."""
    return FACT_SD**2 + QUESTION_SD**2 + (SLOPE_SD * d) ** 2 + SEED_SD**2 + ARM_SD**2


def simulate(cell: Cell, rng: np.random.Generator, grid: np.ndarray = GRID) -> tuple[Block, Truth]:
    """One study and its truth on `grid`."""
    f = SHAPES[cell.shape]
    doses = np.linspace(0.0, 1.0, cell.doses)
    n = cell.facts * WORDINGS
    facts = np.repeat(np.arange(cell.facts), WORDINGS)
    ease = rng.normal(0, FACT_SD, cell.facts)[facts] + rng.normal(0, QUESTION_SD, n)
    slope = rng.normal(0, SLOPE_SD, cell.facts)[facts]
    seed = rng.normal(0, SEED_SD, (cell.seeds, 1, 1))
    shift = np.exp(rng.normal(0, cell.shift, (cell.seeds, 1)))
    arm = rng.normal(0, ARM_SD, (cell.seeds, cell.doses, 1))
    moved = doses * shift
    centre = ndtri(f(moved)) * np.sqrt(1 + spread(doses))
    eta = centre[:, :, None] + ease + doses[:, None] * slope + seed + arm
    rate = (rng.random(eta.shape) < ndtr(eta)).astype(float)
    base = (rng.random(n) < ndtr(ndtri(BASE) * np.sqrt(1 + spread(np.zeros(1))) + ease)).astype(
        float
    )
    block = Block(
        doses=doses,
        seeds=tuple(str(i) for i in range(cell.seeds)),
        rate=rate,
        base=base,
        clusters=facts.astype(np.int64),
        good=rate,
        asked=np.ones_like(rate),
    )
    true = np.zeros_like(grid)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        centre = ndtri(f(grid * np.exp(cell.shift * node))) * np.sqrt(1 + spread(grid))
        if cell.target == "these":
            own = (centre[:, None] + ease + grid[:, None] * slope) / np.sqrt(
                1 + SEED_SD**2 + ARM_SD**2
            )
            true += weight * ndtr(own).mean(axis=1)
        else:
            true += weight * f(grid * np.exp(cell.shift * node))
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
