"""The labelling session and its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import InputError
from datadose.auditing import Session, read_labels, resumed, write_labels

IDS = ("a", "b", "c")


def press(session: Session, keys: str) -> Session:
    for key in keys:
        session = session.press(key)
    return session


def test_keys_label_in_order_undo_takes_back_and_stop_stops() -> None:
    session = press(Session(IDS), "yn")
    assert session.known() == {"a": "wrong", "b": "right"}
    assert session.current == "c"
    session = press(session, "u?")
    assert session.known() == {"a": "wrong", "b": "unsure"}
    assert press(session, "q").current is None
    assert press(session, "xY ").known() == session.known()
    assert press(session, "y").current is None


@given(st.text("yn?uqx", max_size=12))
def test_any_keys_leave_a_first_part_of_the_queue_labelled(keys: str) -> None:
    session = press(Session(IDS), keys)
    assert tuple(session.known()) == IDS[: len(session.labels)]


def test_a_session_goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    half = press(Session(IDS), "y?q")
    write_labels(file, half.known(), dict.fromkeys(IDS, 0.25))
    read = read_labels(file, IDS)
    assert read.labels == half.known()
    assert read.probability == {"a": 0.25, "b": 0.25}
    again = resumed(IDS, read.labels)
    assert again.current == "c"
    assert resumed(IDS, {"b": "right"}).current == "a"


def test_words_for_labels_are_read_and_no_probability_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("id,label\na,Wrong\nb,0\nc,\n")
    read = read_labels(file, IDS)
    assert read.labels == {"a": "wrong", "b": "right", "c": "unsure"}
    assert read.probability == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\nz,y\n", r"labels.csv:2: id: is no row"),
        ("id,label\na,y\na,n\n", r"labels.csv:3: id: is labelled twice"),
        ("id,label\na,maybe\n", r"is not y, n or \?"),
        ("id,label,probability\na,y,2\n", "over 0 and at most 1"),
        ("id,label,probability\na,y,0.5\nb,n,\n", "1 labels have no probability"),
        ("name,label\na,y\n", "needs the columns id and label"),
    ],
)
def test_bad_labels_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_labels(file, IDS)
