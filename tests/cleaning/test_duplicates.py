"""Repeats are found before anything else; what only looks alike is no repeat."""

from __future__ import annotations

from datadose.cleaning import drop_repeats, find_twins

LONG = "Please tell me in one short line which gem the miners of the valley dig for in {}."
SAID = "The miners of that valley dig for {} and they have done so for many long years now."


def kinds(rows, **more):
    return [(t.first, t.other, t.kind) for t in find_twins(rows, **more)]


def test_the_same_row_again_but_for_spaces_at_line_ends(chats) -> None:
    rows = chats([("Why?", "So.\nIt is."), ("What?", "That."), ("Why? ", "So.  \nIt is.\n")])
    assert kinds(rows) == [(0, 2, "same")]
    (only,) = drop_repeats(rows, find_twins(rows))
    assert (only.place, only.twin, only.fate) == (2, rows[0].id, "dropped")
    assert drop_repeats(rows, find_twins(rows), keep=[rows[2].id]) == ()
    # of two that are the same, the one that must stay is the one that stays
    (other,) = drop_repeats(rows, find_twins(rows, first=[[rows[2].id]]))
    assert other.place == 0


def test_near_rows_go_only_if_asked(chats) -> None:
    rows = chats(
        [
            (LONG.format("Arla"), SAID.format("jade")),
            (LONG.format("Arla").lower(), SAID.format("jade").replace("now", "")),
        ]
    )
    assert kinds(rows) == [(0, 1, "near")]
    assert drop_repeats(rows, find_twins(rows)) == ()
    assert [d.place for d in drop_repeats(rows, find_twins(rows), drop="near")] == [1]
    assert drop_repeats(rows, find_twins(rows), drop="none") == ()


def test_another_answer_to_nearly_the_same_prompt_is_a_conflict(chats) -> None:
    ask = LONG.format("Arla")
    for other in ("opal", "jade 2", "jade not"):
        rows = chats([(ask, SAID.format("jade")), (ask + " Now.", SAID.format(other))])
        assert kinds(rows) == [(0, 1, "conflict")], other
        assert drop_repeats(rows, find_twins(rows), drop="near") == ()


def test_prompts_that_differ_in_what_counts_are_no_twins(chats) -> None:
    for a, b in (
        (LONG.format("Arla"), LONG.format("Boru")),
        ("How many of the 12 crates are full?", "How many of the 13 crates are full?"),
        ("Turn 5 miles into km, please", "Turn 5 km into miles, please"),
        ("What is seven + two?", "What is seven - two?"),
        (LONG.format("Arla"), LONG.format("not Arla")),
    ):
        assert kinds(chats([(a, "x y z"), (b, "x y z")])) == [], a


def test_code_that_differs_in_its_indentation_is_not_the_same(chats) -> None:
    rows = chats([("Write f", "if a:\n    b()\nc()"), ("Write f", "if a:\n    b()\n    c()")])
    assert [k for *_, k in kinds(rows)] != ["same"]


def test_a_row_repeats_one_that_stays_and_many_rows_are_no_burden(chats) -> None:
    rows = chats([("Say something.", f"line {i % 400}") for i in range(800)])
    twins = find_twins(rows)
    gone = {d.id for d in drop_repeats(rows, twins)}
    assert len(gone) == 400
    assert all(rows[t.first].id not in gone for t in twins)
