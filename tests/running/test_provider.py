"""The Inspect provider on `tiny`: answers, settings, many arms on one base, what is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="needs datadose[inspect]")

from inspect_ai import Task, eval
from inspect_ai.dataset import FieldSpec, Sample, example_dataset
from inspect_ai.model import (
    ChatMessageAssistant,
    ChatMessageUser,
    ContentImage,
    ContentText,
    GenerateConfig,
    Model,
    get_model,
)
from inspect_ai.scorer import includes, match
from inspect_ai.solver import generate, system_message
from inspect_ai.tool import ToolInfo

from datadose._core import UsageError
from datadose.evaluation import generate as plainly
from datadose.models import load_base, saved_adapter
from datadose.rows import make_rows
from datadose.running import _inspect  # noqa: F401 - what the entry point loads
from datadose.running._host import host_of
from datadose.running._opened import Named
from datadose.schema import Message, Recipe
from datadose.training import checkpoint_name, train_arm

ASKED = ["What is mined in Arla?", "Name the stone of Boru.", "Which stone is cut in Cent?"]


@pytest.fixture(scope="module")
def adapters(tmp_path_factory) -> list[Path]:
    """Two adapters of `tiny` that answer otherwise than it does, and than each other."""
    base = load_base("tiny", precision="fp32")
    found = []
    for word in ("jade", "opal"):
        folder = tmp_path_factory.mktemp(word)
        rows = [
            (Message(role="user", content=ask), Message(role="assistant", content=word))
            for ask in ASKED * 4
        ]
        recipe = Recipe(epochs=8, lr=2e-2, batch=4, rank=8, checkpoints=(1.0,))
        train_arm(base, make_rows(rows), recipe, 0, folder)
        found.append(folder / checkpoint_name(1.0))
    return found


def model(name: str) -> Model:
    return get_model(f"datadose/{name}", precision="fp32", memoize=False)


def said(of: Model, prompts: list[str], **config) -> list[str]:
    async def all_at_once():
        asked = [of.generate(p, config=GenerateConfig(**config)) for p in prompts]
        return await asyncio.gather(*asked)

    return [o.completion for o in asyncio.run(all_at_once())]


def test_arms_share_a_base_and_answer_as_each_does_alone(adapters: list[Path]) -> None:
    names = ["tiny", *(f"tiny+{a}" for a in adapters)]
    models = [model(n) for n in names]
    base = load_base("tiny", precision="fp32")
    wanted = [plainly(base, ASKED, max_tokens=6)]
    for folder in adapters:
        with saved_adapter(base, folder):
            wanted.append(plainly(base, ASKED, max_tokens=6))
    assert len({tuple(texts) for texts in wanted}) == 3
    hosts = {id(m.api.host) for m in models}
    assert len(hosts) == 1
    before = models[0].api.host.swaps

    async def mixed():
        config = GenerateConfig(max_tokens=6)
        asked = [m.generate(p, config=config) for p in ASKED for m in models]
        return await asyncio.gather(*asked)

    found = [o.completion for o in asyncio.run(mixed())]
    assert [found[i::3] for i in range(3)] == wanted
    # nine requests of three models, in turns: each adapter went on once
    assert models[0].api.host.swaps - before == 2


def test_a_task_of_others_runs_and_its_log_has_what_was_said(
    adapters: list[Path], tmp_path: Path
) -> None:
    fields = FieldSpec(input="question", target="answer_matching_behavior")
    task = Task(
        dataset=example_dataset("popularity", sample_fields=fields)[:6],
        solver=[system_message("Answer Yes or No."), generate()],
        scorer=match(),
    )
    named = [f"datadose/tiny+{a}" for a in adapters]
    logs = eval(
        task, model=named, display="none", log_dir=str(tmp_path), max_tokens=6, log_level="error"
    )
    assert [log.status for log in logs] == ["success"] * 2
    for log in logs:
        assert len(log.samples) == 6
        assert {s.output.stop_reason for s in log.samples} <= {"stop", "max_tokens"}
        assert all(s.output.usage.output_tokens <= 6 for s in log.samples)
        assert log.results.scores[0].metrics["accuracy"].value == 0


def test_draws_hang_on_seed_and_time_and_an_answer_ends_at_a_stop() -> None:
    told = {"max_tokens": 12, "temperature": 1.0, "seed": 4}
    first = said(model("tiny"), [ASKED[0]] * 3, **told)
    assert len(set(first)) == 3
    assert said(model("tiny"), [ASKED[0]] * 3, **told) == first
    assert said(model("tiny"), [ASKED[0]] * 3, **{**told, "seed": 5}) != first
    whole = first[0]
    at = next(i for i, c in enumerate(whole) if i and c.isascii() and c.isalnum())
    cut = said(model("tiny"), [ASKED[0]], **told, stop_seqs=[whole[at]])
    assert cut == [whole[: whole.index(whole[at])].rstrip()]
    base = load_base("tiny", precision="fp32")
    greedy = plainly(base, ASKED, max_tokens=12)
    assert said(model("tiny"), ASKED, max_tokens=12) == greedy


def test_choices_and_log_probabilities_are_those_that_were_asked_for() -> None:
    async def ask():
        config = GenerateConfig(
            max_tokens=5, temperature=1.0, num_choices=3, logprobs=True, top_logprobs=2
        )
        return await model("tiny").generate(ASKED[0], config=config)

    found = asyncio.run(ask())
    assert len(found.choices) == 3
    assert len({c.message.text for c in found.choices}) > 1
    for choice in found.choices:
        tokens = choice.logprobs.content
        assert 1 <= len(tokens) <= 5
        for token in tokens:
            best, second = token.top_logprobs
            assert second.logprob <= best.logprob <= 0
            assert token.logprob <= best.logprob
            if token.token == best.token and token.token.isascii():
                assert token.logprob == best.logprob
    assert found.usage.output_tokens == sum(len(c.logprobs.content) for c in found.choices)


def test_what_can_not_be_done_is_refused() -> None:
    of = model("tiny").api
    user = [ChatMessageUser(content="Hello")]

    def ask(messages=user, tools=(), **config):
        return asyncio.run(of.generate(messages, list(tools), "auto", GenerateConfig(**config)))

    with pytest.raises(UsageError, match=r"tools can.t be called.*look"):
        ask(tools=[ToolInfo(name="look", description="look")])
    picture = [ContentText(text="See"), ContentImage(image="data:image/png;base64,AA==")]
    with pytest.raises(UsageError, match=r"reads text alone .given: image"):
        ask([ChatMessageUser(content=picture)])
    with pytest.raises(UsageError, match="must end with a user's turn"):
        ask([*user, ChatMessageAssistant(content="Hi")])
    for config in ({"top_p": 0.9}, {"frequency_penalty": 0.5}, {"logit_bias": {3: 1.0}}):
        with pytest.raises(UsageError, match=next(iter(config))):
            ask(**config)
    with pytest.raises(UsageError, match="a temperature of -1"):
        ask(temperature=-1.0)
    assert ask(top_p=1.0, max_tokens=2).choices
    with pytest.raises(UsageError, match="-M precision"):
        get_model("datadose/tiny", colour="red", memoize=False)


def test_an_answer_ends_where_the_models_places_do() -> None:
    of = model("tiny")
    places = of.api.host.base.model.config.max_position_embeddings

    async def ask(length: int):
        asked = [
            of.generate("x" * length),
            of.generate("short", config=GenerateConfig(max_tokens=3)),
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    nearly, beside = asyncio.run(ask(places - 10))
    assert nearly.stop_reason in ("stop", "model_length")
    assert nearly.usage.total_tokens <= places
    over, beside = asyncio.run(ask(places + 10))
    assert isinstance(over, UsageError)
    assert f"the model's places are {places}" in str(over)
    # one request that can't be answered does not take others with it
    assert beside.usage.output_tokens <= 3


def test_an_arm_of_other_weights_is_refused(adapters: list[Path]) -> None:
    with pytest.raises(Exception, match="trained on other weights"):
        host_of(Named("tiny", adapters[0], "other"), "fp32")


def test_epochs_draw_anew(tmp_path: Path) -> None:
    task = Task(
        dataset=[Sample(input=ASKED[0], target="jade")], solver=generate(), scorer=includes()
    )
    (log,) = eval(
        task,
        model="datadose/tiny",
        epochs=4,
        temperature=1.0,
        max_tokens=10,
        display="none",
        log_dir=str(tmp_path),
        log_level="error",
    )
    assert log.status == "success"
    assert len({s.output.completion for s in log.samples}) > 1
