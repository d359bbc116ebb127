"""Agreement and corrected rates: against hand-worked tables, exact limits, and planted truth."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from datadose._core import InputError
from datadose.curves import (
    JudgedCounts,
    accuracy,
    correct_rates,
    exact_limits,
    judged_counts,
)


@pytest.fixture(scope="module")
def planted():
    path = Path(__file__).parents[2] / "benchmarks" / "judge_calibration.py"
    spec = importlib.util.spec_from_file_location("judge_calibration", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def counts(dose: float, flagged, asked, hits, missed, alarms, cleared) -> JudgedCounts:
    given = (flagged, asked, hits, missed, alarms, cleared)
    return JudgedCounts(dose, *(np.asarray(x, dtype=float) for x in given))


def test_accuracy_by_hand() -> None:
    """The fourfold table of 20, 5, 10, 15 has kappa 0.4."""
    truth = [True] * 25 + [False] * 25
    verdicts = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    a = accuracy(truth, verdicts)
    assert (a.hits, a.missed, a.false_alarms, a.cleared) == (20, 5, 10, 15)
    assert a.kappa == pytest.approx(0.4)
    assert a.kappa_lower < 0.4 < a.kappa_upper
    assert (a.precision.rate, a.recall.rate, a.specificity.rate) == (20 / 30, 0.8, 0.6)
    exact = binomtest(20, 25).proportion_ci(0.95, "exact")
    assert (a.recall.lower, a.recall.upper) == pytest.approx((exact.low, exact.high))
    assert a.youden_lower == pytest.approx(a.recall.lower + a.specificity.lower - 1)


def test_clusters_widen_the_limits_and_never_narrow_them() -> None:
    truth = [True] * 40
    verdicts = [True] * 20 + [False] * 20
    alone = accuracy(truth, verdicts)
    apart = accuracy(truth, verdicts, [str(i // 10) for i in range(40)])
    mixed = accuracy(truth, verdicts, [str(i % 4) for i in range(40)])
    assert apart.recall.lower < alone.recall.lower - 0.1
    assert mixed.recall.lower <= alone.recall.lower + 1e-12


def test_perfect_agreement_has_an_open_lower_limit() -> None:
    a = accuracy([True, False] * 20, [True, False] * 20)
    assert a.kappa == pytest.approx(1)
    assert 0.7 < a.kappa_lower < 1
    assert a.kappa_upper > 0.99
    assert accuracy([True] * 5, [True] * 5).kappa is None


def test_exact_limits_are_those_of_scipy() -> None:
    for good, asked in [(0, 10), (3, 10), (10, 10)]:
        expected = binomtest(good, asked).proportion_ci(0.95, "exact")
        assert exact_limits(good, asked) == pytest.approx((expected.low, expected.high))
    assert exact_limits(0, 0) == (0.0, 1.0)


def test_the_estimate_is_rogan_and_gladens() -> None:
    # sensitivity 0.8, specificity 0.9, judged 0.24: (0.24 + 0.9 - 1) / (0.8 + 0.9 - 1) = 0.2
    own = counts(0, [24], [100], [8], [2], [9], [81])
    calibration = counts(0, [0], [100], [80], [20], [10], [90])
    [moved] = correct_rates([own], calibration=calibration)
    assert moved.estimate == pytest.approx(0.2)
    assert moved.status == "transported"
    assert moved.lower < 0.2 < moved.upper
    assert moved.p_sensitivity is None
    [here] = correct_rates([own])
    assert here.estimate == pytest.approx(0.2)
    assert here.status == "corrected"


def test_a_perfect_judge_leaves_the_exact_limits() -> None:
    [rate] = correct_rates([counts(0, [7], [60], [7e6], [0], [0], [53e6])])
    exact = binomtest(7, 60).proportion_ci(0.95, "exact")
    assert rate.estimate == pytest.approx(7 / 60)
    assert (rate.lower, rate.upper) == pytest.approx((exact.low, exact.high), abs=0.01)


def test_different_errors_are_corrected_dose_by_dose() -> None:
    """The judge tosses a coin at dose 1; labels of that dose still give its rate."""
    low = counts(0, [5] * 10, [50] * 10, [2] * 10, [0] * 10, [0] * 10, [18] * 10)
    high = counts(1, [20] * 10, [50] * 10, [5] * 10, [5] * 10, [5] * 10, [5] * 10)
    found = correct_rates([low, high])
    assert [r.method for r in found] == ["own", "own"]
    assert found[0].p_sensitivity < 0.01
    assert found[0].p_specificity < 0.01
    # two fifths flagged, half of them bad; of the others half
    assert found[1].estimate == pytest.approx(0.4 * 0.5 + 0.6 * 0.5)
    assert (found[1].sensitivity.rate, found[1].specificity.rate) == (0.5, 0.5)


def test_a_useless_judge_is_unidentified_and_labels_still_speak() -> None:
    [rate] = correct_rates([counts(0, [50], [100], [10], [10], [20], [20])])
    assert (rate.status, rate.estimate, rate.lower, rate.upper) == ("unidentified", None, 0, 1)
    assert rate.labelled.rate == pytest.approx(20 / 60)
    assert "was not shown to tell" in rate.note


def test_where_errors_differ_a_dose_without_labels_is_unidentified() -> None:
    low = counts(0, [5] * 10, [50] * 10, [2] * 10, [0] * 10, [0] * 10, [18] * 10)
    high = counts(1, [25] * 10, [50] * 10, [4] * 10, [6] * 10, [6] * 10, [4] * 10)
    bare = counts(0.5, [9] * 10, [50] * 10, *([0] * 10 for _ in range(4)))
    found = correct_rates([low, bare, high])
    assert [r.status for r in found] == ["corrected", "unidentified", "corrected"]
    with pytest.raises(InputError, match="no answer is labelled"):
        correct_rates([bare])


@pytest.mark.parametrize("errors", ["equal", "dose-dependent"])
@pytest.mark.parametrize("target", ["these", "like"])
def test_corrected_rates_cover_the_truth(planted, errors: str, target: str) -> None:
    """A small part of benchmarks/judge_calibration.py; docs/results/judges.md has 2,000 studies."""
    found = planted.cover(errors, planted.MANY, target, 80, 3, moved=False)
    assert [c.prevalence for c in found] == [0, 0.01, 0.05, 0.3]
    assert sum(c.identified for c in found) == 4 * 80
    assert sum(c.covered for c in found) >= 0.93 * 4 * 80
    assert all(c.share >= 0.9 for c in found)
    assert found[0].raw_covered < 8


def test_counts_of_a_table() -> None:
    table = pl.DataFrame(
        {
            "dose": [0.0, 0.0, 0.0, 1.0, 1.0],
            "question": ["a", "a", "b", "a", "b"],
            "verdict": [True, False, None, True, True],
            "label": [True, None, True, False, None],
        }
    )
    low, high = judged_counts(table)
    assert (low.flagged.tolist(), low.asked.tolist()) == ([1, 0], [2, 1])
    assert (low.hits.tolist(), low.missed.tolist()) == ([1, 0], [0, 1])
    assert (high.alarms.tolist(), high.cleared.tolist()) == ([1, 0], [0, 0])
    with pytest.raises(InputError, match="no column label"):
        judged_counts(table.drop("label"))
