"""The wrong share of what cleaning left: its coverage on known truth, and when there is none."""

from __future__ import annotations

import numpy as np

from datadose.auditing import Labelled, draw_sample, wrong_share
from datadose.cleaning import Decision, prune
from datadose.rows import make_rows
from datadose.running import share_after
from datadose.schema import Message

ROWS = make_rows(
    [
        (Message(role="user", content=f"q{i}"), Message(role="assistant", content="a"))
        for i in range(300)
    ]
)


def cleaned(seed: int, rate: float = 0.25, labels: int = 60):
    """An audit and its cleaning with errors that suspicion sees in part."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(300, dtype=bool)
    wrong[rng.permutation(300)[: int(300 * rate)]] = True
    suspicion = 1 / (1 + np.exp(-(2.0 * wrong + rng.standard_normal(300))))
    sample = draw_sample(suspicion, labels, seed=seed)
    known = {ROWS[i].id: bool(wrong[i]) for i in sample.place}
    share = wrong_share(
        suspicion, sample.place, [bool(wrong[i]) for i in sample.place], sample.probability
    )
    decisions = prune(ROWS, suspicion.tolist(), share, known=known)
    chances = dict(zip((ROWS[i].id for i in sample.place), sample.probability, strict=True))
    said = Labelled({n: "wrong" if w else "right" for n, w in known.items()}, chances)
    left = [d.place for d in decisions if d.fate != "dropped"]
    return share_after(ROWS, decisions, suspicion.tolist(), said), float(wrong[left].mean()), said


def test_limits_hold_the_share_that_is_left() -> None:
    found = [cleaned(seed)[:2] for seed in range(200)]
    inside = [s.lower <= true <= s.upper for s, true in found if s.upper is not None]
    assert len(inside) == 200
    # the cut leans on the same labels, which costs little
    assert np.mean(inside) >= 0.90
    errors = [s.estimate - true for s, true in found]
    assert abs(np.mean(errors)) < 0.02
    assert np.mean([true for _, true in found]) < 0.15


def test_clean_rows_stay_at_a_share_whose_limits_hold_0() -> None:
    share, true, _ = cleaned(1, rate=0.0)
    assert true == 0.0
    assert share.lower == share.estimate == 0.0
    assert 0 < share.upper < 0.1


def test_unsure_labels_widen_both_limits() -> None:
    said = cleaned(2)[2]
    doubtful = dict.fromkeys(list(said.labels)[:6], "unsure")
    rng = np.random.default_rng(2)
    suspicion = rng.random(300).tolist()
    decisions = prune(ROWS, suspicion, None)
    whole = share_after(ROWS, decisions, suspicion, said)
    open_ = share_after(
        ROWS, decisions, suspicion, Labelled({**said.labels, **doubtful}, said.probability)
    )
    assert open_.upper - open_.lower > whole.upper - whole.lower


def test_no_labels_no_share() -> None:
    decisions = prune(ROWS, [0.5] * 300, None)
    assert share_after(ROWS, decisions, [0.5] * 300, None).estimate is None
    assert "label" in share_after(ROWS, decisions, [0.5] * 300, None).note


def test_rows_that_were_checked_or_corrected_are_counted_as_what_they_are() -> None:
    rng = np.random.default_rng(5)
    suspicion = (rng.random(300) * 0.5).tolist()
    # the first hundred are checked: a half of them wrong, and corrected
    decisions = [
        Decision(i, r.id, "corrected", "known wrong: the pool's answer", 1.0, "b")
        if i < 50
        else Decision(i, r.id, "kept", "known right" if i < 100 else "not suspicious enough", 0.0)
        for i, r in enumerate(ROWS)
    ]
    drawn = rng.permutation(np.arange(100, 300))[:60]
    said = Labelled(
        {ROWS[i].id: "wrong" if k < 12 else "right" for k, i in enumerate(drawn)},
        {ROWS[i].id: 0.3 for i in drawn},
    )
    checked = {r.id for r in ROWS[:100]}
    share = share_after(ROWS, decisions, suspicion, said, checked)
    assert share.estimate is not None
    # a fifth of the 200 open rows, of 300 that are left
    assert abs(share.estimate - 0.2 * 200 / 300) < 0.02
    assert share_after(ROWS, decisions, suspicion, said).estimate < 0.05
