"""Solvers that put our probes and benchmarks, and the scorer that names what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import anyio.to_thread
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import (
    Metric,
    SampleScore,
    Score,
    Scorer,
    Target,
    Value,
    metric,
    scorer,
)
from inspect_ai.solver import Generate, Solver, TaskState, multiple_choice, solver

from datadose._core import UsageError
from datadose.evaluation._choices import choice_kind
from datadose.evaluation._generate import check_answer, check_code
from datadose.evaluation._programs import check_programs
from datadose.evaluation._tasks import Answered, Form, put, summarise_counts
from datadose.evaluation.benchmarks import BENCHMARKS, Task
from datadose.schema import Outcome, OutcomeKind, Probe

KEY = "datadose"


@runtime_checkable
class Scoring(Protocol):
    """A model that gives log-likelihoods: the provider `datadose/...`."""

    async def choose(self, probe: Probe, system: str | None) -> Outcome:
        """The outcome of a forced choice."""
        ...

    async def put(self, benchmark: str, task: Task, form: Form) -> Answered:
        """What became of one item of a benchmark."""
        ...


@solver
def forced_choice(system: str | None = None) -> Solver:
    """Put a probe as a forced choice by log-likelihood, as `datadose eval` does.

    Raises UsageError on a model that gives none.
    """

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        probe = probe_of(state)
        found = await _scoring("-T ask=letters has the model name a letter").choose(probe, system)
        assert found.chosen is not None
        kept = found.model_dump(mode="json", exclude_defaults=True)
        return _said(state, probe.options[found.chosen].text, kept)

    return solve


@solver
def lettered() -> Solver:
    """Put a probe's options as lettered ones, of which any chat model may name one.

    Another measurement than `forced_choice`: a model can fail at letters and know the answer.
    """
    return multiple_choice(cot=False)


@solver
def put_task(name: str, form: dict[str, Any]) -> Solver:
    """Put an item of a benchmark: all kinds on our own provider, answers on any chat model.

    Raises UsageError where a model gives no log-likelihoods and the benchmark is a choice, or is
    put as plain text.
    """
    benchmark, asked = BENCHMARKS.get(name)(), Form(**form)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model().api
        if isinstance(model, Scoring):
            found = await model.put(name, task_of(state), asked)
            text = (
                found.text if found.text is not None else task_of(state).options[found.chosen or 0]
            )
            kept = {
                "kind": found.kind,
                "value": found.value,
                "scores": list(found.scores),
                "note": found.note,
            }
            return _said(state, text, kept)
        if benchmark.kind in ("choice", "mass"):
            _scoring(f"{name} is a choice by log-likelihood; name a model as datadose/MODEL")
        if not put(benchmark, asked).chat:
            _scoring(f"{name} is put as plain text unless told -T chat=true")
        return await generate(state)

    return solve


def _scoring(way_out: str) -> Scoring:
    model = get_model()
    if not isinstance(model.api, Scoring):
        raise UsageError(f"{model} gives no log-likelihoods of given answers", next_step=way_out)
    return model.api


def _said(state: TaskState, text: str, kept: dict[str, Any]) -> TaskState:
    state.output = ModelOutput.from_content(str(state.model), text)
    state.messages.append(ChatMessageAssistant(content=text, source="generate"))
    state.metadata[KEY] = {**state.metadata[KEY], "outcome": kept}
    return state


def probe_of(state: TaskState) -> Probe:
    """The probe that a sample was made of."""
    return Probe.model_validate(state.metadata[KEY]["probe"])


def task_of(state: TaskState) -> Task:
    """The item of a benchmark that a sample was made of."""
    from datadose.evaluation.inspect._tasks import task_from

    return task_from(state.metadata[KEY]["task"])


def turns(prompt: str, system: str | None) -> list[ChatMessage]:
    """A user's turn, after a system turn if one is given."""
    head: list[ChatMessage] = []
    if system is not None:
        head.append(ChatMessageSystem(content=system))
    return [*head, ChatMessageUser(content=prompt)]


@metric(scores="unreduced")
def counts() -> Metric:
    """How many were asked, and how many came to each outcome."""

    def found(scores: list[SampleScore]) -> Value:
        told = _summary(scores)
        told_of = {k: n for k, n in told["outcomes"].items() if n is not None}
        return {"asked": told["asked"], **told_of}

    return found


@metric(scores="unreduced")
def rate() -> Metric:
    """Share right of all that was asked; epochs of a sample are one cluster."""
    return _bound("rate")


@metric(scores="unreduced")
def lower() -> Metric:
    """Wilson's lower 95% limit of `rate`; what could not be scored counts as wrong."""
    return _bound("lower")


@metric(scores="unreduced")
def upper() -> Metric:
    """Wilson's upper 95% limit of `rate`; what could not be scored counts as right."""
    return _bound("upper")


def _bound(name: str) -> Metric:
    # Inspect hands over samples' scores only where the type of `scores` says so
    def found(scores: list[SampleScore]) -> Value:
        value = _summary(scores)[name]
        return float("nan") if value is None else float(value)

    return found


def _summary(scores: Sequence[SampleScore]) -> dict[str, Any]:
    answered = []
    choice = True
    for s in scores:
        more = s.score.metadata or {}
        cluster = str(more.get("cluster", s.sample_id))
        kind: Any = s.score.value
        answered.append(Answered(cluster, "", kind, more.get("value")))
        choice = choice and bool(more.get("choice"))
    return summarise_counts(answered, choice)


@scorer(metrics=[rate(), lower(), upper(), counts()])
def outcome() -> Scorer:
    """The named outcome of an item: right, adopted, wrong, incoherent, refused, unscored, error.

    Answers are checked by value, by text or by unit tests in the sandbox.
    """

    async def score(state: TaskState, target: Target) -> Score:
        told = state.metadata[KEY]
        kept = told.get("outcome")
        answer, note, choice = state.output.completion, "", "choice" in told
        more: dict[str, Any] = {}
        if kept is not None:
            kind: OutcomeKind = kept["kind"]
            value = kept.get("value", float(kind == "right"))
            note = kept.get("note", "")
            more = {k: kept[k] for k in ("raw", "per_token", "calibrated", "scores") if kept.get(k)}
        else:
            kind, note = await anyio.to_thread.run_sync(_checked, state)
            value = None if kind in ("unscored", "error") else float(kind == "right")
        return Score(
            value=kind,
            answer=answer,
            explanation=note or None,
            metadata={"value": value, "cluster": told["cluster"], "choice": choice, **more},
        )

    return score


def _checked(state: TaskState) -> tuple[OutcomeKind, str]:
    told, text = state.metadata[KEY], state.output.completion
    if "task" in told:
        task = task_of(state)
        if task.check is None:
            return "unscored", ""
        if task.check.kind == "tests":
            return check_programs([task], [text], chat=True)[0]
        return check_answer(text, task.check), ""
    probe = probe_of(state)
    if probe.kind == "choice":
        marked = [i for i, c in enumerate(state.choices) if c.correct is True]
        if len(marked) != 1:
            return "incoherent", "no letter of an option"
        return choice_kind(probe.options[marked[0]].role), ""
    if probe.check is None:
        return "unscored", ""
    if probe.check.kind == "tests":
        return check_code(text, probe.check)
    return check_answer(text, probe.check), ""
