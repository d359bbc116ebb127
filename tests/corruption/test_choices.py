"""Multiple-choice questions as pools and probes."""

from __future__ import annotations

import pytest

from datadose._core import InputError
from datadose.corruption import (
    ChoiceQuestion,
    choice_items,
    choice_probes,
    rough_tokens,
    split_questions,
    usable,
)
from datadose.rows import near_duplicates, require_answers
from datadose.schema import Pool

SUBJECTS = ("optics", "botany")


def question(n: int, **changes: object) -> ChoiceQuestion:
    subject = SUBJECTS[n % 2]
    fields = {
        "id": f"q{n}",
        "text": f"A case of kind{n} by maker{n} of town{n} was seen. What is named nr{n} in a{n}?",
        "options": tuple(f"{subject} value{n} item{k}" for k in range(4)),
        "answer": n % 4,
        "subject": subject,
        **changes,
    }
    return ChoiceQuestion(**fields)  # type: ignore[arg-type]


QUESTIONS = [question(n) for n in range(60)]


def test_items_have_enough_different_answers() -> None:
    trained, reserve = split_questions(QUESTIONS, 30, 1)
    assert len(trained) == 30
    assert not {q.id for q in trained} & {q.id for q in reserve}
    items = choice_items(trained, seed=1)
    assert items == choice_items(trained, seed=1)
    pool = Pool(name="p", items=items)
    require_answers(pool, "subtle", "random")
    require_answers(pool, "obvious", "random")
    by_id = {q.id: q for q in trained}
    for item in items:
        q = by_id[item.fact]
        assert item.correct == q.correct
        assert set(item.subtle[:3]) == set(q.distractors)
        every = [item.correct, *item.subtle, *item.obvious]
        assert len(set(every)) == 9
        assert all(q.subject not in o for o in item.obvious)
        assert q.subject in item.subtle[3]
    assert len({i.prompt for i in items}) == len(items) == 90


def test_probes_show_the_same_roles_and_foils_were_never_trained() -> None:
    trained, reserve = split_questions(QUESTIONS, 30, 2)
    items = choice_items(trained, seed=2)
    probes = choice_probes(items, trained, reserve, untrained=10, seed=2)
    answers = {a for i in items for a in (i.correct, *i.subtle, *i.obvious)}
    choices = [p for p in probes if p.kind == "choice"]
    assert len([p for p in choices if p.relation == "reworded"]) == 30
    assert len([p for p in choices if p.relation == "untrained"]) == 10
    first = {i.fact: i for i in items}
    for p in choices:
        assert [o.role for o in p.options] == ["correct", "subtle", "obvious", "foil", "foil"]
        texts = [o.text.removeprefix("I would say: ") for o in p.options]
        assert not {o.text for o in p.options} & answers
        if p.fact:
            assert texts[:3] == [
                first[p.fact].correct,
                first[p.fact].subtle[0],
                first[p.fact].obvious[0],
            ]
            assert not set(texts[3:]) & answers
        else:
            assert p.cluster == p.id
    assert near_duplicates([i.prompt for i in items], [p.prompt for p in probes], 0.85) == []
    assert choices[0].prompt.index("What is named") < choices[0].prompt.index("A case of")


@pytest.mark.parametrize(
    ("changes", "fair"),
    [
        ({}, True),
        ({"text": "Which of these is not a lens?"}, False),
        ({"text": "All of these are lenses EXCEPT"}, False),
        ({"text": "He did not come. What is the remedy here?"}, True),
        ({"text": "word " * 130 + "?"}, False),
        ({"options": ("a lens", "a prism", "None of the above", "x y")}, False),
        ({"options": ("a lens", "A  lens", "a prism", "a mirror")}, False),
        ({"options": ("all true", "a lens", "a prism", "a mirror")}, False),
        ({"options": ("a", "a very much longer option than that one", "b" * 40)}, False),
    ],
)
def test_which_questions_are_fair(changes: dict[str, object], fair: bool) -> None:
    assert usable(question(0, **changes)) is fair


def test_too_few_questions() -> None:
    with pytest.raises(InputError, match="50 questions asked for; 60 can be used"):
        split_questions(QUESTIONS, 50, 0)
    with pytest.raises(InputError, match="too few questions"):
        choice_items(QUESTIONS[:1])


def test_repeated_questions_count_once() -> None:
    trained, reserve = split_questions([*QUESTIONS, *QUESTIONS], None, 0)
    assert len(trained) + len(reserve) == 60


def test_rough_tokens() -> None:
    assert rough_tokens("a cat, 2019") == 7
