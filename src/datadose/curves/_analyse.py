"""Thresholds with limits and statuses from one response's table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from datadose.curves._blocks import Block, to_block
from datadose.curves._bootstrap import bootstrap_limits, resampled_means
from datadose.curves._change_point import change_point
from datadose.curves._contrasts import (
    KEEP,
    changes,
    equivalent,
    lost_gains,
    parities,
    peak,
    recoveries,
)
from datadose.curves._means import Means, arm_means, oriented
from datadose.curves._profile import Profile, profile, ratio_limits, turn_limits
from datadose.curves._random_effects import random_effects
from datadose.curves._show import base_point, curves_of, families, in_units, points_of
from datadose.curves._status import (
    ALIVE,
    EQUIVALENT,
    LEVELS,
    Ground,
    all_undefined,
    judged,
    undefined,
)
from datadose.curves._types import Analysis, Contrast, Spec, Threshold

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def analyse(frame: pl.DataFrame, spec: Spec, *, control: pl.DataFrame | None = None) -> Analysis:
    """Rates, curves and thresholds of one response.

    frame: columns dose (null for the base model), seed, question, good, asked (or `value` on a
    continuous scale); optional cluster, base, data_seed and train_seed in place of seed. `good`
    counts right answers for direction `down`, bad ones for `up`. control: the same for a
    positive control; without one the highest dose serves. docs/thresholds.md has the rules.
    Raises InputError for a table that can't be read.
    """
    block = to_block(frame, spec)
    return analyse_block(block, spec, control=None if control is None else to_block(control, spec))


def analyse_block(
    block: Block, spec: Spec, *, control: Block | None = None, extras: bool = True
) -> Analysis:
    """`analyse` of a block; without `extras` no curve, bootstrap or change point is computed."""
    base = base_point(block, spec) if extras else None
    if not len(block.doses) or np.isnan(block.rate).all():
        return Analysis(spec, (), base, (), all_undefined(spec, "no arm"))
    points = points_of(block, spec) if extras else ()
    worse = oriented(block, spec)
    means = arm_means(block, spec)
    note = means.note
    if means.doses[0] != 0 or len(means.doses) < 2:
        why = "dose 0 was not run" if means.doses[0] != 0 else "only one dose was run"
        found = tuple(replace(t, note=note) for t in all_undefined(spec, why))
        curves = curves_of(points, means, None, spec) if extras else ()
        return in_units(Analysis(spec, points, base, curves, found))
    work = _Work.of(block, means, worse, spec, control)
    found = work.thresholds(extras)
    curves = curves_of(points, means, work.whole, spec) if extras else ()
    diagnostics = work.diagnostics(extras)
    made = Analysis(spec, points, base, curves, found, diagnostics, tuple(work.contrasts))
    return in_units(made)


@dataclass
class _Work:
    """What the thresholds of one response share."""

    block: Block
    spec: Spec
    means: Means
    worse: Array
    whole: Profile
    rising: Profile
    gap: Means | None
    gain: Contrast
    contrasts: list[Contrast]
    ground: Ground
    scores: dict[str, Any]

    @classmethod
    def of(
        cls, block: Block, means: Means, worse: Array, spec: Spec, control: Block | None
    ) -> _Work:
        at = peak(means)
        whole = profile(means, spec.level)
        moved = changes(means, spec)
        gap = _gap(block, worse, spec)
        contrasts = [*moved, *(recoveries(means, spec) if _full(means, spec) else [])]
        if gap is not None:
            contrasts += [*parities(gap, spec), *lost_gains(gap, spec)]
        alive = _control_move(block, spec, control, moved[-1])
        ground = Ground(means.doses, alive, equivalent(moved, EQUIVALENT), means.note)
        rising = whole if at is None else profile(means.cut(at), spec.level)
        return cls(block, spec, means, worse, whole, rising, gap, moved[-1], contrasts, ground, {})

    def ratio(self, fraction: float) -> tuple[float, float, float]:
        """A benchmark as change = fraction x (constant + slope x level): those three."""
        up = self.spec.direction == "up"
        if self.spec.risk == "added":
            return fraction, 1.0, 0.0
        if self.spec.risk == "extra" and up:
            return fraction, 1.0, -1.0
        return fraction, 0.0, (1.0 if self.means.worse[0] > 0 else -1.0)

    def thresholds(self, extras: bool) -> tuple[Threshold, ...]:
        spec = self.spec
        most = 1.0 if spec.scale == "rate" else np.inf
        ground = self.ground
        if self.rising is not self.whole:
            ground = replace(ground, doses=self.rising.means.doses)
        found = [
            judged(
                ratio_limits(self.rising, *self.ratio(b), most=most), ground, spec, "benchmark", b
            )
            for b in LEVELS
        ]
        found += [self._turn("recovery", 1 - KEEP), self._turn("ed50", 0.5)]
        found.append(self._parity(most))
        if extras:
            found.append(self._change_point())
        return tuple(found)

    def _turn(self, name: str, share: float) -> Threshold:
        if not _full(self.means, self.spec):
            return undefined(self.spec, name, "dose 1 was not run")
        gain = self.gain
        if gain.lower is None or not gain.lower >= ALIVE:
            why = (
                f"clean training gains {gain.estimate:.2f} over fully wrong training,"
                f" lower limit {gain.lower:.2f}, at least {ALIVE} is needed"
            )
            return replace(undefined(self.spec, name, why), note=self.ground.note)
        return judged(turn_limits(self.whole, round(share, 9)), self.ground, self.spec, name)

    def _parity(self, most: float) -> Threshold:
        spec, gap = self.spec, self.gap
        if gap is None:
            return undefined(spec, "parity", "the base model was not asked the same questions")
        at_zero = parities(gap, spec)[0]
        if at_zero.lower is not None and at_zero.lower > spec.margin:
            why = f"the clean arm is {at_zero.estimate:.2f} worse than the base"
            made = undefined(spec, "parity", why)
            return replace(made, status="worse at dose 0", note=self.ground.note)
        at = peak(gap)
        cut = gap if at is None else gap.cut(at)
        fitted = profile(cut, spec.level, freedom=gap.level_freedom)
        limits = ratio_limits(fitted, 1.0, spec.margin, -1.0, most=most)
        if at_zero.upper is not None and at_zero.upper > spec.margin:
            limits = replace(limits, lower=0.0)
        return judged(limits, replace(self.ground, doses=cut.doses), spec, "parity")

    def _change_point(self) -> Threshold:
        limits, why, self.scores = change_point(self.block, self.means, self.worse, self.spec)
        made = undefined(self.spec, "change_point", why)
        made = replace(made, note=self.ground.note)
        if limits is None:
            return made
        if limits.upper is None or limits.lower <= 0:
            why = "its place is open at an end of the tested doses"
            return replace(made, status="inconclusive", why=why)
        return judged(limits, self.ground, self.spec, "change_point")

    def diagnostics(self, extras: bool) -> dict[str, Any]:
        means, whole = self.means, self.whole
        lack = max(0.0, whole.best)
        rest = len(means.doses) - 4
        found: dict[str, Any] = {
            "interval": "profile over shapes",
            "freedom": means.freedom,
            "sd_arm": means.sd_arm,
            "sd_seed": means.sd_seed,
            "control_lower": self.ground.control,
            "lack_of_fit": {
                "chi_square": lack,
                "freedom": max(rest, 0),
                "p": float(stats.chi2.sf(lack, rest)) if rest > 0 else None,
            },
            "not_monotone_above": None
            if self.rising is whole
            else float(self.rising.means.doses[-1]),
        }
        if extras:
            found["families"] = families(self.rising, self.ratio(0.10))
            found["change_point"] = self.scores
            found["bootstrap"] = self._bootstrap()
            found["random_effects"] = self._random_effects()
        return found

    def _random_effects(self) -> dict[str, Any]:
        """Benchmark dose from a model with random arms and questions, at the same profile."""
        if self.spec.scale == "continuous":
            return {"failure": "for counts only"}
        fit = random_effects(self.block.good, self.block.asked)
        if fit.failure:
            return {"failure": fit.failure}
        sign = 1.0 if self.spec.direction == "up" else -1.0
        own = replace(self.means, worse=sign * fit.rate, cov=fit.cov)
        own = own.cut(len(self.rising.means.doses) - 1)
        limits = ratio_limits(profile(own, self.spec.level), *self.ratio(0.10))
        return {
            "sd_arm": fit.sd_arm,
            "sd_question": fit.sd_question,
            "benchmark 0.1": {
                "estimate": limits.estimate,
                "lower": limits.lower,
                "upper": limits.upper,
            },
        }

    def _bootstrap(self) -> dict[str, Any]:
        draws = resampled_means(self.block, self.worse, self.spec.resamples, self.spec.seed)
        if draws.shape[1] != len(self.means.doses):
            return {}
        last = len(self.rising.means.doses)
        ratios = {f"benchmark {b:g}": self.ratio(b) for b in LEVELS}
        level = self.spec.level
        found = bootstrap_limits(self.rising, draws[:, :last], ratios, {}, level)
        turns = {"recovery": 0.2, "ed50": 0.5}
        found |= bootstrap_limits(self.whole, draws, {}, turns, level)
        return {name: {"lower": a, "upper": b} for name, (a, b) in found.items()}


def _full(means: Means, spec: Spec) -> bool:
    return spec.axis == "count" or float(means.doses[-1]) == 1.0


def _gap(block: Block, worse: Array, spec: Spec) -> Means | None:
    """Means of the difference from the base model, paired by question."""
    if np.isnan(block.base).all():
        return None
    base = block.base if spec.direction == "up" else -block.base
    gap = worse - base
    if np.isnan(gap).all() or np.isnan(gap[:, 0]).all():
        return None
    made = arm_means(block, spec, gap)
    return made if len(made.doses) > 1 else None


def _control_move(block: Block, spec: Spec, control: Block | None, top: Contrast) -> float:
    """Lower limit of how far the positive control moved the response from dose 0."""
    if control is None:
        return top.lower if top.lower is not None else float("nan")
    shared = [s for s in block.seeds if s in control.seeds]
    if not shared or block.rate.shape[2] != control.rate.shape[2] or not len(control.doses):
        return float("nan")
    own = [block.seeds.index(s) for s in shared]
    other = [control.seeds.index(s) for s in shared]

    def both(a: Array, b: Array) -> Array:
        return np.concatenate([a[own, :1], b[other, -1:]], axis=1)

    pair = replace(
        block,
        doses=np.array([0.0, 1.0]),
        seeds=tuple(shared),
        rate=both(block.rate, control.rate),
        good=both(block.good, control.good),
        asked=both(block.asked, control.asked),
    )
    if np.isnan(pair.rate).all(axis=(0, 2)).any():
        return float("nan")
    lower = changes(arm_means(pair, spec), spec)[-1].lower
    return float("nan") if lower is None else lower
