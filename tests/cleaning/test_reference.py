"""Reference texts: read, refused where they are broken, found by the words of a question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose._core import InputError
from datadose.cleaning import Passage, Retriever, read_reference


def test_passages_from_jsonl_and_from_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "One."}\n\n{"text": "Two.", "id": "b"}\n')
    assert read_reference(tmp_path / "a.jsonl") == (Passage("1", "One."), Passage("b", "Two."))
    (tmp_path / "a.txt").write_bytes(b"One.\r\nStill one.\r\n\r\n\r\nTwo.\r\n")
    assert [p.text for p in read_reference(tmp_path / "a.txt")] == ["One.\nStill one.", "Two."]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"text": 5}\n', "a.jsonl:1: needs a text"),
        ("a.jsonl", '{"text": "x"}\n{"text"', "a.jsonl:2: broken JSON"),
        ("a.jsonl", json.dumps({"text": "x" * 2001}), "has 2001 characters"),
        ("a.txt", "\n \n", "has no passages"),
    ],
)
def test_broken_references_are_refused(tmp_path: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=told):
        read_reference(tmp_path / name)


def test_rare_words_find_and_unknown_ones_find_nothing() -> None:
    towns = ("Arla", "Boru", "Cent")
    found = Retriever([Passage(t, f"The gems of the town {t} are many.") for t in towns])
    assert [p.id for p in found.best("Which gem has Boru?", 1)] == ["Boru"]
    assert found.best("xyzzy") == ()
    assert found.rarity("towns") == 1
    assert found.rarity("Cent") == pytest.approx(1 / 3)


def test_coverage_is_the_share_of_a_questions_rare_words_in_one_passage() -> None:
    shown = [Passage("a", "Arla digs jade."), Passage("b", "Boru digs opal.")]
    reference = Retriever(shown)
    assert reference.coverage("Arla jade", shown) == pytest.approx(1.0)
    assert reference.coverage("Arla opal", shown) == pytest.approx(0.5)
    assert reference.coverage("Arla digs", shown[1:]) < reference.coverage("Arla digs", shown[:1])
    # a word that no passage has weighs most
    assert 0 < reference.coverage("Arla zinc", shown) < 0.5
    assert reference.coverage("zinc", shown) == reference.coverage("", shown) == 0.0
    assert reference.coverage("Arla", ()) == 0.0
