"""Rows scored as a stream: the same figures as by autograd, in their order, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from datadose._core import InputError, StageError
from datadose.models import load_base
from datadose.rows import make_rows
from datadose.schema import Message, Recipe, Row
from datadose.training import _stream as stream_module
from datadose.training import encode_rows, ghost_norms, load_scores, score_rows


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def rows() -> tuple[Row, ...]:
    turns = [(f"What is thing {i}?" + " Please." * (i % 3), f"It is {i * 37}.") for i in range(13)]
    return make_rows(
        [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in turns]
    )


def test_a_stream_gives_the_norms_of_its_rows_in_their_order(
    base, rows, tmp_path: Path, monkeypatch
) -> None:
    held: list[int] = []

    def come() -> Iterator[Row]:
        for row in rows:
            held.append(1)
            yield row

    monkeypatch.setattr(stream_module, "CHUNK", 5)
    seen: list[tuple[int, int]] = []
    made = score_rows(
        base,
        come(),
        Recipe(),
        tmp_path,
        parts=["head", "embedding"],
        on_event=lambda e: seen.append((e["rows"], len(held))),
    )
    assert seen == [(5, 5), (10, 10), (13, 13)]
    encoded = encode_rows(base, rows, Recipe())
    alone = [ghost_norms(base, [e], ["head", "embedding"]) for e in encoded]
    for name in ("loss", "head", "embedding", "cross"):
        expected = [float(getattr(norms, name)[0]) for norms in alone]
        assert np.allclose(made.array(name), expected, rtol=1e-4)
    assert made.array("tokens").tolist() == [e.trained for e in encoded]
    assert load_scores(tmp_path) == made
    with pytest.raises(KeyError, match="inner"):
        made.array("inner")


def test_scores_are_whole_or_not_there(base, rows, tmp_path: Path, monkeypatch) -> None:
    score_rows(base, rows, Recipe(), tmp_path)
    monkeypatch.setattr(stream_module, "CHUNK", 5)

    def stops() -> Iterator[Row]:
        yield from rows[:7]
        raise RuntimeError("the source broke off")

    with pytest.raises(RuntimeError):
        score_rows(base, stops(), Recipe(), tmp_path)
    with pytest.raises(InputError):
        load_scores(tmp_path)
    assert score_rows(base, rows[:7], Recipe(), tmp_path).rows == 7
    assert json.loads((tmp_path / "scores.json").read_text())["weights"] == base.weights


def test_mistakes_are_told_with_the_row_they_are_in(
    base, rows, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(stream_module, "CHUNK", 5)
    long = make_rows(
        [(Message(role="user", content="Why?"), Message(role="assistant", content="so " * 99))]
    )
    with pytest.raises(InputError) as told:
        score_rows(base, [*rows[:8], *long], Recipe(max_length=100), tmp_path)
    assert "row 9 " in str(told.value)
    with pytest.raises(InputError, match="no rows"):
        score_rows(base, [], Recipe(), tmp_path)
    with pytest.raises(StageError, match="bias"):
        score_rows(base, rows, Recipe(), tmp_path, parts=["bias"])
