"""The parts of the engine against known answers: means, shapes, profile, checks beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from datadose.curves import Block, Means, Spec, analyse_block, arm_means, profile, ratio_limits
from datadose.curves._bootstrap import resampled_means
from datadose.curves._change_point import GAIN, held_out
from datadose.curves._contrasts import peak
from datadose.curves._profile import band, turn_limits
from datadose.curves._random_effects import random_effects
from datadose.curves._shapes import FAMILIES, inverse, library, shape
from datadose.curves._student import t_quantile, t_tail

DOWN = Spec("domain", "down")
FIVE = np.linspace(0, 1, 5)


def block(
    rates: np.ndarray,
    rng: np.random.Generator,
    *,
    seeds: int = 3,
    facts: int = 30,
    each: int = 4,
    ease: float = 0.8,
    arm: float = 0.1,
    seed: float = 0.1,
) -> Block:
    """Answers to facts x each questions, logit effects of question, seed and arm."""
    n = facts * each
    own = rng.normal(0, ease, facts).repeat(each)
    doses = np.linspace(0, 1, len(rates))
    eta = np.log(rates / (1 - rates))[:, None] + own
    eta = eta + rng.normal(0, seed, (seeds, 1, 1)) + rng.normal(0, arm, (seeds, len(rates), 1))
    good = (rng.random(eta.shape) < expit(eta)).astype(float)
    return Block(
        doses=doses,
        seeds=tuple(map(str, range(seeds))),
        rate=good,
        base=np.full(n, np.nan),
        clusters=np.arange(facts).repeat(each),
        good=good,
        asked=np.ones_like(good),
    )


def test_balanced_means_are_plain_means() -> None:
    own = block(np.array([0.8, 0.7, 0.5, 0.3, 0.2]), np.random.default_rng(0))
    means = arm_means(own, DOWN)
    assert -means.worse == pytest.approx(own.rate.mean(axis=(0, 2)))
    assert np.linalg.eigvalsh(means.cov).min() > 0


def test_a_missing_arm_borrows_its_seed_from_the_others() -> None:
    """Seed 1 is 0.2 lower everywhere; where it is missing, the mean must not jump up."""
    good = np.zeros((2, 3, 100))
    for s, level in enumerate((90, 70)):
        for d, loss in enumerate((0, 20, 40)):
            good[s, d, : level - loss] = 1
    rate = good.copy()
    rate[1, 1] = np.nan
    own = Block(
        FIVE[[0, 2, 4]],
        ("0", "1"),
        rate,
        np.full(100, np.nan),
        np.arange(100),
        good,
        np.where(np.isnan(rate), 0.0, 1.0),
    )
    means = arm_means(own, DOWN)
    assert -means.worse[1] == pytest.approx(0.6, abs=0.03)


def test_the_covariance_of_changes_is_that_of_repeated_studies() -> None:
    rates = np.array([0.8, 0.75, 0.6, 0.4, 0.3])
    rng = np.random.default_rng(1)
    ease = rng.normal(0, 0.8, 30)
    changes, variances = [], []
    for _ in range(300):
        eta = np.log(rates / (1 - rates))[:, None] + ease.repeat(4) + rng.normal(0, 0.2, (3, 5, 1))
        good = (rng.random(eta.shape) < expit(eta)).astype(float)
        own = replace(block(rates, rng), rate=good, good=good)
        change, se = arm_means(own, DOWN).change()
        changes.append(change[1:])
        variances.append(se[1:] ** 2)
    ratio = np.mean(variances, axis=0) / np.var(changes, axis=0)
    # a little large: the spread of seeds along the dose is never taken as 0
    assert (ratio > 0.8).all()
    assert (ratio < 1.6).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_inverses_undo_shapes(name: str) -> None:
    place, slope = np.array([0.4, 0.4]), np.array([2.0, 9.0])
    x = np.array([0.41, 0.45])
    p = shape.get(name)(x, place, slope)
    assert inverse.get(name)(p, place, slope) == pytest.approx(x)


def test_shapes_rise_and_are_dense() -> None:
    lib = library(tuple(FIVE))
    assert (np.diff(lib.rise, axis=0) >= -1e-12).all()
    rng = np.random.default_rng(2)
    for _ in range(30):
        place, slope = rng.uniform(0.1, 0.9), rng.uniform(3, 30)
        true = expit(slope * (FIVE - place))
        true = true - true[0]
        scale = true @ lib.rise / np.einsum("dk,dk->k", lib.rise, lib.rise)
        assert np.abs(true[:, None] - scale * lib.rise).max(axis=0).min() < 0.02


def sharp(worse: np.ndarray, sd: float) -> Means:
    doses = np.linspace(0, 1, len(worse))
    return Means(doses, worse, np.eye(len(worse)) * sd**2, 1e6, 1e6)


def test_limits_close_in_on_the_truth_as_errors_shrink() -> None:
    doses = np.linspace(0, 1, 9)
    worse = 0.6 * (expit(10 * (doses - 0.45)) - expit(-4.5))
    true = 0.45 + np.log((0.1 / 0.6 + expit(-4.5)) / (1 - 0.1 / 0.6 - expit(-4.5))) / 10
    widths = []
    for sd in (0.03, 0.01, 0.003):
        limits = ratio_limits(profile(sharp(worse, sd), 0.95), 0.1, 1.0, 0.0)
        assert limits.upper is not None
        assert limits.lower <= true <= limits.upper
        widths.append(limits.upper - limits.lower)
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] < 0.03


def test_a_cliff_in_a_gap_leaves_the_whole_gap_open() -> None:
    limits = ratio_limits(
        profile(sharp(np.array([0, 0, 0.6, 0.6, 0.6]), 0.01), 0.95), 0.1, 1.0, 0.0
    )
    assert limits.lower == pytest.approx(0.25, abs=0.03)
    assert limits.upper == pytest.approx(0.5, abs=0.03)


def test_what_is_never_reached_has_no_upper_limit() -> None:
    limits = ratio_limits(profile(sharp(np.zeros(5), 0.01), 0.95), 0.1, 1.0, 0.0)
    assert limits.beyond
    assert limits.upper is None
    assert limits.p > 0.5


def test_half_of_the_change_is_at_the_middle_of_a_straight_line() -> None:
    limits = turn_limits(profile(sharp(0.6 * FIVE, 0.01), 0.95), 0.5)
    assert limits.estimate == pytest.approx(0.5, abs=0.02)


def test_the_band_holds_the_curve_and_grows_with_the_errors() -> None:
    grid = np.linspace(0, 1, 21)
    widths = []
    for sd in (0.01, 0.04):
        value, low, high = band(profile(sharp(0.6 * FIVE, sd), 0.95), grid)
        assert (low <= 0.6 * grid + 1e-9).all()
        assert (high >= 0.6 * grid - 1e-9).all()
        assert (low <= value).all()
        widths.append((high - low).mean())
    assert widths[1] > 2 * widths[0]


def test_a_curve_that_turns_back_is_cut_at_its_peak() -> None:
    assert peak(sharp(np.array([0, 0.1, 0.5, 0.1, 0]), 0.02)) == 2
    assert peak(sharp(np.array([0, 0.1, 0.3, 0.5, 0.49]), 0.02)) is None


def test_extra_risk_is_fiellers_where_the_clean_rate_is_uncertain() -> None:
    worse = 0.3 + 0.5 * FIVE
    added = ratio_limits(profile(sharp(worse, 0.02), 0.95), 0.1, 1.0, 0.0)
    extra = ratio_limits(profile(sharp(worse, 0.02), 0.95), 0.1, 1.0, -1.0)
    # 0.1 of the 0.7 that is left, on a line of slope 0.5
    assert extra.estimate == pytest.approx(0.14, abs=0.03)
    assert extra.lower < 0.14 < extra.upper
    assert extra.estimate < added.estimate


def test_students_t_is_scipys() -> None:
    assert t_quantile(0.95, 7.5) == pytest.approx(stats.t.ppf(0.95, 7.5))
    assert t_tail(1.3, 7.5) == pytest.approx(stats.t.sf(1.3, 7.5))


def test_resampled_means_spread_as_seeds_and_facts_do() -> None:
    own = block(np.array([0.8, 0.6, 0.4]), np.random.default_rng(3), seeds=6, facts=60)
    draws = resampled_means(own, own.rate, 4000, 0)
    assert draws.mean(axis=0) == pytest.approx(own.rate.mean(axis=(0, 2)), abs=0.01)
    by_fact = own.rate.mean(axis=0).reshape(3, 60, 4).mean(axis=2).var(axis=1) / 60
    by_seed = own.rate.mean(axis=2).var(axis=0) / 6
    assert draws.var(axis=0) == pytest.approx(by_fact + by_seed, rel=0.35)
    again = resampled_means(own, own.rate, 4000, 0)
    assert np.array_equal(draws, again)


def test_random_effects_find_the_spread_that_made_the_answers() -> None:
    rates = np.array([0.85, 0.7, 0.5, 0.35, 0.2])
    rng = np.random.default_rng(4)
    own = block(rates, rng, seeds=5, facts=200, each=1, ease=1.0, arm=0.3, seed=0.0)
    fit = random_effects(own.good, own.asked)
    assert not fit.failure
    assert fit.sd_question == pytest.approx(1.0, abs=0.2)
    assert fit.sd_arm == pytest.approx(0.3, abs=0.12)
    assert fit.rate == pytest.approx(own.rate.mean(axis=(0, 2)), abs=0.02)


def test_random_effects_say_why_they_fail() -> None:
    one = block(np.array([0.8, 0.5, 0.2]), np.random.default_rng(5), seeds=1)
    assert "dose of its own" in random_effects(one.good, one.asked).failure
    sure = np.ones((3, 3, 20))
    assert random_effects(sure, sure).failure


def test_a_change_point_is_told_from_a_straight_line() -> None:
    nine = np.linspace(0, 1, 9)
    bent = 0.85 - np.maximum(nine - 0.5, 0) * 1.3
    straight = 0.85 - 0.65 * nine
    found, false = 0, 0
    for i in range(25):
        rng = np.random.default_rng([6, i])
        own = block(bent, rng)
        found += held_out(own, -own.rate, DOWN) > GAIN
        own = block(straight, rng)
        false += held_out(own, -own.rate, DOWN) > GAIN
    assert found >= 23
    assert false <= 4


def test_one_seed_is_marked_and_adds_nothing_of_other_seeds() -> None:
    own = block(np.array([0.8, 0.7, 0.5, 0.3, 0.2]), np.random.default_rng(7), seeds=1)
    found = analyse_block(own, DOWN)
    assert {t.note for t in found.thresholds if t.status != "not defined"} == {
        "conditional on this seed"
    }


def test_every_family_says_why_it_is_out() -> None:
    own = block(np.array([0.9, 0.9, 0.89, 0.2, 0.2]), np.random.default_rng(8), facts=100)
    families = analyse_block(own, DOWN).diagnostics["families"]
    assert [f["family"] for f in families] == [*FAMILIES, "flat"]
    out = {f["family"]: f["failure"] for f in families}
    assert out["flat"] == "ruled out by the data"
    assert out["quantal-linear"] == "ruled out by the data"
    assert sum(f.get("weight", 0.0) for f in families) == pytest.approx(1.0)
