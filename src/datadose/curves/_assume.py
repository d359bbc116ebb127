"""What a planned study is assumed to be like: estimated from an earlier one, or by default."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.special import ndtri

from datadose.curves._blocks import Block
from datadose.curves._means import LEAST_SPREAD, arm_means
from datadose.curves._simulate import World
from datadose.curves._types import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

INSIDE = 0.05
FINE = 400


@dataclass(frozen=True)
class Assumed:
    """A world, the mean rates at dose 0 and at the highest dose, and where each number is from.

    source: name to `default` or `estimated`.
    """

    world: World = field(default_factory=World)
    clean: float = 0.80
    wrong: float = 0.20
    source: dict[str, str] = field(default_factory=dict)


def assume(block: Block | None, spec: Spec) -> Assumed:
    """Levels and standard deviations as they were in `block`; defaults for what it can't tell.

    Questions that two seeds answered give the spread of facts and wordings (from how often two
    seeds agree, as a tetrachoric correlation: Pearson 1900), arms of two seeds those of arms,
    seeds and shifts. `slope` is always the default.
    """
    up = spec.direction == "up"
    plain = Assumed(World(), *((0.05, 0.50) if up else (0.80, 0.20)))
    names = ("clean", "wrong", "fact", "question", "slope", "seed", "arm", "shift", "base")
    source = dict.fromkeys(names, "default")
    if block is None or not len(block.doses):
        return replace(plain, source=source)
    rate = np.array([np.nanmean(r) if (~np.isnan(r)).any() else np.nan for r in _by_dose(block)])
    if block.doses[0] == 0 and not np.isnan(rate[0]):
        plain, source["clean"] = replace(plain, clean=_within(rate[0])), "estimated"
    if len(rate) > 1 and not np.isnan(rate[-1]):
        plain, source["wrong"] = replace(plain, wrong=_within(rate[-1])), "estimated"
    world = plain.world
    if not np.isnan(block.base).all():
        world = replace(world, base=_within(float(np.nanmean(block.base))))
        source["base"] = "estimated"
    same, other = _agreement(block, rate)
    if np.isfinite(same):
        whole = same / (1 - same)
        top = max(float(block.doses[-1]), 1e-12)
        along = world.slope**2 * float(np.mean((block.doses / top) ** 2))
        fact = whole * (min(other / same, 1.0) if same > 0 and np.isfinite(other) else 1.0)
        world = replace(
            world,
            fact=float(np.sqrt(max(fact - along, 0.0))),
            question=float(np.sqrt(max(whole - fact, 0.0))),
        )
        source["fact"] = source["question"] = "estimated"
    parts = arm_means(block, spec).parts
    if parts is not None:
        p = np.clip(rate[~np.isnan(rate)], INSIDE, 1 - INSIDE)
        total = 1 + float(world.spread(np.array(0.5)))
        height = float(np.mean(stats.norm.pdf(ndtri(p)) ** 2)) / total
        spread = float(np.maximum(p * (1 - p), LEAST_SPREAD).mean())
        own = max(0.0, parts.rest - parts.single) * spread
        world = replace(
            world,
            arm=float(np.sqrt(own / height)),
            seed=float(np.sqrt(parts.seed / height)),
            shift=float(np.sqrt(parts.shift)),
        )
        source |= {"arm": "estimated", "seed": "estimated", "shift": "estimated"}
    return replace(plain, world=world, source=source)


def _within(rate: float) -> float:
    return float(np.clip(rate, 0.01, 0.99))


def _by_dose(block: Block) -> list[Array]:
    return [block.rate[:, d] for d in range(len(block.doses))]


def _agreement(block: Block, rate: Array) -> tuple[float, float]:
    """Latent correlation of two seeds' answers to one question, and to two of one fact."""
    same, other = [], []
    for d, own in enumerate(_by_dose(block)):
        asked = own[~np.isnan(own).all(axis=1)]
        if len(asked) < 2 or np.isnan(asked).any() or not INSIDE < rate[d] < 1 - INSIDE:
            continue
        pairs = len(asked) * (len(asked) - 1)
        both = (asked.sum(axis=0) ** 2 - (asked**2).sum(axis=0)) / pairs
        same.append(_latent(float(both.mean()), float(rate[d])))
        sums = np.zeros((len(asked), int(block.clusters.max()) + 1))
        np.add.at(sums.T, block.clusters, asked.T)
        size = np.bincount(block.clusters)
        every = float((sums.sum(axis=0) ** 2 - (sums**2).sum(axis=0)).sum()) / pairs
        apart = float((size * (size - 1)).sum())
        if apart > 0:
            other.append(_latent((every - float(both.sum())) / apart, float(rate[d])))
    nan = float("nan")
    return (
        float(np.clip(np.mean(same), 0.0, 0.95)) if same else nan,
        float(np.clip(np.mean(other), 0.0, 0.95)) if other else nan,
    )


def _latent(both: float, rate: float) -> float:
    """The correlation at which two normal variables lie below one point with chance `both`."""
    rho = np.linspace(-0.95, 0.98, FINE)
    h = float(ndtri(rate))
    density = np.exp(-(h**2) / (1 + rho)) / (2 * np.pi * np.sqrt(1 - rho**2))
    steps = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(rho))])
    joint = steps - np.interp(0.0, rho, steps) + rate**2
    return float(np.interp(both, joint, rho))
