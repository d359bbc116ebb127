"""Rows are dropped by the share, never by a fixed part; known and protected ones aside."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import UsageError
from datadose.auditing import Share
from datadose.cleaning import prune, quota
from datadose.rows import rows_at


def share(estimate: float, lower: float, upper: float) -> Share:
    return Share(estimate, lower, upper, 0.95, "labels and scores", 60, 10)


@pytest.fixture(scope="module")
def rows(chats):
    return chats([(f"question {i}?", f"answer {i}") for i in range(20)])


RISING = [i / 20 for i in range(20)]


def dropped(decisions) -> list[int]:
    return [d.place for d in decisions if d.fate == "dropped"]


def test_as_many_go_as_the_share_says_the_most_suspicious_first(rows) -> None:
    found = share(0.25, 0.1, 0.4)
    assert dropped(prune(rows, RISING, found)) == [15, 16, 17, 18, 19]
    assert dropped(prune(rows, RISING, found, by="lower")) == [18, 19]
    assert len(dropped(prune(rows, RISING, found, by="upper"))) == 8
    assert len(dropped(prune(rows, RISING, 0.5))) == 10


def test_where_nothing_shows_that_a_row_is_wrong_none_is_dropped(rows) -> None:
    clean = share(0.2, 0.0, 0.4)
    assert dropped(prune(rows, RISING, clean)) == []
    assert "allow that no row is wrong" in quota(20, 0, clean).why
    # what is known wrong may be all there is: the limit has to exceed it
    known = {rows[0].id: True, rows[1].id: True}
    assert dropped(prune(rows, RISING, share(0.2, 0.1, 0.4), known=known)) == [0, 1]
    assert dropped(prune(rows, RISING, share(0.2, 0.11, 0.4), known=known)) == [0, 1, 18, 19]
    # told otherwise
    assert len(dropped(prune(rows, RISING, clean, by="estimate"))) == 4
    assert dropped(prune(rows, RISING, None)) == []


def test_a_detector_near_chance_drops_nothing(rows) -> None:
    found = prune(rows, RISING, 0.5, known={rows[3].id: True}, detects=False)
    assert dropped(found) == [3]
    assert "near chance" in quota(20, 1, 0.5, detects=False).why


def test_known_rows_and_protected_ones(rows) -> None:
    found = prune(
        rows,
        RISING,
        0.25,
        known={rows[0].id: True, rows[19].id: False, rows[1].id: True},
        protected=[rows[18].id, rows[1].id],
    )
    assert dropped(found) == [0, 15, 16, 17]
    assert found[1].reason == "protected, though known to be wrong"
    assert (found[18].reason, found[19].reason) == ("protected", "known right")
    assert found[0].reason == "known wrong"


def test_equally_suspicious_rows_go_together_or_not_at_all(rows) -> None:
    level = [0.5] * 18 + [0.9, 0.9]
    assert dropped(prune(rows, level, 0.25)) == [18, 19]
    assert dropped(prune(rows, level, 0.05)) == []
    assert dropped(prune(rows, [0.0] * 20, 0.5)) == []


def test_bad_values_are_refused(rows) -> None:
    for bad in (RISING[:-1], [*RISING[:-1], float("nan")], [*RISING[:-1], 1.5]):
        with pytest.raises(UsageError, match="suspicions"):
            prune(rows, bad, 0.1)
    with pytest.raises(UsageError, match="share of 1"):
        prune(rows, RISING, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=12),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(sorted),
    st.sampled_from(["careful", "estimate", "lower", "upper"]),
    st.data(),
)
def test_every_row_has_one_fate_and_the_quota_holds(chats, scores, limits, by, data) -> None:
    rows = chats([(f"q {i}", "a") for i in range(len(scores))])
    ids = [r.id for r in rows]
    known = data.draw(st.dictionaries(st.sampled_from(ids), st.booleans()))
    safe = data.draw(st.sets(st.sampled_from(ids)))
    found = prune(
        rows, scores, share(limits[1], limits[0], limits[2]), known=known, protected=safe, by=by
    )
    assert [d.id for d in found] == ids
    gone = {d.id for d in found if d.fate == "dropped"}
    assert not gone & safe
    assert not any(known.get(i) is False for i in gone)
    assert {i for i, wrong in known.items() if wrong} - safe <= gone
    most = {"careful": 1, "estimate": 1, "lower": 0, "upper": 2}[by]
    wrong = sum(known.values())
    assert len(gone) <= max(wrong, rows_at(limits[most], len(rows)))
    left = [scores[d.place] for d in found if d.reason == "not suspicious enough"]
    worst = max(left, default=-1.0)
    assert all(scores[d.place] > worst for d in found if d.reason == "suspicious")
