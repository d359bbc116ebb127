"""The next dose: where it goes, when it stops, and that what it expects can be had."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from datadose._core import InputError, UsageError
from datadose.curves import (
    Aim,
    Curve,
    Lab,
    Spec,
    Step,
    World,
    arm_means,
    next_arms,
    next_doses,
    profile,
)
from datadose.curves._expect import Expectation, levelled, members, noise
from datadose.curves._sight import sight as sight_of
from datadose.curves._steps import _options

DOWN = Spec("domain", "down")
START = [(d, s) for s in range(3) for d in (0.0, 0.5, 1.0)]
TWO = [(d, s) for d, s in START if s < 2]


def cliff(x: np.ndarray) -> np.ndarray:
    return 0.8 - 0.6 * expit(40 * (x - 0.68))


def lab(stream: int = 0, rate=cliff, **world: float) -> Lab:
    return Lab(World(**{"facts": 40, "wordings": 2, **world}), rate, [stream])


def grow(own: Lab, aim: Aim, **options: int) -> tuple[list[tuple[float, int]], Step]:
    arms = list(START if options.get("start_seeds") == 3 else TWO)
    while True:
        step = next_arms(own.block(arms), DOWN, aim, **options)
        if step.stop is not None:
            return arms, step
        arms += [(d, int(s)) for d, s in step.arms]


def test_a_study_starts_at_0_middle_and_1() -> None:
    own = lab().block([(0.0, 0)])
    step = next_arms(own, DOWN, Aim())
    assert {*step.arms, (0.0, "0")} == {(d, str(s)) for d, s in TWO}
    three = next_arms(own, DOWN, Aim(), start_seeds=3)
    assert {*three.arms, (0.0, "0")} == {(d, str(s)) for d, s in START}
    assert next_arms(own, DOWN, Aim(budget=4)).arms == step.arms[:3]


def test_a_step_is_whole_seeds_and_lies_in_the_gap_of_the_cliff() -> None:
    own = lab()
    for _ in range(2):
        step = next_arms(own.block(START), DOWN, Aim())
        doses = {d for d, _ in step.arms}
        assert len(doses) == 1
        assert 0.5 < doses.pop() < 1.0
        assert [s for _, s in step.arms] == ["0", "1", "2"]
        assert step.expected < step.width


def test_every_seed_has_dose_0() -> None:
    arms, _ = grow(lab(shift=0.1), Aim(width=0.02, budget=26))
    assert all((0.0, s) in arms for s in {s for _, s in arms})
    assert len(set(arms)) == len(arms) <= 26


def test_two_seeds_are_never_enough_to_stop_on_width() -> None:
    own = lab()
    block = own.block(TWO)
    wide = Aim(width=0.9)
    assert next_arms(block, DOWN, Aim()).width < 0.9
    step = next_arms(block, DOWN, wide)
    assert step.stop is None
    assert {s for _, s in step.arms} == {"2"}
    assert "fewer than 3 seeds" in step.why
    spent = next_arms(block, DOWN, Aim(width=0.9, budget=7))
    assert (spent.stop, spent.arms) == ("budget", ())
    after = own.block([*TWO, *((d, int(s)) for d, s in step.arms)])
    assert next_arms(after, DOWN, wide).stop == "width"


def test_a_new_seed_comes_with_dose_0_and_doses_that_were_run() -> None:
    arms = [*TWO, *((d, s) for d in (0.7, 0.65) for s in range(2))]
    new = _options(arms, np.array([0.5, 0.6, 0.65, 0.7, 1.0]), 2, None, few=True)
    assert {(len(o), o[0]) for o in new} == {(2, (0.0, 2)), (3, (0.0, 2))}
    assert {d for o in new for d, _ in o} == {0.0, 0.5, 0.65, 0.7, 1.0}
    every = _options(arms, np.array([0.5, 0.6, 1.0]), 2, 2, few=False)
    assert ((0.6, 0), (0.6, 1)) in every
    assert all(len(o) == 2 for o in every)


def test_half_the_weight_is_spread_over_the_thresholds_range() -> None:
    sight = sight_of(lab().block(TWO), DOWN, Aim())
    found = members(sight.fitted, sight.place, np.array([0.0, 0.5, 1.0]))
    even = levelled(found)
    assert even.weight.sum() == pytest.approx(1)
    assert (even.weight >= found.weight / 2 - 1e-12).all()
    low, high = found.place[found.weight > 0].min(), found.place[found.weight > 0].max()
    places = np.linspace(low, high, 5)[1:-1]
    more = [abs(np.interp(0.5, np.cumsum(w), p) - places[1]) for p, w in _by_place(found, even)]
    assert more[1] <= more[0] + 0.02


def _by_place(*found):
    for m in found:
        order = np.argsort(m.place)
        yield m.place[order], m.weight[order]


def test_it_stops_on_width_on_budget_and_where_nothing_is_reached() -> None:
    arms, step = grow(lab(), Aim(width=0.25, budget=40))
    assert step.stop == "width"
    assert step.width <= 0.25
    assert len(arms) < 27
    arms, step = grow(lab(), Aim(width=0.001, budget=13))
    assert step.stop == "budget"
    assert len(arms) <= 13
    flat = next_arms(lab(rate=lambda x: 0.8 + 0 * x).block(START), DOWN, Aim())
    assert flat.stop == "beyond" or flat.width is None


def test_a_batch_is_at_least_as_many_arms() -> None:
    step = next_arms(lab().block(START), DOWN, Aim(), batch=5)
    assert len(step.arms) >= 5
    assert len(set(step.arms)) == len(step.arms)


def test_choice_depends_on_the_answers_alone() -> None:
    block = lab().block(START)
    assert next_arms(block, DOWN, Aim()) == next_arms(block, DOWN, Aim())


def test_what_new_arms_add_is_the_chi_square_of_the_larger_design() -> None:
    """Added chi-square equals the difference of chi-squares with and without the new arms."""
    own = lab()
    sight = sight_of(own.block(START), DOWN, Aim())
    curves = members(sight.fitted, sight.place, np.array([0.0, 0.5, 0.7, 1.0]))
    spread = noise(sight.fitted, curves, 0.95, rate=True)
    ahead = Expectation(curves, spread, START)

    def cov(doses: list[float]) -> np.ndarray:
        at = [ahead.at(d) for d in doses]
        shared = spread.seed + np.outer(spread.along[at], spread.along[at])
        return shared + np.diag(spread.rest[at])

    def chi(doses: list[float], off: np.ndarray) -> float:
        x = off[[ahead.at(d) for d in doses]]
        return float(x @ np.linalg.solve(cov(doses), x))

    truth = int(ahead.truths[0])
    off = curves.value[:, 5] - curves.value[:, truth]
    before, after = [0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 0.7]
    assert ahead.added(((0.7, 1),))[0, 5] == pytest.approx(chi(after, off) - chi(before, off))
    assert ahead.added(((0.0, 9), (0.7, 9)))[0, 5] == pytest.approx(chi([0.0, 0.7], off))
    both = ahead.added(((0.7, 0), (0.7, 1)))[0, 5]
    assert both == pytest.approx(2 * (chi(after, off) - chi(before, off)))


def test_members_keep_the_outermost_curves_and_all_weight() -> None:
    means = arm_means(lab().block(START), DOWN)
    fitted = profile(means, 0.95)
    sight = sight_of(lab().block(START), DOWN, Aim())
    found = members(fitted, sight.place, means.doses)
    assert found.weight.sum() == pytest.approx(1)
    assert found.place.min() == pytest.approx(max(0.0, sight.place.min()))
    assert found.place.max() == pytest.approx(min(1.0, sight.place.max()))


def table(doses: list[float], seeds: list[str], up: bool = False) -> pl.DataFrame:
    own = lab()
    lines = []
    for seed in seeds:
        for dose in doses:
            for i, good in enumerate(own.arm(dose / max(1, max(doses)), seeds.index(seed))):
                line = {"dose": dose, "seed": seed, "question": f"q{i}", "cluster": f"f{i // 2}"}
                lines.append({**line, "good": int(good) ^ up, "asked": 1})
    return pl.DataFrame(lines)


def test_tables_from_elsewhere() -> None:
    names = ["a", "b", "c"]
    step = next_doses(table([0, 0.5, 1], names))
    assert [s for _, s in step.arms] in (names, ["new-1", "new-1"])
    counts = next_doses(table([0, 40, 80], names), axis="count")
    assert all(d == round(d) and d <= 80 for d, _ in counts.arms)
    rising = table([0, 0.5, 1], names, up=True)
    assert next_doses(rising, up=True).arms
    for threshold in ("recovery", "ed50"):
        assert next_doses(table([0, 0.5, 1], names), threshold=threshold).arms


def test_an_empty_table_starts_and_odd_ones_are_told() -> None:
    head = {c: [] for c in ("dose", "seed", "question", "good", "asked")}
    assert len(next_doses(pl.DataFrame(head)).arms) == 6
    with pytest.raises(InputError, match="lacks the column 'asked'"):
        next_doses(pl.DataFrame({c: [] for c in ("dose", "seed", "question", "good")}))
    with pytest.raises(UsageError, match="no threshold is called"):
        next_doses(pl.DataFrame(head), threshold="lethal")
    with pytest.raises(UsageError, match="width"):
        next_doses(table([0, 0.5, 1], ["a", "b"]), width=0.0)
    with pytest.raises(InputError, match="base model"):
        next_doses(table([0, 0.5, 1], ["a", "b"]), threshold="parity")
    with pytest.raises(InputError, match="highest"):
        next_doses(pl.DataFrame(head), axis="count")


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_degenerate_tables_give_a_step_or_a_stop(level: float) -> None:
    lines = [
        {"dose": d, "seed": s, "question": f"q{i}", "good": level, "asked": 1}
        for d in (0.0, 0.5, 1.0)
        for s in range(2)
        for i in range(4)
    ]
    step = next_doses(pl.DataFrame(lines))
    assert step.arms or step.stop


def test_a_prior_moves_the_choice_and_never_the_limits() -> None:
    block = lab().block(START)
    plain = next_arms(block, DOWN, Aim())
    dose = tuple(np.linspace(0, 1, 41).tolist())
    late = tuple(np.where(np.array(dose) < 0.92, 0.8, 0.2).tolist())
    moved = next_arms(block, DOWN, Aim(), prior=Curve("line", dose, late))
    assert (moved.lower, moved.upper) == (plain.lower, plain.upper)
    assert max(d for d, _ in moved.arms) > max(d for d, _ in plain.arms)
