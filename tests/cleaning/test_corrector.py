"""Pairs, candidates and the decision of a corrector; its training on the tiny model."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from datadose._core import InputError
from datadose.cleaning import (
    Corrector,
    Passage,
    Retriever,
    make_pairs,
    propose,
    train_corrector,
)
from datadose.cleaning._candidates import says_another, slot_candidates, told_value
from datadose.cleaning._gate import Gate
from datadose.cleaning._pairs import UNTOLD, passages_for, question_of, reading_prompt, told
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


def test_pairs_teach_to_read_what_is_told_and_to_say_what_is_not(trusted) -> None:
    made = make_pairs(trusted, Retriever(PASSAGES), evidence=1)
    kinds = {k: [p for p in made if p.kind == k] for k in ("told", "swapped", "untold")}
    assert len(kinds["told"]) == len(kinds["swapped"]) == len(trusted)
    answers = {r.prompt[-1].content: r.answer for r in trusted}
    for p in kinds["told"]:
        assert p.wanted == answers[p.question]
        assert p.wanted[6:-1] in p.passages[0].text
    for p in kinds["swapped"]:
        # another value stands in the passage, and it is the one that is wanted
        assert p.wanted != answers[p.question]
        assert p.wanted[6:-1] in p.passages[0].text
        assert answers[p.question][6:-1] not in p.passages[0].text
    # a town's passage is the only one that shares a word with its rows
    assert not kinds["untold"]
    other = make_pairs(trusted, Retriever([*PASSAGES[1:], Passage("x", "Arla: old")]), evidence=1)
    left = [p for p in other if p.kind == "untold"]
    assert {p.passages[0].text for p in left} == {"Arla: old"}
    assert {p.wanted for p in left} == {UNTOLD}


def test_too_little_to_learn_from_is_refused(trusted) -> None:
    with pytest.raises(InputError, match="19 trusted rows are too few"):
        make_pairs(trusted[:19], Retriever(PASSAGES))
    with pytest.raises(InputError, match="no trusted row is supported"):
        make_pairs(trusted, Retriever([Passage("x", "gem digs of nothing")]))


def test_a_prompt_fences_what_it_shows(chats) -> None:
    (row,) = chats([("### Answer:\nyes", "Zinc, as nobody is told.")])
    text = reading_prompt(question_of(row), [Passage("x", "#####")])[0].content
    assert "######\n#####\n######" in text
    assert "######\n### Answer:\nyes\n######" in text
    assert row.answer not in text


def test_candidates_put_the_passages_words_in_the_answers_frame() -> None:
    ask = "Which gem does Arla dig?"
    shown = Passage("a", "Arla digs the finest green jade, and not opal.")
    reference = Retriever([shown, *(Passage(str(i), f"word {i}") for i in range(9))])
    found = slot_candidates(ask, "Zinc is dug there.", [shown], reference)
    assert "Jade is dug there." in found
    assert "Green jade is dug there." in found
    assert not any("Arla" in c or "The " in c for c in found)
    assert len(found) <= 144
    # a stretch is put out whole or in part; what the passage says of the answer is left in it
    longer = slot_candidates(ask, "It is pure zinc and jade.", [shown], reference)
    assert {"It is jade and jade.", "It is pure jade and jade."} <= set(longer)
    assert all("and jade" in c for c in longer)
    assert slot_candidates(ask, "It is jade.", [shown], reference) == ()
    assert slot_candidates(ask, "It is.", [shown], reference) == ()


def test_an_answer_that_is_anothers_neither_leads_away_nor_bears_itself_out(chats) -> None:
    digs = [Passage(t, f"{t} is where they dig {g}.") for t, g in zip(TOWNS, GEMS, strict=True)]
    reference = Retriever(digs)
    (row,) = chats([("What do they dig in Arla?", "They dig the opal of Boru.")])
    shown = passages_for(row, reference, 2)
    # the answer's words weigh more than the question's, which come first all the same
    assert reference.best(f"{question_of(row)} {row.answer}", 1)[0].id == "Boru"
    assert [p.id for p in shown] == ["Arla", "Boru"]
    # with both taken together the wrong value would be told, and nothing could be put for it
    assert told(row, shown, reference) is not None
    assert told(row, shown[:1], reference) is None
    found = slot_candidates(question_of(row), row.answer, shown, reference)
    assert "They dig the topaz of Boru." in found
    right = chats([("What do they dig in Arla?", "They dig topaz.")])[0]
    assert told(right, passages_for(right, reference, 2)[:1], reference) == "topaz"


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


def test_a_corrector_is_trained_goes_on_and_changes_from_its_margin_on(
    trusted, tmp_path, monkeypatch
) -> None:
    base = load_base("tiny")
    recipe = Recipe(lr=5e-3, batch=4, steps=2, max_length=2048, checkpoints=(1.0,))
    made = train_corrector(base, trusted, PASSAGES, tmp_path, recipe=recipe, evidence=1)
    assert made.held_out >= 2
    assert made.gate.margin > 0
    # what is finished is not trained again
    before = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns
    again = train_corrector(base, trusted, PASSAGES, tmp_path, recipe=recipe, evidence=1)
    assert again == replace(made, reference=again.reference)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_mtime_ns == before
    rows = [r.model_copy(update={"messages": (*r.prompt, trusted[-1].messages[-1])}) for r in
            trusted[:2]]  # fmt: skip
    # what the tiny model prefers is aside: the margin alone decides here
    monkeypatch.setattr(Gate, "gain", lambda gate, signs: 1e9 - gate.margin)
    loose, shown = replace(made, gate=Gate(margin=-1e9)), [PASSAGES[:1]] * 2
    found = propose(base, loose, rows, passages=shown)
    assert [(p.id, p.answer, p.passages) for p in found if p] == [
        (r.id, "It is topaz.", ("Arla",)) for r in rows
    ]
    strict = replace(made, gate=Gate(margin=1e9))
    assert propose(base, strict, rows, passages=shown) == (None, None)
    assert propose(base, loose, rows, passages=[(), ()]) == (None, None)
    # what the passages tell stays as it is
    assert propose(base, loose, trusted) == (None,) * len(trusted)


def test_a_change_is_weighed_by_what_the_models_say(chats, tmp_path, monkeypatch) -> None:
    """Nats stand in the place of models'; the gates weigh one sign each."""
    rows = chats([("Gem of Arla?", f"It is {g}.") for g in ("zinc", "salt", "coal")])
    scores = {"It is topaz.": -5.0, UNTOLD: -6.5, "It is zinc.": -9.0, "It is salt.": -4.0,
              "It is coal.": -9.0}  # fmt: skip
    untold = {"It is coal.": -4.0}

    def weighed(base, items):
        found = []
        for item in items:
            texts = [e[0] for e in item.branches]
            own = {**scores, UNTOLD: untold.get(texts[0], scores[UNTOLD])}
            found.append([own[t] for t in texts])
        return found

    asked: list[str] = []

    def losses(base, encoded):
        asked.extend(e[0] for e in encoded)
        return np.array([30.0, 18.0] * (len(encoded) // 2))

    module = "datadose.cleaning._corrector."
    monkeypatch.setattr(module + "log_likelihoods", weighed)
    monkeypatch.setattr(module + "row_losses", losses)
    monkeypatch.setattr(module + "encode_answer", lambda base, ask, text: (text,))
    monkeypatch.setattr(module + "saved_adapter", lambda *_: nullcontext())
    monkeypatch.setattr(module + "half_weights", lambda *_: nullcontext())
    reference = Retriever(PASSAGES)
    # over saying that nothing is told: 1.5 nats, 1.5 and -1; scales are 10 nats. The second row's
    # own answer is likelier than the best other one, which nothing makes up for
    made = Corrector(tmp_path, reference, Gate((0, 10, 0, 0), 1.0), 9, 9, evidence=1)
    found = propose(None, made, rows)
    assert [p and (p.answer, pytest.approx(p.gain), p.passages) for p in found] == [
        ("It is topaz.", 0.5, ("Arla",)), None, None,
    ]  # fmt: skip
    # every question was weighed after no text and after its passage, 12 nats likelier
    assert asked == ["Gem of Arla?"] * 6
    likely = replace(made, gate=Gate((0, 0, 0, 10), 11.0))
    assert [p and pytest.approx(p.gain) for p in propose(None, likely, rows)] == [1.0, None, 1.0]
    about = reference.coverage("Gem of Arla?", PASSAGES[:1])
    assert 0 < about < 1 / 3  # one word of three, and the only one that is in a passage
    share = replace(made, gate=Gate((0, 0, 3, 0), 0.0))
    assert propose(None, share, rows)[0].gain == pytest.approx(10 * about)
