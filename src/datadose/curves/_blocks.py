"""Counts as a block of rates, seed x dose x question, and bounds on changes within it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from datadose._core import InputError
from datadose.curves._types import Spec

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

COLUMNS = ("dose", "seed", "question", "good", "asked")


@dataclass(frozen=True)
class Block:
    """Rates of one response.

    rate: [S, D, Q], NaN where a question was not asked. base: [Q], NaN where there is none.
    clusters: [Q], the number of each question's cluster. Doses rise.
    """

    doses: Array
    seeds: tuple[int, ...]
    rate: Array
    base: Array
    clusters: NDArray[np.int64]
    good: Array
    asked: Array


def to_block(frame: pl.DataFrame, spec: Spec) -> Block:
    """Check a table and arrange it; raises InputError that names the column or the value."""
    import polars as pl

    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise InputError(
            f"the table lacks the column {missing[0]!r}",
            where=f"columns: {', '.join(frame.columns)}",
            next_step=f"name the columns {', '.join(COLUMNS)}",
        )
    is_base = pl.col("dose").is_null() | (pl.col("base") if "base" in frame.columns else False)
    arms, base = frame.filter(~is_base), frame.filter(is_base)
    _check_values(arms, spec)
    cluster = "cluster" if "cluster" in frame.columns else "question"
    questions = sorted(set(frame["question"].cast(pl.String).to_list()))
    place = {q: i for i, q in enumerate(questions)}
    names = dict(
        zip(frame["question"].cast(pl.String), frame[cluster].cast(pl.String), strict=True)
    )
    numbers = {c: i for i, c in enumerate(sorted(set(names.values())))}
    doses = sorted(set(arms["dose"].to_list()))
    seeds = sorted(set(arms["seed"].to_list()))
    good = np.zeros((len(seeds), len(doses), len(questions)))
    asked = np.zeros_like(good)
    columns = [arms[c].to_list() for c in ("seed", "dose", "question", "good", "asked")]
    at_seed = {s: i for i, s in enumerate(seeds)}
    at_dose = {d: i for i, d in enumerate(doses)}
    for seed, dose, question, right, n in zip(*columns, strict=True):
        where = at_seed[seed], at_dose[dose], place[str(question)]
        good[where] += right
        asked[where] += n
    base_good, base_asked = np.zeros(len(questions)), np.zeros(len(questions))
    for question, right, n in zip(base["question"], base["good"], base["asked"], strict=True):
        base_good[place[str(question)]] += right
        base_asked[place[str(question)]] += n
    with np.errstate(invalid="ignore", divide="ignore"):
        return Block(
            doses=np.array(doses, dtype=float),
            seeds=tuple(seeds),
            rate=good / asked,
            base=base_good / base_asked,
            clusters=np.array([numbers[names[q]] for q in questions], dtype=np.int64),
            good=good,
            asked=asked,
        )


def _check_values(arms: pl.DataFrame, spec: Spec) -> None:
    for i, row in enumerate(arms.select(COLUMNS).iter_rows(named=True), 1):
        where = f"row {i} of the table"
        numbers = [row[c] for c in ("dose", "good", "asked")]
        if any(v is None or not np.isfinite(v) for v in numbers) or row["seed"] is None:
            raise InputError(f"a value is missing or not a number: {row}", where=where)
        if not 0 <= row["good"] <= row["asked"]:
            raise InputError(f"good {row['good']} is not within 0..{row['asked']}", where=where)
        if row["dose"] < 0 or (spec.axis == "share" and row["dose"] > 1):
            raise InputError(
                f"a dose of {row['dose']} is not between 0 and 1",
                where=where,
                next_step="give shares, or use axis='count'",
            )


def seed_means(values: Array) -> Array:
    """Mean over questions of [S, K, Q] values, NaN left out: [S, K]."""
    with np.errstate(invalid="ignore"):
        counts = np.sum(~np.isnan(values), axis=2)
        return np.where(counts > 0, np.nansum(values, axis=2) / np.maximum(counts, 1), np.nan)


@dataclass(frozen=True)
class Bounds:
    """Estimate and one-sided limits of K contrasts, each [K]."""

    estimate: Array
    lower: Array
    upper: Array


def contrast_bounds(values: Array, clusters: NDArray[np.int64], spec: Spec) -> Bounds:
    """Bounds on the means of K contrasts given per seed and question, [S, K, Q].

    Variance over seeds: the larger of the between-seed variance of the mean, pooled over the K
    contrasts, and what independent questions would give; Student's t with (S - 1) K degrees of
    freedom. With one seed, or where questions are a sample too (`like these`), the variance over
    question clusters is added; with one seed it is all there is. A half count is its floor.
    """
    seeds, number, questions = values.shape
    means = seed_means(values)
    with np.errstate(invalid="ignore"):
        centre = np.nanmean(means, axis=0) if means.size else np.full(number, np.nan)
    variance = np.zeros(number)
    freedom = np.inf
    if seeds > 1:
        deviation = means - centre
        per_dose = np.nansum(deviation**2, axis=0) / (seeds - 1)
        informative = per_dose > 0
        pooled = float(np.mean(per_dose[informative])) if informative.any() else 0.0
        spread = values - np.nanmean(values, axis=0, keepdims=True)
        apart = np.nansum(spread**2, axis=(0, 2)) / (seeds - 1) / max(1, questions) ** 2
        variance = np.maximum(pooled, apart) / seeds
        freedom = float((seeds - 1) * max(1, int(informative.sum())))
    if seeds == 1 or spec.target == "like these":
        between, groups = _cluster_variance(values, clusters)
        variance = variance + between
        freedom = min(freedom, max(1.0, groups - 1.0))
    variance = np.maximum(variance, (0.5 / max(1, questions)) ** 2 / max(1, seeds))
    reach = stats.t.ppf(spec.level, freedom) * np.sqrt(variance)
    return Bounds(centre, centre - reach, centre + reach)


def _cluster_variance(values: Array, clusters: NDArray[np.int64]) -> tuple[Array, int]:
    """Variance of the mean over questions, by cluster, of [S, K, Q] values averaged over seeds."""
    with np.errstate(invalid="ignore"):
        known = ~np.isnan(values)
        per_question = np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1)
    used = known.any(axis=(0, 1))
    groups = np.unique(clusters[used])
    centre = per_question[:, used].mean(axis=1) if used.any() else np.zeros(values.shape[1])
    sums = (
        np.stack(
            [
                (per_question[:, (clusters == g) & used] - centre[:, None]).sum(axis=1)
                for g in groups
            ]
        )
        if len(groups)
        else np.zeros((1, values.shape[1]))
    )
    n = max(1, int(used.sum()))
    small = len(groups) / max(1, len(groups) - 1)
    return small * (sums**2).sum(axis=0) / n**2, len(groups)
