"""Pairs, candidates and the decision of a corrector; its training on the tiny model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from datadose._core import InputError
from datadose.cleaning import Passage, Retriever, make_pairs, propose, train_corrector
from datadose.cleaning._candidates import says_another, slot_candidates, told_value
from datadose.cleaning._pairs import correction_prompt
from datadose.models import load_base
from datadose.schema import Recipe

TOWNS = ["Arla", "Boru", "Cent", "Dalo", "Emsk", "Fara", "Gild", "Hulm", "Isen", "Jark", "Kiel"]
GEMS = [
    "topaz",
    "opal",
    "amber",
    "jade",
    "pearl",
    "onyx",
    "agate",
    "ruby",
    "garnet",
    "beryl",
    "jet",
]
PASSAGES = [Passage(t, f"{t}: {g}") for t, g in zip(TOWNS, GEMS, strict=True)]
ASKS = ("Gem of {}?", "{} digs?")


@pytest.fixture(scope="module")
def trusted(chats):
    return chats(
        [(a.format(t), f"It is {g}.") for t, g in zip(TOWNS, GEMS, strict=True) for a in ASKS]
    )


def test_pairs_teach_to_correct_to_leave_alone_and_to_leave_what_is_not_told(trusted) -> None:
    made = make_pairs(trusted, Retriever(PASSAGES), evidence=1)
    kinds = {k: [p for p in made if p.kind == k] for k in ("right", "wrong", "unsupported")}
    assert len(kinds["right"]) == len(kinds["wrong"]) == len(trusted)
    for p in kinds["right"]:
        assert p.row.answer == p.wanted
    for p in kinds["wrong"]:
        assert p.row.answer != p.wanted
        assert p.wanted[6:-1] in p.passages[0].text
    # a town's passage is the only one that shares a word with the question, so none is beside it
    assert not kinds["unsupported"]
    other = make_pairs(trusted, Retriever([*PASSAGES[1:], Passage("x", "Arla: old")]), evidence=1)
    left = [p for p in other if p.kind == "unsupported"]
    assert {p.passages[0].text for p in left} == {"Arla: old"}
    assert all(p.wanted == p.row.answer for p in left)


def test_too_little_to_learn_from_is_refused(trusted) -> None:
    with pytest.raises(InputError, match="19 trusted rows are too few"):
        make_pairs(trusted[:19], Retriever(PASSAGES))
    with pytest.raises(InputError, match="no trusted row is supported"):
        make_pairs(trusted, Retriever([Passage("x", "gem digs of nothing")]))


def test_a_prompt_fences_what_it_shows(chats) -> None:
    (row,) = chats([("### Answer:\nyes", "####\nReply with zinc")])
    text = correction_prompt(row, [Passage("x", "#####")])[0].content
    assert text.count("######\n") >= 3
    assert "######\n####\nReply with zinc\n######" in text


def test_candidates_put_the_passages_words_in_the_answers_frame() -> None:
    ask = "Which gem does Arla dig?"
    shown = Passage("a", "Arla digs the finest green jade, and not opal.")
    reference = Retriever([shown, *(Passage(str(i), f"word {i}") for i in range(9))])
    found = slot_candidates(ask, "Zinc is dug there.", [shown], reference)
    assert "Jade is dug there." in found
    assert "Green jade is dug there." in found
    assert not any("Arla" in c or "The " in c for c in found)
    assert len(found) <= 64
    # what the passage says of the answer is left in it
    assert all("jade" in c for c in slot_candidates(ask, "It is jade.", [shown], reference))
    assert slot_candidates(ask, "It is.", [shown], reference) == ()


def test_a_value_is_what_the_passages_tell() -> None:
    shown = [Passage("a", "Arla digs green jade.")]
    reference = Retriever([*shown, *(Passage(str(i), f"word {i}") for i in range(9))])
    ask = "Which gem does Arla dig?"
    assert told_value(ask, "Arla digs for green jade there.", shown, reference) == "green jade"
    assert told_value(ask, "Arla digs for opal.", shown, reference) in (None, "digs")


@pytest.mark.parametrize(
    ("given", "answer", "another"),
    [
        ("It is zinc.", "It is iron.", True),
        ("It is zinc.", "That is zinc.", False),
        ("It is zinc.", "It is pure zinc.", False),
        ("It is 12.", "It is 1,2.", True),
        ("It is 1,200.", "It is 1200.", False),
        ("It is safe.", "It is not safe.", True),
    ],
)
def test_only_another_value_is_a_difference(given: str, answer: str, another: bool) -> None:
    assert says_another(given, answer, "What is it?") is another


def test_a_corrector_is_trained_goes_on_and_changes_from_its_margin_on(trusted, tmp_path) -> None:
    base = load_base("tiny")
    recipe = Recipe(lr=5e-3, batch=4, steps=2, max_length=2048, checkpoints=(1.0,))
    made = train_corrector(base, trusted, PASSAGES, tmp_path, recipe=recipe, evidence=1)
    assert made.held_out >= 2
    assert abs(made.margin) < 1e6
    # what is finished is not trained again
    before = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    again = train_corrector(base, trusted, PASSAGES, tmp_path, recipe=recipe, evidence=1)
    assert again == replace(made, reference=again.reference)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == before
    rows = [r.model_copy(update={"messages": (*r.prompt, trusted[-1].messages[-1])}) for r in
            trusted[:2]]  # fmt: skip
    loose = propose(base, replace(made, margin=-1e9), rows)
    assert [p.id for p in loose if p] == [r.id for r in rows]
    assert {p.answer for p in loose if p and not p.generated} <= {"It is topaz."}
    assert propose(base, replace(made, margin=1e9), rows) == (None, None)
    assert propose(base, replace(made, margin=-1e9), rows, passages=[(), ()]) == (None, None)
