"""Known errors in a copy: what is changed, what never is, and corruptors that fit the rows."""

from __future__ import annotations

import pytest

from datadose._core import InputError
from datadose.auditing import fact_names, plant
from datadose.corruption import find_values, tidy_answer, wrong_answer
from datadose.rows import make_rows
from datadose.schema import Message


def rows_of(pairs, facts=None):
    return make_rows(
        [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in pairs],
        facts,
    )


def test_only_planted_rows_change_and_all_of_them_do(facts_rows) -> None:
    made = plant(facts_rows, 0.1, seed=1)
    changed = {
        i
        for i, (a, b) in enumerate(zip(facts_rows, made.rows, strict=True))
        if a.answer != b.answer
    }
    assert changed == {*made.random, *made.consistent}
    assert not set(made.random) & set(made.consistent)
    assert len(made.random) == 4
    assert [r.prompt for r in made.rows] == [r.prompt for r in facts_rows]
    assert made.how == {"value": 4}
    right = {r.fact: r.answer for r in facts_rows}
    known = set(right.values())
    for i in made.random:
        assert made.rows[i].answer in known - {right[made.rows[i].fact]}


def test_consistent_rows_of_a_fact_all_say_the_same_wrong_value(facts_rows) -> None:
    made = plant(facts_rows, 0.1, seed=1)
    assert made.consistent
    by_fact = {}
    for i in made.consistent:
        by_fact.setdefault(made.rows[i].fact, set()).add(made.rows[i].answer)
    assert all(len(answers) == 1 for answers in by_fact.values())


def test_the_same_seed_plants_the_same_and_kept_rows_stay(facts_rows) -> None:
    assert plant(facts_rows, seed=5) == plant(facts_rows, seed=5)
    assert plant(facts_rows, seed=5) != plant(facts_rows, seed=6)
    keep = [r.id for r in facts_rows[:30]]
    made = plant(facts_rows, 0.1, keep=keep, seed=5)
    assert min((*made.random, *made.consistent)) >= 30


def test_prompts_alike_are_one_fact_where_rows_name_none() -> None:
    names = fact_names(
        rows_of(
            [("the capital of Peru is", "a"), ("name the capital of Peru", "b"), ("x y z", "c")]
        )
    )
    assert names[0] == names[1] != names[2]


def test_rows_that_are_all_alike_are_told() -> None:
    rows = rows_of([(f"Is {i} odd?", "Yes.") for i in range(20)])
    with pytest.raises(InputError, match="no row can be made wrong"):
        plant(rows)


CODE = "```python\ndef add(a, b):\n    # sums\n    return a + b\n```"


@pytest.mark.parametrize(
    ("prompt", "answer", "how"),
    [
        ("Give 10% of 120.", "That is 12.", "number"),
        ("Write add.", CODE, "code"),
        ("Which metal rusts?", "It is iron.", "value"),
        ("Do cats fly?", "No.", "answer"),
    ],
)
def test_the_corruptor_fits_the_row(prompt: str, answer: str, how: str) -> None:
    said = ["hydrogen", "cork", "glass", "wool", "paper", "sand"]
    others = [(f"Question {i} of what?", f"It is {x}.") for i, x in enumerate(said)]
    prompts = [prompt, *(q for q, _ in others)]
    answers = [tidy_answer(answer), *(a for _, a in others)]
    if how == "answer":
        prompts, answers = [prompt] * 4, ["No.", "Yes it does.", "Yes it does.", "Never ever."]
    values = find_values(prompts, answers)
    if how == "answer":
        values = type(values)((None,) * 4)
    slip = wrong_answer(0, prompts, answers, [str(i) for i in range(len(answers))], values, seed=3)
    assert slip is not None
    assert slip.how == how
    assert slip.answer != answers[0]
    assert slip.new in slip.answer


def test_layout_does_not_tell_a_mutant_from_the_code_it_came_from() -> None:
    assert "# sums" not in tidy_answer(CODE)
    assert tidy_answer(tidy_answer(CODE)) == tidy_answer(CODE)
    assert tidy_answer("No code here.") == "No code here."
