"""Studies with known truth: answers of simulated arms, for power and for the benchmarks.

Questions differ in ease and in how they answer to the dose, a seed shifts its whole curve up and
along the dose axis, every arm has noise of its own; all on the probit scale, so that the true curve
of the very questions asked is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import ndtr, ndtri

from datadose.curves._blocks import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Rate = Callable[["Array"], "Array"]
"""The mean rate over all questions and seeds at scaled doses (0 to 1), within (0, 1)."""

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
LOWEST = 1e-4


@dataclass(frozen=True)
class World:
    """What a study asks and how much its parts differ: standard deviations on the probit scale.

    fact, question, seed, arm: of a fact's ease, of a wording's beside its fact's, of a whole
    seed, and of one arm. slope: of how strongly a fact answers to a dose of 1. shift: of a seed's
    place along the log dose. base: rate of the base model, None where it is not asked.
    """

    facts: int = 50
    wordings: int = 4
    fact: float = 0.7
    question: float = 0.4
    slope: float = 0.5
    seed: float = 0.10
    arm: float = 0.12
    shift: float = 0.05
    base: float | None = 0.60

    def spread(self, dose: Array) -> Array:
        """Variance over questions, seeds and arms at doses of 0 to 1."""
        own = self.fact**2 + self.question**2 + self.seed**2 + self.arm**2
        return np.asarray(own + (self.slope * dose) ** 2)


class Lab:
    """One simulated study: its questions are drawn once, its arms as they are asked for.

    An arm's answers depend on `stream`, its seed's number and its dose only, not on when or with
    what others it is asked for. Doses lie between 0 and 1.
    """

    def __init__(self, world: World, rate: Rate, stream: Sequence[int]) -> None:
        self.world, self.rate, self.stream = world, rate, tuple(stream)
        rng = np.random.default_rng([*self.stream, 0])
        each = world.facts * world.wordings
        self.clusters = np.repeat(np.arange(world.facts), world.wordings)
        self.ease = rng.normal(0, world.fact, world.facts)[self.clusters]
        self.ease = self.ease + rng.normal(0, world.question, each)
        self.slope = rng.normal(0, world.slope, world.facts)[self.clusters]
        self.base = np.full(each, np.nan)
        if world.base is not None:
            self.base = self._answers(np.array(world.base), np.zeros(()), 0.0, rng)
        self._seeds: dict[int, tuple[float, float]] = {}
        self._arms: dict[tuple[float, int], Array] = {}

    def _answers(self, rate: Array, dose: Array, moved: float, rng: np.random.Generator) -> Array:
        centre = _centre(rate, dose, self.world)
        eta = centre + self.ease + dose * self.slope + moved
        return (rng.random(len(eta)) < ndtr(eta)).astype(float)

    def _seed(self, seed: int) -> tuple[float, float]:
        if seed not in self._seeds:
            rng = np.random.default_rng([*self.stream, 1, seed])
            level, along = rng.normal(0, self.world.seed), rng.normal(0, self.world.shift)
            self._seeds[seed] = float(level), float(np.exp(along))
        return self._seeds[seed]

    def arm(self, dose: float, seed: int) -> Array:
        """Right (1) and wrong (0) answers of an arm, one a question."""
        if (dose, seed) not in self._arms:
            level, along = self._seed(seed)
            rng = np.random.default_rng([*self.stream, 2, seed, round(dose * 1e6)])
            own = level + rng.normal(0, self.world.arm)
            at = np.array(dose)
            self._arms[dose, seed] = self._answers(self.rate(at * along), at, own, rng)
        return self._arms[dose, seed]

    def block(self, arms: Sequence[tuple[float, int]]) -> Block:
        """The answers of `arms`, each a dose and a seed's number."""
        doses = np.array(sorted({d for d, _ in arms}))
        seeds = sorted({s for _, s in arms})
        good = np.full((len(seeds), len(doses), len(self.ease)), np.nan)
        for dose, seed in arms:
            good[seeds.index(seed), int(np.searchsorted(doses, dose))] = self.arm(dose, seed)
        return Block(
            doses=doses,
            seeds=tuple(map(str, seeds)),
            rate=good,
            base=self.base,
            clusters=self.clusters.astype(np.int64),
            good=np.nan_to_num(good),
            asked=(~np.isnan(good)).astype(float),
        )

    def truth(self, grid: Array, target: Literal["these", "like these"] = "these") -> Array:
        """The mean rate over all seeds at the doses of `grid`, of these questions or all alike."""
        return true_rate(self.world, self.rate, grid, target, self.ease, self.slope)


def true_rate(
    world: World,
    rate: Rate,
    grid: Array,
    target: Literal["these", "like these"],
    ease: Array,
    slope: Array,
) -> Array:
    """The rate over seeds at the doses of `grid`, of questions with this ease and slope [Q]."""
    true = np.zeros_like(grid)
    rest = np.sqrt(1 + world.seed**2 + world.arm**2)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        moved = rate(grid * np.exp(world.shift * node))
        if target == "these":
            centre = _centre(moved, grid, world)
            own = (centre[:, None] + ease + grid[:, None] * slope) / rest
            true += weight * ndtr(own).mean(axis=1)
        else:
            true += weight * moved
    return true


def _centre(rate: Array, dose: Array, world: World) -> Array:
    """The probit at which the mean over all effects is `rate`."""
    return np.asarray(ndtri(np.clip(rate, LOWEST, 1 - LOWEST)) * np.sqrt(1 + world.spread(dose)))
