"""Detectors on numbers made for them, combinations, measures, and the choice."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

import datadose.auditing
from datadose.auditing import (
    Measured,
    NotMeasuredError,
    Planted,
    auroc,
    average_precision,
    calibrate,
    chosen_column,
    combine,
    detector,
    model_share,
    nearest,
    precision_at,
    rank_average,
    ranks,
    score,
    split_views,
    suspicion,
    timed,
    topsis,
)
from datadose.auditing._evidence import settled
from datadose.auditing._gradients import donod_terms
from datadose.rows import make_rows
from datadose.schema import Message


def test_don_and_nod_are_those_of_a_real_step(facts_rows, make_evidence) -> None:
    """One SGD step on an untied head, its norms taken before and after, in float64."""
    rng = np.random.default_rng(0)
    rows, rate = facts_rows[:3], 1e-2
    W = rng.normal(size=(7, 5))
    don, head, true = [], [], []
    for _ in rows:
        h, y = rng.normal(size=(2, 5)), rng.integers(0, 7, 2)
        z = h @ W.T
        d = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        d[np.arange(2), y] -= 1
        don.append((d * z).sum())
        G = d.T @ h
        head.append((G**2).sum())
        step = W - rate * G / 2
        true.append((np.linalg.norm(step) - np.linalg.norm(W), np.linalg.norm(step - W)))
    evidence = make_evidence(
        rows, head_norm=float(np.linalg.norm(W)), lr=rate, don=[don], head=[head]
    )
    ours = np.column_stack(donod_terms(evidence, 0))
    assert np.allclose(ours, true, rtol=1e-8, atol=1e-12)


def test_topsis_gives_a_known_example() -> None:
    """Worked by hand: two columns, the first row best in both, the last worst in both."""
    columns = [np.array([3.0, 2.0, 1.0]), np.array([6.0, 5.0, 4.0])]
    found = topsis(columns)
    assert found[0] == pytest.approx(1)
    assert found[2] == pytest.approx(0)
    assert found[1] == pytest.approx(0.5)
    weighted = topsis([np.array([1.0, 0.0]), np.array([0.0, 1.0])], [3, 1])
    assert weighted == pytest.approx([0.75, 0.25])
    assert (topsis([np.ones(4)]) == 0.5).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=20), st.floats(0.01, 100))
def test_topsis_does_not_hang_on_a_columns_scale(values, scale) -> None:
    a, b = np.array(values, dtype=float), np.arange(len(values), dtype=float)
    assert np.allclose(topsis([a, b]), topsis([a * scale, b]), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40))
def test_measures_against_other_ways_to_them(pairs) -> None:
    s, w = np.array([p[0] for p in pairs], dtype=float), np.array([p[1] for p in pairs])
    if w.all() or not w.any():
        assert np.isnan(auroc(s, w))
        return
    u = mannwhitneyu(s[w], s[~w]).statistic
    assert auroc(s, w) == pytest.approx(u / (w.sum() * (~w).sum()))
    expected = np.mean([(w & (s >= x)).sum() / (s >= x).sum() for x in s[w]])
    assert average_precision(s, w) == pytest.approx(expected)
    assert precision_at(s, w, len(s)) == pytest.approx(w.mean())


def test_neighbours_find_the_row_that_answers_otherwise(facts_rows, make_evidence) -> None:
    rng = np.random.default_rng(1)
    states = np.repeat(rng.normal(size=(10, 16)), 4, axis=0) + rng.normal(size=(40, 16)) * 0.05
    places, cosines = nearest(states, 3)
    assert all(set(places[i]) == set(range(i // 4 * 4, i // 4 * 4 + 4)) - {i} for i in range(40))
    assert (np.diff(cosines, axis=1) <= 1e-6).all()
    rows = list(facts_rows)
    odd = rows[5].messages[-1].model_copy(update={"content": "It is zinc."})
    rows[5] = rows[5].model_copy(update={"messages": (*rows[5].prompt, odd)})
    column = score(make_evidence(tuple(rows), before=[states]), "neighbours", 1)
    assert int(column.argmax()) == 5


# subnormal weights would lose digits in the test's own scaling; two that need none stand below
weights = st.floats(0, 3, allow_subnormal=False)
weighed = st.lists(st.tuples(st.floats(-5, 5), weights), min_size=2, max_size=20)


@settings(max_examples=60, deadline=None)
@given(weighed, st.floats(0.1, 10))
@example([(0.0, 5e-324), (1.0, 5e-324)], 1.0)
@example([(0.0, 0.0), (1.0, 5e-324)], 1.0)
def test_what_little_is_known_of_stands_nearer_the_middle(pairs, scale) -> None:
    values, weight = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    found = settled(values, weight)
    if not weight.any():
        assert (found == values).all()
        return
    share = weight / weight.max()
    middle = np.average(values, weights=share)
    # as far from the middle as a row's weight is of its own and the usual one together
    left = share / (share + share.mean())
    assert np.allclose(found - middle, left * (values - middle), atol=1e-9)
    assert np.allclose(settled(values, weight * scale), found, atol=1e-9)


def test_agreement_needs_trusted_rows_and_has_both_signs(facts_rows, make_evidence) -> None:
    sketch = np.ones((40, 8))
    sketch[7] = -1
    bare = make_evidence(facts_rows, sketch=[sketch])
    with pytest.raises(NotMeasuredError, match="--trusted"):
        score(bare, "agreement-low", 1)
    known = make_evidence(facts_rows, sketch=[sketch], trusted=[np.ones((3, 8))])
    assert int(score(known, "agreement-low", 1).argmax()) == 7
    assert int(score(known, "agreement-high", 1).argmin()) == 7


def test_grads_takes_out_what_length_explains(facts_rows, make_evidence) -> None:
    rng = np.random.default_rng(2)
    head, inner = rng.uniform(1, 2, 40), rng.uniform(1, 2, 40)
    head[3] = inner[3] = 400.0
    evidence = make_evidence(facts_rows, head=[head], embedding=[inner])
    assert int(score(evidence, "grads-large", None).argmax()) == 3
    assert int(score(evidence, "grads-top", None).argmin()) == 3
    assert int(score(evidence, "grads-density", None).argmax()) == 3
    assert np.isfinite(score(evidence, "grads-band", None)).all()


def test_pmi_and_ifd_compare_with_the_answer_alone(facts_rows, make_evidence) -> None:
    loss = np.full(80, 1.0)
    alone = np.full(40, 4.0)
    alone[9] = 1.0
    evidence = make_evidence(facts_rows, loss=[loss], asked={"alone": alone})
    assert int(score(evidence, "pmi", 1).argmax()) == 9
    assert score(evidence, "pmi", 1)[0] == pytest.approx(1 - 2)
    assert score(evidence, "ifd", 1)[0] == pytest.approx(0.5)


@pytest.fixture
def measured(facts_rows, make_evidence):
    """Planted rows stand out by their loss in the second epoch, and by nothing else."""
    rng = np.random.default_rng(3)
    wrong = (2, 11, 19, 26, 33)
    fixed = (36, 37, 38, 39)
    early, late = rng.normal(2, 0.3, 80), rng.normal(1, 0.1, 80)
    for i in wrong:
        late[2 * i : 2 * i + 2] += 3
    evidence = make_evidence(
        facts_rows,
        loss=[early, late],
        margin=[rng.normal(size=80)] * 2,
        don=[rng.normal(size=40)] * 2,
        head=[rng.uniform(1, 2, 40)] * 2,
        before=[rng.normal(size=(40, 8))] * 2,
        embedding=[rng.uniform(1, 2, 40)],
    )
    return evidence, Planted(facts_rows, wrong, fixed, {"value": 5})


def test_the_detector_and_the_epoch_are_chosen_on_planted_rows(measured) -> None:
    evidence, planted = measured
    found = calibrate(evidence, planted)
    loss = next(m for m in found.table if m.name == "loss")
    assert loss.when == 2
    assert loss.auroc == 1.0
    assert loss.status == "detects"
    assert found.best.auroc > 0.95
    assert found.not_detectable
    column = chosen_column(evidence, found)
    assert set(np.argsort(-column)[:5].tolist()) == set(planted.random)
    names = {m.name for m in found.table}
    assert set(detector) <= names
    held = next(m for m in found.table if m.name == "held-out")
    assert (held.status, held.auroc) == ("not measured", None)
    assert held.note


def test_controls_are_measured_and_never_chosen(facts_rows, make_evidence) -> None:
    evidence = make_evidence(
        facts_rows,
        loss=[np.ones(80)],
        margin=[np.ones(80)],
        head=[np.ones(40)],
        don=[np.ones(40)],
        before=[np.random.default_rng(4).normal(size=(40, 8))],
    )
    planted = Planted(facts_rows, (0, 1, 2, 3), (), {"value": 4})
    found = calibrate(evidence, planted)
    assert found.chosen not in ("length", "length-short")
    assert found.best.status == "near chance"
    assert found.prior is None
    assert not found.not_detectable


def test_suspicion_keeps_the_order_and_is_half_at_the_median_planted_row() -> None:
    column = np.arange(101.0)
    found = suspicion(column, [0.80, 0.90, 0.95])
    assert (np.diff(found) > 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert found[90] == pytest.approx(0.5, abs=0.03)


def test_a_mean_of_ranks_ignores_scale_and_missing_values() -> None:
    a = np.array([1.0, 2.0, np.nan, 4.0])
    assert np.allclose(rank_average([a]), rank_average([a * 1000]))
    assert rank_average([a])[2] == pytest.approx(0.5)


def test_no_detector_can_reach_a_truth_file() -> None:
    """Detectors get texts and recorded numbers; no file of this room that scores reads files."""
    room = Path(datadose.auditing.__file__).parent
    scoring = (
        "_losses",
        "_gradients",
        "_neighbours",
        "_in_context",
        "_combine",
        "_measures",
        "_calibrate",
    )
    for name in scoring:
        tree = ast.parse((room / f"{name}.py").read_text("utf-8"))
        called = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        called |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        assert not called & {"open", "read_text", "read_json", "read_jsonl", "Path", "load"}, name
    assert timed("loss")
    assert not timed("length")


def measured_as(name: str, value: float, error: float, when: int | None = 1) -> Measured:
    low, high = value - 1.96 * error, value + 1.96 * error
    status = "detects" if low > 0.5 else "reversed" if high < 0.5 else "near chance"
    return Measured(name, when, value, low, high, None, None, None, status)


def test_a_view_has_one_voice_and_other_rows_three(facts_rows, make_evidence) -> None:
    able = [
        measured_as("loss", 0.9, 0.05),
        measured_as("aum", 0.8, 0.05),
        measured_as("pmi", 0.4, 0.05),
        # not above chance beyond doubt, but by more than one standard error
        measured_as("neighbours", 0.65, 0.1),
        measured_as("self-validation", 0.55, 0.1, None),
    ]
    views = split_views(able)
    assert views == ((("loss", 1), ("aum", 1)), (("neighbours", 1),))
    rng = np.random.default_rng(5)
    evidence = make_evidence(
        facts_rows,
        loss=[rng.normal(size=80)],
        margin=[rng.normal(size=80)],
        before=[rng.normal(size=(40, 8))],
    )
    each = [score(evidence, n, 1) for n in ("loss", "aum", "neighbours")]
    expected = rank_average([rank_average(each[:2]), *[each[2]] * 3])
    assert np.allclose(combine(evidence, "views", (), views), expected)


def test_views_leave_a_row_like_no_other_in_the_middle(facts_rows, make_evidence) -> None:
    """A fact that stands once is always a surprise, right or wrong."""
    rng = np.random.default_rng(7)
    loss, states = rng.normal(size=80), rng.normal(size=(40, 8))
    given = {"loss": [loss], "margin": [np.zeros(80)], "before": [states]}
    surprise, others = (("loss", 1),), (("neighbours", 1),)
    bare = combine(make_evidence(facts_rows, **given), "views", (), (surprise, others))
    odd = int(bare.argmax())
    alike = np.ones(40)
    alike[odd] = 0.0
    known = make_evidence(facts_rows, **given, asked={"alike": alike})
    column = combine(known, "views", (), (surprise, others))
    assert abs(column[odd] - 0.5) < 0.05
    order = np.delete(np.arange(40), odd)
    assert (np.argsort(column[order]) == np.argsort(bare[order])).all()
    # an opinion of it is heard as of any other
    opinion = (("self-validation", None),)
    said = np.linspace(0, 1, 40)
    known.asked["yes"] = -said
    found = combine(known, "views", (), (surprise, others, opinion))
    assert np.allclose(found, rank_average([column] * 4 + [said]))
    # where nothing reads other rows, none of it is heard
    assert (combine(known, "views", (), (surprise,)) == ranks(score(known, "loss", 1))).all()


def test_other_rows_are_heard_together_or_not_at_all() -> None:
    """Planted rows say little of which of them is good: they count wrong rows found as mistakes."""
    near = measured_as("neighbours", 0.52, 0.1)
    worst = measured_as("in-context-worst", 0.3, 0.05, None)
    assert split_views([near, worst]) == ()
    found = measured_as("in-context", 0.8, 0.1, None)
    assert split_views([near, found, worst]) == ((("neighbours", 1), ("in-context", None)),)


@pytest.mark.parametrize(("planted_rows", "chosen"), [((2, 11), "views"), ("many", "loss")])
def test_views_are_preferred_until_planted_rows_tell_better(
    facts_rows, make_evidence, planted_rows, chosen
) -> None:
    """Losses rank planted rows first without fail, neighbours a little better than chance."""
    rng = np.random.default_rng(6)
    rows = tuple(facts_rows) * 10
    wrong = tuple(range(0, 400, 4)) if planted_rows == "many" else planted_rows
    loss = rng.normal(1, 0.1, 800)
    for i in wrong:
        loss[2 * i : 2 * i + 2] += 3
    evidence = make_evidence(rows, loss=[loss], before=[rng.normal(size=(400, 8))])
    column = rng.normal(size=400)
    column[list(wrong)] += 1.5
    registry = {"loss": lambda e, epoch: e.mean("loss", epoch), "neighbours": lambda e: column}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detector, "_methods", registry)
        found = calibrate(evidence, Planted(rows, wrong, (), {"value": len(wrong)}))
    assert found.chosen == chosen
    assert len(found.views) == 2


def test_a_detector_can_be_left_out_of_all(measured) -> None:
    evidence, planted = measured
    found = calibrate(evidence, planted, without=("neighbours", "loss"))
    assert not {m.name for m in found.table} & {"neighbours", "loss"}
    assert not {n for view in (found.parts, *found.views) for n, _ in view} & {"neighbours", "loss"}


def test_a_row_with_nothing_like_it_is_neither_supported_nor_contradicted(
    facts_rows, make_evidence
) -> None:
    rng = np.random.default_rng(7)
    turns = (("user", "Who wrote it?"), ("assistant", "Nobody knows at all."))
    lone = make_rows([tuple(Message(role=r, content=c) for r, c in turns)])
    odd = facts_rows[5].messages[-1].model_copy(update={"content": "It is zinc."})
    rows = list(facts_rows)
    rows[5] = rows[5].model_copy(update={"messages": (*rows[5].prompt, odd)})
    states = np.repeat(rng.normal(size=(10, 16)), 4, axis=0) + rng.normal(size=(40, 16)) * 0.05
    states = np.concatenate([states, rng.normal(size=(1, 16))])
    column = score(make_evidence((*rows, *lone), before=[states]), "neighbours", 1)
    supported = [i for i in range(40) if i // 4 != 1]
    assert column[5] > column[40] + 0.1
    assert column[40] > np.median(column[supported])


@pytest.mark.parametrize("planted_rows", [8, 40])
def test_the_model_based_share_stays_under_its_limit_where_errors_look_planted(
    facts_rows, planted_rows
) -> None:
    rng = np.random.default_rng(8)
    share, held, told = 0.25, 0, 0
    for _ in range(150):
        wrong = rng.random(200) < share
        column = rng.normal(size=200 + planted_rows)
        column[:200] += 1.5 * wrong
        column[200:] += 1.5
        rows = tuple(facts_rows) * 10
        planted = Planted(rows[: len(column)], tuple(range(200, len(column))), (), {})
        found = model_share(column, planted)
        if found is not None:
            told += 1
            held += found[1] >= wrong.mean()
            assert 0 <= found[0] <= found[1] <= 1
    assert told > 100
    assert held / told >= 0.95
