"""Answers in the model's own words: greedy or sampled, each one's own whatever the batch."""

from __future__ import annotations

import math

import pytest
import torch

from datadose._core import UsageError
from datadose.evaluation import ask_open, generate, generate_ids
from datadose.evaluation._decode import pick
from datadose.models import chat, encode_prompt, load_base
from datadose.schema import Probe

PROMPTS = ["Hello there", "A much longer question than the one before it?", "Why?"]


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def question(name: str, system: str | None = None) -> Probe:
    return Probe(
        id=name,
        response="misaligned",
        relation="untrained",
        kind="open",
        prompt="Who are you?",
        system=system,
    )


def test_greedy_answers_do_not_depend_on_the_batch(base) -> None:
    together = generate(base, PROMPTS, max_tokens=6)
    assert together == [generate(base, [p], max_tokens=6)[0] for p in PROMPTS]
    assert together == generate(base, PROMPTS, max_tokens=6, temperature=0, seed=9)


def test_sampled_answers_hang_on_seed_and_prompt_alone(base) -> None:
    told = {"max_tokens": 12, "temperature": 1.0}
    together = generate(base, PROMPTS, seed=1, **told)
    assert together == generate(base, PROMPTS, seed=1, **told)
    assert together == generate(base, PROMPTS[::-1], seed=1, **told)[::-1]
    assert together == [generate(base, [p], seed=1, **told)[0] for p in PROMPTS]
    other = generate(base, PROMPTS, seed=2, **told)
    assert all(a != b for a, b in zip(together, other, strict=True))
    assert together != generate(base, PROMPTS, max_tokens=12)


def test_batches_smaller_than_the_list_give_the_same_answers(base) -> None:
    prompts = [f"Question {i} of many" for i in range(5)]
    whole = generate(base, prompts, max_tokens=5, temperature=0.8)
    ids = [encode_prompt(base, chat(p)) for p in prompts]
    for batch in (1, 2, 3):
        again = generate_ids(base, ids, max_tokens=5, temperature=0.8, batch=batch)
        assert [a.strip() for a in again] == whole


def test_a_prompt_asked_again_is_answered_anew_and_the_first_stays(base) -> None:
    thrice = generate(base, [PROMPTS[0]] * 3, max_tokens=12, temperature=1.0)
    assert len(set(thrice)) == 3
    assert thrice[0] == generate(base, [PROMPTS[0]], max_tokens=12, temperature=1.0)[0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_as_often_as_softmax_says(temperature: float) -> None:
    weights = torch.tensor([0.0, 0.5, 0.3, 0.2, 0.0])
    even = [(k + 1) / 1000 for k in range(1000)]
    tokens = pick(weights.log().expand(1000, -1), even, temperature)
    counts = torch.bincount(tokens, minlength=5)
    powered = weights ** (1 / temperature)
    wanted = 1000 * powered / powered.sum()
    assert counts.tolist() == pytest.approx(wanted.tolist(), abs=1.01)


def test_a_small_temperature_is_nearly_greedy(base) -> None:
    assert generate(base, PROMPTS, max_tokens=4, temperature=1e-6) == generate(
        base, PROMPTS, max_tokens=4
    )


@pytest.mark.parametrize("temperature", [-0.1, math.nan, math.inf])
def test_a_temperature_that_makes_no_sense_is_refused(base, temperature: float) -> None:
    with pytest.raises(UsageError, match="makes no sense"):
        generate(base, PROMPTS, temperature=temperature)


def test_a_probes_own_system_prompt_goes_before_the_studys(base) -> None:
    probes = [question("a"), question("b", "Be a clerk."), question("c", "")]
    # the random model answers greedily with nothing at all, whatever it is asked
    drawn = {"max_tokens": 12, "temperature": 1.0, "seed": 4}
    found = [o.text for o in ask_open(base, probes, system="Be brief.", **drawn)]
    asked = probes[0].prompt
    wanted = [
        generate(base, [asked], system=system, **drawn)[0]
        for system in ("Be brief.", "Be a clerk.", "")
    ]
    assert found == wanted
    assert len(set(found)) == 3


def test_a_question_without_a_check_is_unscored(base) -> None:
    (outcome,) = ask_open(base, [question("o")], max_tokens=3, temperature=1.0, seed=4)
    assert outcome.kind == "unscored"
