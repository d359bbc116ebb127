"""The recovered share: its ratio, its limits, and when it is withheld."""

from __future__ import annotations

import numpy as np
import polars as pl

from datadose.curves import recovered


def arm(rates, questions=60, seeds=5, seed=0, noise=0.0):
    """An arm's table: each seed draws its own rate around `rates`."""
    rng = np.random.default_rng(seed)
    difficulty = (np.arange(questions) + 0.5) / questions
    lines = []
    for s in range(seeds):
        rate = rates + noise * rng.standard_normal()
        for q in range(questions):
            good = int(difficulty[q] < rate)
            lines.append({"seed": s, "question": f"q{q}", "cluster": f"f{q // 2}", "good": good})
    return pl.DataFrame(lines).with_columns(pl.lit(1).alias("asked"))


def test_half_of_a_sure_loss_won_back_is_a_half() -> None:
    found = recovered(arm(0.3, seed=1), arm(0.5, seed=2), arm(0.7, seed=3))
    assert found.estimate is not None
    assert found.lower is not None
    assert found.upper is not None
    assert abs(found.estimate - 0.5) < 0.1
    assert found.lower < found.estimate < found.upper


def test_a_small_loss_gives_no_ratio() -> None:
    found = recovered(arm(0.64, seed=1), arm(0.66, seed=2), arm(0.7, seed=3))
    assert (found.estimate, found.lower, found.upper) == (None, None, None)
    assert found.loss < 0.10
    assert "lower limit" in found.note


def test_one_seed_gives_no_ratio() -> None:
    found = recovered(*(arm(r, seeds=1) for r in (0.1, 0.5, 0.9)))
    assert found.estimate is None
    assert "one seed" in found.note


def test_limits_hold_the_true_ratio_as_often_as_they_say() -> None:
    inside = 0
    for trial in range(300):
        rng = np.random.default_rng(trial)
        tables = []
        for rate in (0.3, 0.5, 0.7):
            lines = [
                {"seed": s, "question": f"q{q}", "cluster": f"q{q}", "good": int(g)}
                for s in range(5)
                for q, g in enumerate(rng.random(80) < rate + 0.02 * rng.standard_normal())
            ]
            tables.append(pl.DataFrame(lines).with_columns(pl.lit(1).alias("asked")))
        found = recovered(*tables)
        assert found.lower is not None
        assert found.upper is not None
        inside += found.lower <= 0.5 <= found.upper
    # both limits together are a 90% interval
    assert inside / 300 >= 0.87
