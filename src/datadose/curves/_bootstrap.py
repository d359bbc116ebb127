"""Seed x fact bootstrap of thresholds: the diagnostic beside the profile.

A resampled seed carries its whole dose curve, a resampled cluster all its questions and arms.
Refits search the shapes near the full fit at fixed weights, all resamples at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from datadose._core import generator
from datadose.curves._blocks import Block
from datadose.curves._profile import Profile, whitener

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NEAR = 30.0
"""Shapes whose chi-square exceeds the best by more are left out of the refits."""
CHUNK = 250
MOST = 4000


def resampled_means(block: Block, values: Array, resamples: int, seed: int) -> Array:
    """Dose means of `resamples` draws of seeds and question clusters, [resamples, D].

    A dose that a draw leaves without answers keeps NaN.
    """
    rng = generator(seed, "bootstrap")
    known = ~np.isnan(values)
    seeds, doses, _ = values.shape
    groups = int(block.clusters.max()) + 1 if len(block.clusters) else 1
    sums, counts = np.zeros((seeds, groups, doses)), np.zeros((seeds, groups, doses))
    filled = np.where(known, values, 0.0)
    for s in range(seeds):
        np.add.at(sums[s], block.clusters, filled[s].T)
        np.add.at(counts[s], block.clusters, known[s].T.astype(float))
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).astype(float)
    by_group = rng.multinomial(groups, np.full(groups, 1 / groups), size=resamples).astype(float)
    total, number = np.zeros((resamples, doses)), np.zeros((resamples, doses))
    for s in range(seeds):
        total += by_seed[:, [s]] * (by_group @ sums[s])
        number += by_seed[:, [s]] * (by_group @ counts[s])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / number)


def bootstrap_limits(
    fitted: Profile,
    draws: Array,
    ratios: Mapping[str, tuple[float, float, float]],
    turns: Mapping[str, float],
    level: float,
) -> dict[str, tuple[float | None, float | None]]:
    """Percentile limits, one-sided at `level`, of thresholds named as in `_profile`.

    draws: [B, D] resampled means. ratios: name to (fraction, constant, slope); turns: name to
    share. A limit is None where the quantile falls on draws that never reach the threshold.
    """
    p, s = fitted, fitted.shapes
    near = np.flatnonzero(p.chi - p.best <= NEAR)
    near = near[:: max(1, len(near) // MOST)]
    if not len(near) or not len(draws):
        return dict.fromkeys([*ratios, *turns], (None, None))
    y = np.where(np.isnan(draws), p.means.worse, draws)
    white = whitener(p.means.cov)
    one = white.sum(axis=1)
    rise = white @ s.rise[:, near]
    y = white @ y.T
    size = float(one @ one)
    tilt = one @ rise / size
    across = rise - one[:, None] * tilt
    norm = np.maximum(np.einsum("dk,dk->k", across, across), 1e-12)
    unit = across / np.sqrt(norm)
    best = np.empty(y.shape[1], dtype=np.int64)
    gain = np.empty(y.shape[1])
    for start in range(0, y.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        score = y[:, part].T @ unit
        best[part] = score.argmax(axis=1)
        gain[part] = score.max(axis=1)
    change = gain / np.sqrt(norm[best])
    level_at_zero = one @ y / size - tilt[best] * change
    chosen = near[best]
    whole = s.rise[-1, chosen]
    places: dict[str, Array] = {}
    for name, (fraction, constant, slope) in ratios.items():
        need = fraction * (constant + slope * level_at_zero)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(change > 0, need / change, np.inf)
        hit = ratio <= whole
        at = np.full(len(chosen), np.inf)
        at[hit] = s.reach(chosen[hit], np.maximum(ratio[hit], 0.0))
        places[name] = at
    for name, share in turns.items():
        places[name] = np.where(change > 0, s.turns[share][chosen], np.inf)
    return {name: _percentiles(at, level, p.top) for name, at in places.items()}


def _percentiles(at: Array, level: float, top: float) -> tuple[float | None, float | None]:
    ordered = np.sort(at)
    n = len(ordered)
    low = float(ordered[int(np.floor((1 - level) * (n - 1)))])
    high = float(ordered[int(np.ceil(level * (n - 1)))])
    return (
        max(0.0, low) * top if np.isfinite(low) else None,
        high * top if np.isfinite(high) else None,
    )
