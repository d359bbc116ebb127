"""Wrong values are wrong, different, and as many as asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import InputError
from datadose.corruption import format_value, same_value, wrong_values

VALUE = st.one_of(
    st.integers(-(10**7), 10**7).map(float),
    st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2)),
)
ANY = st.floats(-1e6, 1e6, allow_nan=False)


@settings(max_examples=300, deadline=None)
@given(
    VALUE,
    st.sampled_from(["subtle", "obvious"]),
    st.lists(ANY, max_size=4),
    st.sampled_from(["plain", "percent", "year"]),
    st.sampled_from([0.0, 0.01, 0.02]),
    st.integers(0, 3),
)
def test_no_wrong_value_passes_for_the_right_one(
    value: float, severity: str, operands: list[float], kind: str, tolerance: float, seed: int
) -> None:
    def draw() -> tuple[float, ...]:
        return wrong_values(
            value,
            severity=severity,  # type: ignore[arg-type]
            operands=operands,
            kind=kind,  # type: ignore[arg-type]
            tolerance=tolerance,
            seed=seed,
        )

    wrong = draw()
    assert len(wrong) == 4
    assert wrong == draw()
    texts = {format_value(w, 2) for w in (value, *wrong)}
    assert len(texts) == 5
    for i, w in enumerate(wrong):
        assert math.isfinite(w)
        assert not same_value(w, value, tolerance)
        assert not any(same_value(w, x, tolerance) for x in wrong[:i])
    if severity == "obvious" and value:
        assert all(abs(w) >= 99 * abs(value) for w in wrong)


def test_rules_show_up() -> None:
    seen = {
        w
        for seed in range(30)
        for w in wrong_values(-22.22, operands=(44.1, 56.7), kind="percent", seed=seed)
    }
    assert {22.22, 44.1, 56.7, -0.22, -28.57} <= seen
    assert {
        w
        for s in range(9)
        for w in wrong_values(2019, kind="year", decimals=0, tolerance=0, seed=s)
    } >= {
        2018.0,
        2020.0,
    }
    with pytest.raises(InputError):
        wrong_values(math.inf)


def test_formats() -> None:
    assert format_value(-0.001, 2) == "0.00"
    assert format_value(1234567.891, 1) == "1,234,567.9"
