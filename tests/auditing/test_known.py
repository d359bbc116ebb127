"""Detectors on rows whose truth is known: figures, and when they deny what planted rows said."""

from __future__ import annotations

import numpy as np
import pytest

from datadose.auditing import FEW, Measured, auroc, auroc_error, on_known


def planted_figures(value: float, wrong: int = 8, right: int = 80) -> Measured:
    error = auroc_error(value, wrong, right)
    low, high = value - 1.96 * error, value + 1.96 * error
    status = "detects" if low > 0.5 else "near chance"
    return Measured("loss", 1, value, low, high, None, None, None, status)


def test_figures_are_those_of_the_known_rows_alone() -> None:
    column = np.arange(40.0)
    known = {i: i >= 10 for i in range(20)}
    found = on_known({"loss": column}, known, [planted_figures(0.9)])["loss"]
    assert found.auroc == 1
    assert 0.5 < found.lower < found.upper == 1
    assert not found.denied
    turned = on_known({"loss": -column}, known, [planted_figures(0.9)])["loss"]
    assert turned.auroc == 0
    assert turned.denied
    # nothing was promised, so nothing is denied
    assert not on_known({"loss": -column}, known, [planted_figures(0.55)])["loss"].denied


@pytest.mark.parametrize(
    "few", [{i: i < FEW - 1 for i in range(40)}, dict.fromkeys(range(9), False)]
)
def test_too_few_known_rows_of_a_kind_say_nothing(few: dict[int, bool]) -> None:
    assert on_known({"loss": np.arange(40.0)}, few, [planted_figures(0.9)]) == {}


def drawn(rng: np.random.Generator, value: float, count: int) -> np.ndarray:
    """Normal scores that tell wrong from right ones with such an AUROC."""
    from scipy.stats import norm

    return rng.normal(size=count) + 2**0.5 * norm.ppf(value)


@pytest.mark.parametrize(
    ("planted", "real", "least", "most"),
    [(0.85, 0.85, 0.0, 0.03), (0.85, 0.75, 0.0, 0.15), (0.9, 0.5, 0.8, 1.0)],
)
def test_a_detector_is_denied_where_real_errors_are_out_of_its_reach(
    planted: float, real: float, least: float, most: float
) -> None:
    """300 audits with 8 planted rows among 88 and 60 labels, a quarter of them wrong."""
    rng = np.random.default_rng(5)
    denied = promised = 0
    for _ in range(300):
        own = auroc(
            np.concatenate([drawn(rng, planted, 8), rng.normal(size=80)]), np.arange(88) < 8
        )
        measured = planted_figures(own)
        column = np.concatenate([drawn(rng, real, 15), rng.normal(size=45)])
        found = on_known({"loss": column}, {i: i < 15 for i in range(60)}, [measured])["loss"]
        promised += measured.status == "detects"
        denied += found.denied
    assert promised > 200
    assert least <= denied / promised <= most
