"""What the first sentence says, and when it gives no number."""

from __future__ import annotations

import dataclasses
import re

import pytest
from _example import example, series

from datadose.reporting import (
    headline,
)


def test_headline_names_what_it_holds_for() -> None:
    said = headline(example())
    for part in ("SmolLM2", "96 rows", "48 steps"):
        assert part in said
    assert "rank 16" in said
    assert "health/9f2c1a" in said
    assert "conditional on this seed" in said
    assert re.search(r"21.* \(15.* to 30", said)


def test_headline_of_a_count_axis_counts_rows() -> None:
    said = headline(dataclasses.replace(example(), series=(series("a", "count"),)))
    for part in ("85.4 wrong rows", "60.0", "120", "SmolLM2", "96 rows", "48 steps", "rank 16"):
        assert part in said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("above tested doses", "end at 1"),
        ("below tested doses", "0.25"),
        ("worse at dose 0", "already worse at dose 0"),
        ("no effect", "no effect"),
        ("instrument dead", "positive control did not move"),
        ("not defined", "not defined"),
        ("inconclusive", "support no number"),
    ],
)
def test_headline_without_a_number(status: str, words: str) -> None:
    made = series()
    analysis = made.main
    changed = tuple(
        dataclasses.replace(t, status=status, lower=None, upper=None) for t in analysis.thresholds
    )
    changed_series = dataclasses.replace(
        made, analyses=(("domain: reworded", dataclasses.replace(analysis, thresholds=changed)),)
    )
    said = headline(dataclasses.replace(example(), series=(changed_series,)))
    assert words in said
    assert "0.213" not in said
