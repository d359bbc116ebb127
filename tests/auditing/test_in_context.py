"""A row's answer after the rows most like it."""

from __future__ import annotations

import numpy as np
import pytest

from datadose._core import GuardError
from datadose.auditing import NotMeasuredError, auroc, score
from datadose.auditing._asked import check_layout
from datadose.auditing._in_context import likeness_shown, most_alike, with_examples
from datadose.models import encode_answer, load_base, render
from datadose.rows import make_rows
from datadose.schema import Message
from datadose.training import row_losses, token_losses


@pytest.fixture(scope="module")
def tiny():
    return load_base("tiny", precision="fp32")


def test_rows_of_the_same_matter_are_the_most_alike(facts_rows) -> None:
    near, likeness = most_alike(facts_rows, 3)
    own = [
        sum(facts_rows[int(j)].fact == row.fact for j in places)
        for row, places in zip(facts_rows, near, strict=True)
    ]
    assert np.mean(own) > 2.5
    assert all(i not in places for i, places in enumerate(near.tolist()))
    assert (np.diff(likeness, axis=1) <= 0).all()
    assert 0 <= likeness.min() <= likeness.max() <= 2 + 1e-9
    assert most_alike(facts_rows[:3], 20)[0].shape == (3, 2)


def test_examples_stand_before_the_row_nearest_last(tiny, facts_rows) -> None:
    places = np.array([[1, 2], [2, 0], [0, 1]])
    found = with_examples(tiny, facts_rows[:3], places, 1024)
    for i, encoded in enumerate(found):
        text = tiny.tokenizer.decode(encoded.ids)
        order = [int(places[i, 1]), int(places[i, 0]), i]
        at = [text.index(facts_rows[j].prompt[-1].content) for j in order]
        assert at == sorted(at)
        # the same tokens are scored with examples as without
        alone = encode_answer(tiny, facts_rows[i].prompt, facts_rows[i].answer)
        assert encoded.ids[encoded.start :] == alone.ids[alone.start :]


def test_far_examples_are_left_out_where_a_chat_would_be_too_long(tiny, facts_rows) -> None:
    places = np.array([[1, 2], [2, 0], [0, 1]])
    alone = [encode_answer(tiny, r.prompt, r.answer) for r in facts_rows[:3]]
    whole = with_examples(tiny, facts_rows[:3], places, 1024)
    longest = max(len(e.ids) for e in whole) - 1
    cut = with_examples(tiny, facts_rows[:3], places, longest)
    assert max(len(e.ids) for e in cut) <= longest
    assert facts_rows[1].answer in tiny.tokenizer.decode(cut[0].ids)
    assert with_examples(tiny, facts_rows[:3], places, 1) == alone
    likeness = np.array([[1.0, 0.5], [0.8, 0.2], [0.6, 0.6]])
    assert likeness_shown(likeness, whole, alone).tolist() == pytest.approx([0.75, 0.5, 0.6])
    # what is not shown says nothing of a row
    assert likeness_shown(likeness, [alone[0], *whole[1:]], alone)[0] == 0


def test_a_rows_system_turn_stays_and_those_of_examples_go(tiny) -> None:
    rows = make_rows(
        [
            (
                Message(role="system", content=f"rule {i}"),
                Message(role="user", content=f"question {i}?"),
                Message(role="assistant", content=f"answer {i}"),
            )
            for i in range(2)
        ],
        None,
    )
    [first, _] = with_examples(tiny, rows, np.array([[1], [0]]), 1024)
    chat = (
        rows[0].prompt[0],
        rows[1].prompt[1],
        Message(role="assistant", content="answer 1"),
        rows[0].prompt[1],
    )
    opened = render(tiny.tokenizer, chat, open_answer=True)
    assert first.ids[: first.start] == tuple(
        tiny.tokenizer(opened, add_special_tokens=False)["input_ids"]
    )


def test_token_losses_are_laid_out_row_after_row(tiny, facts_rows) -> None:
    encoded = [encode_answer(tiny, r.prompt, r.answer) for r in facts_rows[:7]]
    tokens = token_losses(tiny, encoded)
    ends = np.cumsum([e.trained for e in encoded])
    sums = [float(part.sum()) for part in np.split(tokens, ends[:-1])]
    assert len(tokens) == ends[-1]
    assert np.allclose(row_losses(tiny, encoded), sums, rtol=1e-12)
    one = [row_losses(tiny, [e])[0] for e in encoded]
    assert np.allclose(sums, one, atol=1e-3)


def test_the_worst_token_and_the_mean_are_read_of_each_row(facts_rows, make_evidence) -> None:
    asked = {
        "in_context": np.array([1.0, 2.0, 0.0, 5.0, 1.6, 1.6]),
        "untuned": np.zeros(6),
        "alike": np.ones(3),
    }
    evidence = make_evidence(facts_rows[:3], loss=[np.zeros(6)], asked=asked)
    assert np.argsort(score(evidence, "in-context", None)).tolist() == [0, 2, 1]
    assert np.argsort(score(evidence, "in-context-worst", None)).tolist() == [2, 0, 1]
    bare = make_evidence(facts_rows[:3], loss=[np.zeros(6)])
    with pytest.raises(NotMeasuredError, match="--examples"):
        score(bare, "in-context", None)


def test_words_that_surprise_in_any_case_count_a_little_less(facts_rows, make_evidence) -> None:
    asked = {
        "in_context": np.array([3.0, 3.0, 3.2, 3.2]),
        "untuned": np.array([0.0, 0.0, 5.0, 5.0]),
        "alike": np.ones(2),
    }
    evidence = make_evidence(facts_rows[:2], loss=[np.zeros(4)], asked=asked)
    for name in ("in-context", "in-context-worst"):
        found = score(evidence, name, None)
        assert found[0] > found[1]


def test_a_row_that_nothing_is_like_stands_in_the_middle(facts_rows, make_evidence) -> None:
    asked = {
        "in_context": np.repeat([0.0, 1.0, 2.0, 3.0, 9.0], 2),
        "untuned": np.zeros(10),
        "alike": np.array([1.0, 1.0, 1.0, 1.0, 0.0]),
    }
    evidence = make_evidence(facts_rows[:5], loss=[np.zeros(10)], asked=asked)
    for name in ("in-context", "in-context-worst"):
        found = score(evidence, name, None)
        assert found[0] < found[1] < found[4] < found[2] < found[3]
        # where it holds of all rows, other rows say nothing, and the loss alone is no such detector
        none = make_evidence(
            facts_rows[:5], loss=[np.zeros(10)], asked=asked | {"alike": np.zeros(5)}
        )
        with pytest.raises(NotMeasuredError, match="no row is like another"):
            score(none, name, None)


def test_answers_of_other_lengths_than_recorded_are_refused(
    tiny, facts_rows, make_evidence
) -> None:
    recording = make_evidence(facts_rows[:3], loss=[np.zeros(6)]).recording
    check_layout(tiny, [2, 2, 2], recording)
    # as many in all, but not row by row
    with pytest.raises(GuardError, match="in row 2"):
        check_layout(tiny, [2, 3, 1], recording)


@pytest.mark.slow
def test_the_embedded_model_is_surprised_by_what_other_rows_deny(facts_rows) -> None:
    base = load_base("smollm2-135m")
    wrong = [4 * fact + fact % 4 for fact in range(10)]
    rows = list(facts_rows)
    for i in wrong:
        other = facts_rows[(i + 8) % 40].answer
        rows[i] = make_rows([(*rows[i].prompt, Message(role="assistant", content=other))], None)[0]
    alone = [encode_answer(base, r.prompt, r.answer) for r in rows]
    cuts = np.cumsum([e.trained for e in alone])[:-1]
    truth = np.isin(np.arange(40), wrong)

    def found(encoded) -> float:
        worst = [part.max() for part in np.split(token_losses(base, encoded), cuts)]
        return auroc(np.array(worst), truth)

    shown = found(with_examples(base, rows, most_alike(rows, 4)[0], 1024))
    assert shown > 0.62
    # made-up towns and stones: without other rows there is nothing to know
    assert shown > found(alone) + 0.15
