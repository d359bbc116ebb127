"""Mixing: exact ratios, nesting, common prompts, strata within one row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import InputError, UsageError, generator
from datadose.rows import Mix, house_monotone_order, mix_pool, rows_at
from datadose.schema import Pool, PoolItem

DOSE = st.floats(0, 1, allow_nan=False)


def pool(facts: int, wordings: int = 4) -> Pool:
    return Pool(
        name="p",
        items=tuple(
            PoolItem(
                prompt=f"ask {w} of {f}",
                fact=f"f{f}",
                correct=f"right {f}",
                subtle=tuple(f"wrong {f} {k}" for k in range(4)),
                obvious=tuple(f"silly {f} {k}" for k in range(4)),
                placebo=(f"also right {f}",),
            )
            for f in range(facts)
            for w in range(wordings)
        ),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), DOSE, DOSE, st.integers(0, 3), st.sampled_from(["row", "fact"]))
def test_doses_are_exact_and_nested(facts: int, a: float, b: float, seed: int, unit: str) -> None:
    low, high = sorted((a, b))
    mix = Mix(seed=seed, unit=unit, structure="random")
    less, more = mix_pool(pool(facts), low, mix), mix_pool(pool(facts), high, mix)
    if unit == "row":
        assert sum(less.wrong) == rows_at(low, len(less.rows))
    else:
        assert sum(less.wrong) == 4 * rows_at(low, facts)
    for i, wrong in enumerate(less.wrong):
        assert less.rows[i].prompt == more.rows[i].prompt
        if wrong:
            assert more.wrong[i]
            assert less.rows[i].answer == more.rows[i].answer


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.integers(0, 99))
def test_every_prefix_is_stratified_to_within_one_row(sizes: list[int], seed: int) -> None:
    strata = [str(s) for s, n in enumerate(sizes) for _ in range(n)]
    order = house_monotone_order(strata, generator(seed))
    assert sorted(order) == list(range(len(strata)))
    for k in range(len(order) + 1):
        taken = [strata[i] for i in order[:k]]
        for s, n in enumerate(sizes):
            assert abs(taken.count(str(s)) - k * n / len(strata)) <= 1 + 1e-9


def test_the_dose_is_the_share_of_wrong_answers() -> None:
    made = mix_pool(pool(6), 0.25, Mix())
    wrong = [row.answer.startswith("wrong") for row in made.rows]
    assert wrong == list(made.wrong)
    assert made.dose == 0.25
    assert sum(made.own_fact_share.values()) / 6 == pytest.approx(0.25)


def test_consistent_repeats_one_wrong_answer_and_random_never_does() -> None:
    same = mix_pool(pool(5), 1.0, Mix(structure="consistent"))
    other = mix_pool(pool(5), 1.0, Mix(structure="random"))
    for fact in range(5):
        answers = [r.answer for r in same.rows if r.fact == f"f{fact}"]
        assert set(answers) == {f"wrong {fact} 0"}
        assert len({r.answer for r in other.rows if r.fact == f"f{fact}"}) == 4


def test_shuffled_gives_every_row_another_facts_answer() -> None:
    made = mix_pool(pool(5), 1.0, Mix(severity="shuffled"))
    assert sorted(r.answer for r in made.rows) == sorted(
        r.answer for r in mix_pool(pool(5), 0.0, Mix()).rows
    )
    assert all(r.answer != f"right {(r.fact or '')[1:]}" for r in made.rows)


def test_placebo_is_right_in_other_words() -> None:
    made = mix_pool(pool(3), 1.0, Mix(severity="placebo"))
    assert {r.answer for r in made.rows} == {f"also right {f}" for f in range(3)}


def test_malign_rows_take_whole_places() -> None:
    written = [
        PoolItem(prompt=f"p{i}", fact=f"malign/{i}", correct="kind", malign=(f"mean {i}",))
        for i in range(3)
    ]
    made = mix_pool(pool(4), 0.5, Mix(severity="malign"), malign=written)
    assert sum(r.answer.startswith("mean") for r in made.rows) == sum(made.wrong) == 8
    with pytest.raises(InputError, match="written misaligned answers"):
        mix_pool(pool(4), 0.5, Mix(severity="malign"))


def test_add_appends_and_correct_only_drops() -> None:
    added = mix_pool(pool(4), 3, Mix(vary="add"))
    assert (len(added.rows), sum(added.wrong)) == (19, 3)
    dropped = mix_pool(pool(4), 0.25, Mix(vary="correct_only"))
    assert (len(dropped.rows), sum(dropped.wrong)) == (12, 0)


def test_a_pool_with_too_few_answers_refuses_random_and_names_a_row() -> None:
    with pytest.raises(InputError, match=r"4 rows have too few subtle .*'ask 4 of 0'"):
        mix_pool(pool(1, wordings=8), 1.0, Mix(structure="random"))


@pytest.mark.parametrize("dose", [-0.1, 1.5])
def test_a_dose_out_of_range_is_refused(dose: float) -> None:
    with pytest.raises(UsageError, match="not between 0 and 1"):
        mix_pool(pool(2), dose, Mix())


def test_equal_sets_have_equal_ids_and_repeats_are_numbered() -> None:
    twice = Pool(name="p", items=pool(1).items + pool(1).items)
    ids = [r.id for r in mix_pool(twice, 0.0, Mix()).rows]
    assert len(set(ids)) == 8
    assert ids[4] == f"{ids[0]}-2"
