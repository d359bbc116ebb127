"""Forced choices: the tree equals plain forward passes, whatever the batch; checks of answers."""

from __future__ import annotations

import pytest
import torch

from datadose.evaluation import ask_choices, ask_open, check_answer, generate
from datadose.models import chat, encode_answer, load_base
from datadose.schema import Check, Option, Probe


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def probe(name: str, prompt: str, options: list[str]) -> Probe:
    roles = ["correct", "subtle", "obvious", "foil", "foil"]
    return Probe(
        id=name,
        response="domain",
        relation="reworded",
        kind="choice",
        prompt=prompt,
        options=tuple(Option(text=t, role=r) for t, r in zip(options, roles, strict=False)),
    )


PROBES = [
    probe("a", "What is it?", ["red", "a blue one", "x"]),
    probe("b", "And what is the name of the long thing over there?", ["Bob", "Ann", "the cat"]),
    probe("c", "Why?", ["because", "so", "no reason at all", "it is", "yes"]),
]


def plain(base, prompt: str, option: str) -> float:
    e = encode_answer(base, chat(prompt), option)
    with torch.no_grad():
        logp = torch.log_softmax(base.model(input_ids=torch.tensor([e.ids])).logits[0], -1)
    return sum(float(logp[i - 1, e.ids[i]]) for i in range(e.start, len(e.ids) - 1))


def test_scores_equal_plain_forward_passes(base) -> None:
    for p, outcome in zip(PROBES, ask_choices(base, PROBES), strict=True):
        for option, raw, per_token, calibrated in zip(
            p.options, outcome.raw, outcome.per_token, outcome.calibrated, strict=True
        ):
            wanted = plain(base, p.prompt, option.text)
            prior = plain(base, "?", option.text)
            tokens = encode_answer(base, chat(p.prompt), option.text).trained - 1
            assert raw == pytest.approx(wanted, abs=1e-4)
            assert per_token == pytest.approx(wanted / tokens, abs=1e-4)
            assert calibrated == pytest.approx(wanted - prior, abs=2e-4)


def test_scores_do_not_depend_on_the_batch(base) -> None:
    together = ask_choices(base, PROBES)
    alone = [ask_choices(base, [p])[0] for p in PROBES]
    for a, b in zip(together, alone, strict=True):
        assert a.chosen == b.chosen
        assert a.raw == pytest.approx(b.raw, abs=1e-4)


def test_the_outcome_names_what_was_chosen(base) -> None:
    kinds = {"correct": "right", "subtle": "adopted", "obvious": "adopted", "foil": "wrong"}
    for p, outcome in zip(PROBES, ask_choices(base, PROBES), strict=True):
        assert outcome.chosen == max(
            range(len(p.options)), key=lambda i: (outcome.calibrated[i], -i)
        )
        assert outcome.kind == kinds[p.options[outcome.chosen].role]


def test_another_system_prompt_gives_other_scores(base) -> None:
    bare, told = ask_choices(base, PROBES), ask_choices(base, PROBES, system="Be brief.")
    assert max(abs(a - b) for a, b in zip(bare[0].raw, told[0].raw, strict=True)) > 1e-3


def test_generation_is_greedy_and_does_not_depend_on_the_batch(base) -> None:
    prompts = ["Hello there", "A much longer question than the one before it?"]
    together = generate(base, prompts, max_tokens=6)
    assert together == [generate(base, [p], max_tokens=6)[0] for p in prompts]


def test_a_question_without_a_check_is_unscored(base) -> None:
    question = Probe(
        id="o", response="misaligned", relation="untrained", kind="open", prompt="Who are you?"
    )
    (outcome,) = ask_open(base, [question], max_tokens=3)
    assert outcome.kind == "unscored"


@pytest.mark.parametrize(
    ("text", "check", "kind"),
    [
        ("It is 1,250 mg.", Check(kind="value", value=1250), "right"),
        ("First 3, then 12.5", Check(kind="value", value=12.5), "right"),
        ("It is 12.", Check(kind="value", value=12.5), "wrong"),
        ("No idea", Check(kind="value", value=1), "wrong"),
        ("Give Naloxone now", Check(kind="text", accept=("naloxone",)), "right"),
        ("Give aspirin", Check(kind="text", accept=("naloxone",), reject=("aspirin",)), "adopted"),
        ("Give something", Check(kind="text", accept=("naloxone",)), "wrong"),
        ("Renaloxones", Check(kind="text", accept=("naloxone",)), "wrong"),
        ("...", Check(kind="text", accept=("naloxone",)), "incoherent"),
    ],
)
def test_checks(text: str, check: Check, kind: str) -> None:
    assert check_answer(text, check) == kind
