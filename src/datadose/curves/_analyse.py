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
from datadose.curves._fits import GRID, monotone_curve
from datadose.curves._means import Means, arm_means, oriented
from datadose.curves._profile import Profile, band, profile, ratio_limits, turn_limits
from datadose.curves._shapes import FAMILIES
from datadose.curves._status import (
    ALIVE,
    EQUIVALENT,
    LEVELS,
    Ground,
    all_undefined,
    judged,
    undefined,
)
from datadose.curves._student import t_quantile
from datadose.curves._types import Analysis, Contrast, Curve, Point, Spec, Threshold

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
    base = _base_point(block, spec) if extras else None
    if not len(block.doses) or np.isnan(block.rate).all():
        return Analysis(spec, (), base, (), all_undefined(spec, "no arm"))
    points = _points(block, spec) if extras else ()
    worse = oriented(block, spec)
    means = arm_means(block, spec)
    note = means.note
    if means.doses[0] != 0 or len(means.doses) < 2:
        why = "dose 0 was not run" if means.doses[0] != 0 else "only one dose was run"
        found = tuple(replace(t, note=note) for t in all_undefined(spec, why))
        curves = _curves(points, means, None, spec) if extras else ()
        return _in_units(Analysis(spec, points, base, curves, found))
    work = _Work.of(block, means, worse, spec, control)
    found = work.thresholds(extras)
    curves = _curves(points, means, work.whole, spec) if extras else ()
    diagnostics = work.diagnostics(extras)
    made = Analysis(spec, points, base, curves, found, diagnostics, tuple(work.contrasts))
    return _in_units(made)


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
            found["families"] = _families(self.rising, self.ratio(0.10))
            found["change_point"] = self.scores
            found["bootstrap"] = self._bootstrap()
        return found

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


def _points(block: Block, spec: Spec) -> tuple[Point, ...]:
    """Pooled rate of every dose, with limits over seeds and question clusters."""
    means = arm_means(block, replace(spec, target="like these"))
    sign = 1.0 if spec.direction == "up" else -1.0
    reach = t_quantile(spec.level, means.level_freedom) * np.sqrt(np.diag(means.cov))
    ran = np.asarray((~np.isnan(block.rate)).any(axis=2))
    made = []
    for i, dose in enumerate(means.doses):
        j = int(np.flatnonzero(block.doses == dose)[0])
        rate = sign * float(means.worse[i])
        low, high = _bounded(rate, float(reach[i]), len(np.unique(block.clusters)), spec)
        made.append(
            Point(
                float(dose),
                rate,
                low,
                high,
                round(float(block.good[:, j].sum())),
                round(float(block.asked[:, j].sum())),
                int(ran[:, j].sum()),
            )
        )
    return tuple(made)


def _bounded(rate: float, reach: float, clusters: int, spec: Spec) -> tuple[float, float]:
    """Limits of a rate within 0 and 1; at 0 and 1 those of Wilson 1927 over clusters."""
    if spec.scale == "continuous":
        return rate - reach, rate + reach
    if rate <= 0.0 or rate >= 1.0:
        z = float(stats.norm.ppf(spec.level))
        away = z * z / (clusters + z * z)
        return (0.0, away) if rate <= 0.0 else (1.0 - away, 1.0)
    return max(0.0, rate - reach), min(1.0, rate + reach)


def _base_point(block: Block, spec: Spec) -> Point | None:
    known = ~np.isnan(block.base)
    if not known.any():
        return None
    one = Block(
        doses=np.zeros(1),
        seeds=("base",),
        rate=block.base[None, None, known],
        base=block.base[known],
        clusters=block.clusters[known],
        good=block.base[None, None, known],
        asked=np.ones((1, 1, int(known.sum()))),
    )
    return replace(_points(one, spec)[0], dose=-1.0)


def _curves(
    points: tuple[Point, ...], means: Means, fitted: Profile | None, spec: Spec
) -> tuple[Curve, ...]:
    rates = np.array([p.rate for p in points])
    weights = 1 / np.maximum(np.diag(means.cov), 1e-18)
    monotone = monotone_curve(means.doses, rates, weights, spec.direction == "up")
    if fitted is None:
        return (monotone,)
    grid = np.linspace(0.0, float(means.doses[-1]), GRID)
    value, low, high = band(fitted, grid)
    if spec.direction == "down":
        value, low, high = -value, -high, -low
    if spec.scale == "rate":
        value, low, high = (np.clip(v, 0.0, 1.0) for v in (value, low, high))
    places, rates_there, lows, highs = (tuple(map(float, v)) for v in (grid, value, low, high))
    averaged = Curve("averaged", places, rates_there, lows, highs)
    return (averaged, monotone)


def _families(fitted: Profile, ratio: tuple[float, float, float]) -> list[dict[str, Any]]:
    """Best member of every family: its fit, weight and benchmark dose, or why it has none."""
    p = fitted
    made = []
    for number, name in enumerate(FAMILIES):
        own = np.flatnonzero(p.shapes.family[p.kept] == number)
        if not len(own):
            made.append({"family": name, "weight": 0.0, "failure": "ruled out by the data"})
            continue
        k = own[int(p.chi[p.kept[own]].argmin())]
        fraction, constant, slope = ratio
        rise = fraction * (constant + slope * p.level[k]) / p.change[k]
        reached = 0 < rise <= p.shapes.rise[-1, p.kept[k]]
        at = p.shapes.reach(p.kept[[k]], np.array([rise]))[0] * p.top if reached else None
        made.append(
            {
                "family": name,
                "chi_square": float(p.chi[p.kept[k]]),
                "weight": float(p.weight[own].sum()),
                "place": float(p.shapes.place[p.kept[k]]) * p.top,
                "benchmark": None if at is None else float(at),
                "failure": "" if reached else "does not reach the benchmark response",
            }
        )
    made.append(
        {
            "family": "flat",
            "chi_square": p.flat,
            "failure": "" if p.flat_kept else "ruled out by the data",
        }
    )
    return made


def _in_units(found: Analysis) -> Analysis:
    """Values of a continuous response back in the table's own units."""
    unit = found.spec.unit
    if found.spec.scale == "rate" or unit == 1.0:
        return found

    def point(p: Point) -> Point:
        return replace(p, rate=p.rate * unit, lower=p.lower * unit, upper=p.upper * unit)

    def curve(c: Curve) -> Curve:
        ends = [None if v is None else tuple(x * unit for x in v) for v in (c.lower, c.upper)]
        return replace(c, rate=tuple(x * unit for x in c.rate), lower=ends[0], upper=ends[1])

    return replace(
        found,
        points=tuple(map(point, found.points)),
        base=None if found.base is None else point(found.base),
        curves=tuple(map(curve, found.curves)),
    )
