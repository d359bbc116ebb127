"""Power: simulated studies are what they are said to be, and what was assumed is told."""

from __future__ import annotations

import numpy as np
import pytest

from datadose._core import UsageError
from datadose.curves import Aim, Assumed, Lab, Spec, World, adaptive, assume, fixed, power
from datadose.curves._power import rate_of, true_dose

DOWN = Spec("domain", "down")
FIVE = np.linspace(0, 1, 5).tolist()


def test_an_arm_depends_on_its_seed_and_dose_alone() -> None:
    one, other = (Lab(World(), rate_of("middle", Assumed()), [1]) for _ in range(2))
    late = other.block([(1.0, 2), (0.0, 0)])
    early = one.block([(0.0, 0), (0.5, 1), (1.0, 2)])
    assert (late.rate[0, 0] == early.rate[0, 0]).all()
    assert (late.rate[1, 1] == early.rate[2, 2]).all()
    assert np.isnan(early.rate[0, 1]).all()


def test_the_truth_is_the_mean_over_many_seeds() -> None:
    lab = Lab(World(facts=10, wordings=2, shift=0.1), rate_of("middle", Assumed()), [2])
    block = lab.block([(d, s) for s in range(400) for d in (0.0, 0.5, 1.0)])
    truth = lab.truth(np.array([0.0, 0.5, 1.0]))
    assert block.rate.mean(axis=(0, 2)) == pytest.approx(truth, abs=0.012)


def test_more_seeds_and_doses_find_more() -> None:
    found = [
        power(fixed(d, s), d, s, DOWN, Aim(), Assumed(World(facts=20)), studies=6)
        for d, s in ((FIVE[::2], 2), (np.linspace(0, 1, 9).tolist(), 4))
    ]
    few, many = ({c.curve: c for c in f.curves} for f in found)
    assert many["middle"].width < few["middle"].width
    assert found[1].smallest < found[0].smallest
    assert many["late cliff"].arms == 36
    assert many["late cliff"].lower < many["late cliff"].true < many["late cliff"].upper


def test_power_is_seeded_and_follows_the_budget() -> None:
    aim = Aim(width=0.01, budget=12)
    run = adaptive(DOWN, aim, doses=[0.0, 0.5, 1.0], seeds=3)
    first, again = (
        power(run, [0.0, 0.5, 1.0], 3, DOWN, aim, Assumed(World(facts=20)), studies=2)
        for _ in range(2)
    )
    assert first == again
    assert all(9 < c.arms <= 12 for c in first.curves)
    with pytest.raises(UsageError, match="budget"):
        adaptive(DOWN, Aim(width=0.1), doses=[0.0, 0.5, 1.0], seeds=3)


def test_components_of_an_earlier_run_are_found_again() -> None:
    world = World(facts=60, fact=0.5, question=0.8, seed=0.3, arm=0.25, shift=0.05)
    lab = Lab(world, rate_of("middle", Assumed(clean=0.7, wrong=0.3)), [3])
    block = lab.block([(d, s) for s in range(20) for d in FIVE])
    found = assume(block, DOWN)
    assert found.world.question == pytest.approx(0.8, abs=0.15)
    assert found.world.fact == pytest.approx(0.5, abs=0.2)
    assert found.world.arm == pytest.approx(0.25, abs=0.06)
    assert found.world.seed == pytest.approx(0.3, abs=0.12)
    assert (found.clean, found.wrong) == pytest.approx((0.7, 0.3), abs=0.1)
    assert found.source["slope"] == "default"


def test_one_seed_leaves_the_spread_of_seeds_to_the_defaults() -> None:
    lab = Lab(World(), rate_of("middle", Assumed()), [4])
    found = assume(lab.block([(d, 0) for d in FIVE]), DOWN)
    assert found.source["seed"] == found.source["fact"] == "default"
    assert found.source["clean"] == "estimated"
    assert assume(None, DOWN).world == World()


def test_the_true_dose_is_where_the_loss_is_reached() -> None:
    lab = Lab(World(shift=0.0), lambda x: np.full_like(x, 0.8), [5])
    assert true_dose(lab, DOWN, Aim()) is None
    lab = Lab(World(shift=0.0), rate_of("late cliff", Assumed()), [5])
    half = true_dose(lab, DOWN, Aim("ed50"))
    assert half == pytest.approx(0.68, abs=0.02)
