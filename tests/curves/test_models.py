"""Single models by maximum likelihood: known answers, limits, reported failures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from datadose._core import UsageError
from datadose.curves import fit_model, model_benchmark, model_drop, model_limits

DOSES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
ASKED = np.full(5, 1000.0)


def test_a_quantal_linear_fit_finds_the_curve_that_made_the_counts() -> None:
    rate = 0.1 + 0.9 * -np.expm1(-0.8 * DOSES)
    fit = fit_model("quantal-linear", DOSES, rate * ASKED, ASKED, upper_level=1.0)
    assert fit.lower == pytest.approx(0.1, abs=1e-4)
    # extra risk 0.1 is at -log(0.9) / rate
    assert model_benchmark(fit) == pytest.approx(-np.log(0.9) / 0.8, rel=1e-3)
    assert fit.at(DOSES) == pytest.approx(rate, abs=1e-4)
    assert fit.parameters == 2


@pytest.mark.parametrize("name", ["logistic", "probit", "log-logistic", "weibull"])
def test_free_levels_are_found(name: str) -> None:
    rate = 0.2 + 0.5 * expit(14 * (DOSES - 0.5))
    good = np.round(rate * ASKED)
    fit = fit_model(name, DOSES, good, ASKED)
    assert not fit.failure
    assert np.abs(fit.at(DOSES) - rate).max() < 0.03


@pytest.mark.parametrize("name", ["logistic", "quantal-linear", "weibull"])
def test_limits_are_where_the_likelihood_has_fallen_by_half_a_chi_square(name: str) -> None:
    good = np.array([2.0, 4.0, 9.0, 14.0, 18.0])
    asked = np.full(5, 20.0)
    levels = {"upper_level": 1.0} | ({"lower_level": 0.0} if name == "logistic" else {})
    fit = fit_model(name, DOSES, good, asked, **levels)
    centre = model_benchmark(fit)
    low, high = model_limits(fit, DOSES, good, asked, **levels)
    assert low is not None
    assert high is not None
    assert low < centre < high
    wide_low, wide_high = model_limits(fit, DOSES, good, asked, level=0.99, **levels)
    assert wide_low < low
    assert wide_high is None or wide_high > high


def test_doses_in_other_units_give_the_benchmark_in_those_units() -> None:
    good = np.array([10.0, 40.0, 90.0, 140.0, 180.0])
    asked = np.full(5, 200.0)
    one = model_benchmark(fit_model("weibull", DOSES, good, asked, upper_level=1.0))
    ten = model_benchmark(fit_model("weibull", 10 * DOSES, good, asked, upper_level=1.0))
    assert ten == pytest.approx(10 * one, rel=1e-4)


@pytest.mark.parametrize(
    ("doses", "good", "asked", "why"),
    [
        ([], [], [], "not empty"),
        ([0.0], [1.0], [2.0], "no dose above 0"),
        ([0.0, 1.0], [3.0, 1.0], [2.0, 2.0], "not within"),
        ([0.0, np.nan], [1.0, 1.0], [2.0, 2.0], "not a number"),
    ],
)
def test_what_can_not_be_fitted_says_why(doses, good, asked, why: str) -> None:
    fit = fit_model("logistic", np.array(doses), np.array(good), np.array(asked))
    assert why in fit.failure
    assert model_benchmark(fit) is None


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UsageError, match="choose from"):
        fit_model("parabola", DOSES, ASKED, ASKED)


def test_counts_at_the_ends_do_not_break_the_search() -> None:
    for good in (np.zeros(5), ASKED):
        fit = fit_model("log-logistic", DOSES, good, ASKED)
        assert fit.failure or np.isfinite(fit.log_likelihood)


def test_half_way_between_the_levels_is_where_the_distribution_is_at_a_half() -> None:
    # a logistic about 0.5, from 0.2 to 0.7
    good = np.round((0.2 + 0.5 * expit(14 * (DOSES - 0.5))) * ASKED)
    levels = {"lower_level": 0.2, "upper_level": 0.7}
    fit = fit_model("logistic", DOSES, good, ASKED, **levels)
    asked_for = {"response": 0.5, "risk": "range"}
    centre = model_benchmark(fit, **asked_for)
    assert centre == pytest.approx(0.5, abs=0.01)
    low, high = model_limits(fit, DOSES, good, ASKED, **asked_for, **levels)
    assert low < centre < high


@pytest.mark.parametrize("name", ["probit", "quantal-linear", "log-logistic"])
def test_the_profile_has_fallen_by_what_the_level_says_at_its_limits(name: str) -> None:
    good = np.array([2.0, 4.0, 9.0, 14.0, 18.0])
    asked = np.full(5, 20.0)
    levels = {"upper_level": 1.0} | ({"lower_level": 0.0} if name == "probit" else {})
    fit = fit_model(name, DOSES, good, asked, **levels)
    centre = model_benchmark(fit)
    assert model_drop(fit, centre, DOSES, good, asked, **levels) == pytest.approx(0, abs=1e-4)
    for limit in model_limits(fit, DOSES, good, asked, **levels):
        drop = model_drop(fit, limit, DOSES, good, asked, **levels)
        assert drop == pytest.approx(stats.chi2.ppf(0.9, 1) / 2, abs=0.01)
