"""Is there a threshold at all, or a straight decline? A line against a change point, held out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from datadose.curves._blocks import Block
from datadose.curves._means import Means, arm_means
from datadose.curves._profile import Limits, inflation
from datadose.curves._student import t_quantile
from datadose.curves._types import Spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PLACES = 16
FOLDS = 5
GAIN = 2.0
"""Held-out log-likelihood by which a change point must beat a straight line."""


def _designs(x: Array) -> tuple[Array, Array]:
    """Places between the first and the last dose, and the design [1, x, (x - place)+] of each."""
    places = np.concatenate(
        [a + (b - a) * (np.arange(PLACES) + 0.5) / PLACES for a, b in pairwise(x)]
    )
    # a bend before the second or after the last but one dose can't be told from a level
    inside = (places > x[0] + (x[1] - x[0]) / 2) & (places < x[-1] - (x[-1] - x[-2]) / 2)
    places = places[inside]
    bend = np.maximum(x - places[:, None], 0.0)
    flat = np.broadcast_to(np.stack([np.ones_like(x), x]), (len(places), 2, len(x)))
    return places, np.concatenate([flat, bend[:, None]], axis=1)


def _fit(designs: Array, y: Array, precision: Array) -> tuple[Array, Array]:
    """Generalised least squares of every design [K, P, D]: coefficients and chi-squares."""
    a = designs @ precision @ designs.transpose(0, 2, 1)
    b = designs @ precision @ y
    found = np.linalg.solve(a, b[..., None])[..., 0]
    chi = y @ precision @ y - np.einsum("kp,kp->k", found, b)
    return np.asarray(found), np.asarray(chi)


def held_out(block: Block, values: Array, spec: Spec) -> float:
    """Log-likelihood gain of a change point over a straight line, summed over held-out parts.

    Parts are seeds; with one seed (or arms that differ between seeds) folds of question clusters.
    The level of each part is left free, so that a seed's own shift counts for neither. The place
    of the change point is averaged by likelihood, not picked. NaN where no part can be held out.
    """
    known = np.asarray((~np.isnan(values)).any(axis=2))
    full = known.all(axis=1)
    parts: list[tuple[Block, Block]] = []
    if full.sum() > 1:
        for s in np.flatnonzero(full):
            rest = np.arange(len(block.seeds)) != s
            parts.append((_seeds(block, rest), _seeds(block, ~rest)))
    else:
        for fold in range(FOLDS):
            out = block.clusters % FOLDS == fold
            if out.any() and not out.all():
                parts.append((_questions(block, ~out), _questions(block, out)))
    x = block.doses / block.doses[-1]
    _, bent = _designs(x)
    line = bent[:1, :2]
    total, used = 0.0, 0
    whole = arm_means(block, spec)
    for train, test in parts:
        seen, unseen = arm_means(train, spec), arm_means(test, spec)
        if len(seen.doses) != len(x) or len(unseen.doses) != len(x):
            continue
        used += 1
        share = len(parts)
        old = np.asarray(np.linalg.inv(whole.cov * share / max(share - 1, 1)), dtype=float)
        new = np.asarray(np.linalg.inv(whole.cov * share), dtype=float)
        ones = new.sum(axis=1)
        new = new - np.outer(ones, ones) / ones.sum()
        scores = []
        for designs in (line, bent):
            found, chi = _fit(designs, seen.worse, old)
            miss = unseen.worse - np.einsum("kp,kpd->kd", found, designs)
            score = -np.einsum("kd,de,ke->k", miss, new, miss) / 2
            prior = -(chi - chi.min()) / 2
            top = float((score + prior).max())
            scores.append(
                top + float(np.log(np.exp(score + prior - top).sum() / np.exp(prior).sum()))
            )
        total += scores[1] - scores[0]
    return total if used else float("nan")


def _seeds(block: Block, keep: NDArray[np.bool_]) -> Block:
    return replace(
        block,
        seeds=tuple(s for s, k in zip(block.seeds, keep, strict=True) if k),
        rate=block.rate[keep],
        good=block.good[keep],
        asked=block.asked[keep],
    )


def _questions(block: Block, keep: NDArray[np.bool_]) -> Block:
    return replace(
        block,
        rate=block.rate[:, :, keep],
        base=block.base[keep],
        clusters=block.clusters[keep],
        good=block.good[:, :, keep],
        asked=block.asked[:, :, keep],
    )


def change_point(
    block: Block, means: Means, values: Array, spec: Spec
) -> tuple[Limits | None, str, dict[str, Any]]:
    """Limits of the place where the course changes, or why there is none, and the scores."""
    if len(means.doses) < 4 or len(means.doses) != len(block.doses):
        return None, "a change point needs four doses", {}
    x = means.doses / means.doses[-1]
    gain = held_out(block, values, spec)
    scores = {"held_out_gain": gain, "needed": GAIN}
    if np.isnan(gain):
        why = "nothing can be held out: one seed and one cluster, or parts that lack a dose"
        return None, why, scores
    if not gain > GAIN:
        why = f"held-out data gain {gain:.1f} log-likelihood over a straight line, not {GAIN:g}"
        return None, why, scores
    places, designs = _designs(x)
    _, chi = _fit(designs, means.worse, np.asarray(np.linalg.inv(means.cov), dtype=float))
    reach = inflation(len(x)) * t_quantile(spec.level, means.freedom) ** 2
    kept = chi - chi.min() <= reach
    weight = np.exp(-(chi - chi.min()) / 2)
    half = float(means.doses[-1])
    inside = places[kept]
    edge = places[0], places[-1]
    lower = 0.0 if inside[0] == edge[0] else float(inside[0])
    upper = None if inside[-1] == edge[1] else float(inside[-1]) * half
    estimate = float(weight @ places / weight.sum()) * half
    return Limits(estimate, lower * half, upper, False, float("nan")), "", scores
