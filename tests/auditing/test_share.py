"""The wrong share: samples, exact and joined intervals, coverage by a reduced simulation."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import UsageError
from datadose.auditing import draw_sample, inclusion, labels_alone, wrong_share
from datadose.curves import exact_limits

_spec = importlib.util.spec_from_file_location(
    "share_benchmark", Path(__file__).parents[2] / "benchmarks" / "share.py"
)
assert _spec
assert _spec.loader
simulation = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(simulation)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=60),
    st.integers(1, 5),
    st.floats(0, 0.9),
    st.integers(0, 99),
)
def test_chances_add_up_and_the_sample_has_its_size(values, size, tilt, seed) -> None:
    f = np.array(values)
    chance = inclusion(f, size, tilt=tilt)
    assert chance.sum() == pytest.approx(size)
    assert (chance > -1e-12).all()
    assert (chance <= 1).all()
    sample = draw_sample(f, size, tilt=tilt, seed=seed)
    assert len(set(sample.place)) == size
    assert sample.probability == tuple(chance[list(sample.place)])


def test_rows_are_drawn_as_often_as_their_chance_says() -> None:
    f = np.linspace(0, 1, 30) ** 2
    chance = inclusion(f, 6, tilt=0.8)
    drawn = np.zeros(30)
    for seed in range(1500):
        drawn[list(draw_sample(f, 6, tilt=0.8, seed=seed).place)] += 1
    assert np.abs(drawn / 1500 - chance).max() < 0.06


def test_a_sample_spreads_along_the_suspicion() -> None:
    f = np.linspace(0, 1, 200)
    places = sorted(draw_sample(f, 20, seed=4).place)
    assert np.diff(places).max() <= 11


def test_too_many_labels_and_a_tilt_that_leaves_rows_out_are_told() -> None:
    with pytest.raises(UsageError, match="a tilt of 1 is not between"):
        draw_sample(np.zeros(5), 3, tilt=1)
    with pytest.raises(UsageError, match="7 rows can't be drawn from 5"):
        draw_sample(np.zeros(5), 7)


def test_few_positives_give_clopper_and_pearson_of_the_labels() -> None:
    f = np.linspace(0, 1, 1000)
    sample = draw_sample(f, 60, seed=1)
    none = wrong_share(f, sample.place, [False] * 60, sample.probability)
    assert none.method == "labels alone, exact"
    assert (none.lower, none.upper) == (0.0, pytest.approx(1 - 0.025 ** (1 / 60)))
    three = wrong_share(f, sample.place, [True] * 3 + [False] * 57, sample.probability)
    assert (three.lower, three.upper) == pytest.approx(exact_limits(3, 60))
    assert exact_limits(3, 60) == pytest.approx((0.01043, 0.13917), abs=2e-4)


def test_unequal_chances_widen_the_exact_limits_and_weight_the_estimate() -> None:
    f = np.linspace(0, 1, 400)
    chance = np.where(f > 0.5, 0.20, 0.05)
    place = [i for i in range(400) if i % (5 if f[i] > 0.5 else 20) == 0]
    wrong = [bool(f[i] > 0.5) for i in place]
    found = wrong_share(f, place, wrong, chance[place])
    assert found.estimate == pytest.approx(0.5, abs=0.03)
    none = wrong_share(f, place, [False] * len(place), chance[place])
    assert none.upper == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-6)


def test_every_row_labelled_is_no_estimate() -> None:
    f = np.zeros(10)
    found = wrong_share(f, range(10), [True] * 3 + [False] * 7, np.ones(10))
    assert (found.estimate, found.lower, found.upper) == (0.3, 0.3, 0.3)
    assert found.method == "every row labelled"


@pytest.mark.parametrize(
    ("place", "wrong", "error", "message"),
    [
        ([], [], 0.0, "no row is labelled"),
        ([1, 1], [True, False], 0.0, "labelled twice"),
        ([1], [True], 0.5, "tells nothing"),
    ],
)
def test_labels_that_tell_nothing_are_refused(place, wrong, error, message) -> None:
    with pytest.raises(UsageError, match=message):
        wrong_share(np.zeros(9), place, wrong, [0.5] * len(place), labeller_error=error)


def test_a_labellers_known_error_is_taken_out() -> None:
    f = np.linspace(0, 1, 1000)
    sample = draw_sample(f, 100, seed=2)
    labels = [k < 14 for k in range(100)]
    plain = wrong_share(f, sample.place, labels, sample.probability)
    told = wrong_share(f, sample.place, labels, sample.probability, labeller_error=0.05)
    assert told.estimate == pytest.approx((plain.estimate - 0.05) / 0.9)
    assert told.upper == pytest.approx((plain.upper - 0.05) / 0.9)


def test_labels_alone_changes_to_exact_under_five() -> None:
    assert labels_alone([True] * 4 + [False] * 56).method == "labels alone, exact"
    assert labels_alone([True] * 5 + [False] * 55).method == "labels alone"


@pytest.mark.parametrize("share", [0.02, 0.10, 0.25, 0.50])
def test_reduced_simulation_covers_and_a_good_score_narrows(share: float) -> None:
    """200 audits; the full figures are benchmarks/share.py's, in docs/results/share.md."""
    cover, _, ratio = simulation.cell(200, share, 0.0, 0.0, 0.0, False)
    assert cover >= 0.90
    assert ratio <= 1.08
    cover, _, ratio = simulation.cell(200, share, 0.7, 0.0, 0.0, False)
    assert cover >= 0.90
    assert ratio <= (0.78 if share >= 0.1 else 1.05)
