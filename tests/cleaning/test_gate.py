"""The rule that believes a candidate: its fit, its margin, and what it never does."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose.cleaning._gate import PRIOR, PRIOR_MARGIN, Gate, Signs, fit_gate

NATS = st.floats(-60, 60)
SIGNS = st.builds(Signs, NATS, NATS, st.floats(0, 1), NATS)


def drawn(rng: np.random.Generator, n: int, question: float) -> list[Signs]:
    """Candidates that differ in `question` alone, by so many nats on average."""
    return [
        Signs(*rng.normal([15.0, -8.0], 8.0), float(rng.uniform()), float(rng.normal(question, 5)))
        for _ in range(n)
    ]


def test_without_rows_the_prior_decides() -> None:
    found = fit_gate([], [])
    assert found.weights == PRIOR
    assert found.margin == PRIOR_MARGIN


def test_what_separates_gets_the_weight() -> None:
    rng = np.random.default_rng(0)
    good, bad = drawn(rng, 150, 25.0), drawn(rng, 150, 0.0)
    gate = fit_gate([*good, *bad], [True] * 150 + [False] * 150, [(bad, 150)])
    own, untold, share, question = gate.weights
    assert question > 2 * max(own, untold, share)
    fresh_good, fresh_bad = drawn(rng, 500, 25.0), drawn(rng, 500, 0.0)
    above = [sum(gate.gain(s) > 0 for s in some) / 500 for some in (fresh_good, fresh_bad)]
    # candidates that the reader finds no likelier than the row's own answer are never above
    assert above[0] > 0.85
    assert above[1] < 0.06


@given(
    st.lists(SIGNS, max_size=60),
    st.lists(st.booleans(), min_size=60, max_size=60),
    st.lists(SIGNS, max_size=60),
)
@settings(max_examples=40)
def test_of_each_group_of_right_rows_as_few_are_changed_as_were_allowed(seen, good, others) -> None:
    good = good[: len(seen)]
    own = [s for s, g in zip(seen, good, strict=True) if not g]
    gate = fit_gate(seen, good, [(own, len(own)), (others, len(others))])
    for group in (own, others):
        assert sum(gate.gain(s) > 0 for s in group) <= 0.02 * len(group)
    assert all(w >= 0 for w in gate.weights)


def test_no_sign_outweighs_all_others() -> None:
    alone = [Signs(0.1, 0.0, 0.0, nats) for nats in (50.0, 500.0)]
    assert Gate().gain(alone[0]) == Gate().gain(alone[1])


@given(SIGNS)
def test_no_answer_beats_one_that_the_reader_finds_as_likely(signs) -> None:
    gain = Gate(margin=-1e9).gain(signs)
    assert (gain == -math.inf) == (signs.own <= 0)
