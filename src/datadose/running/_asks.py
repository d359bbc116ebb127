"""What a host computes for requests that came together: answers, forced choices, benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose._core import DatadoseError, UsageError
from datadose.evaluation import (
    BATCH,
    Answered,
    Form,
    Generated,
    Prior,
    ask_choices,
    ask_tasks,
    contentless,
    generate_answers,
    option_prior,
)
from datadose.evaluation.benchmarks import BENCHMARKS, Benchmark, Task
from datadose.models import BaseModel, encode_prompt
from datadose.schema import Message, Outcome, Probe

Chat = tuple[Message, ...]


@dataclass(frozen=True)
class Said:
    """An answer, how many tokens were asked, and why it ended: stop, max_tokens, model_length."""

    asked: int
    generated: Generated
    reason: str


@dataclass(frozen=True)
class AnswerForm:
    """How answers are made; arguments of `generate_answers`."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    likeliest: int | None = None
    batch: int = BATCH

    def answer(
        self, base: BaseModel, chats: Sequence[tuple[Chat, int]]
    ) -> list[Said | DatadoseError]:
        """Answers to chats, each with how often it was asked before.

        An answer ends where the model's positions do; a chat that leaves none is an UsageError.
        """
        places = getattr(base.model.config, "max_position_embeddings", None)
        found: list[Said | DatadoseError | None] = [None] * len(chats)
        rooms: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
        for i, (turns, _) in enumerate(chats):
            ids = encode_prompt(base, turns)
            room = self.max_tokens if places is None else min(self.max_tokens, places - len(ids))
            if room < 1:
                found[i] = UsageError(
                    f"the chat has {len(ids)} tokens, the model's places are {places}",
                    where=base.name,
                    next_step="shorten the prompt, or leave this item out",
                )
            else:
                rooms.setdefault(room, []).append((i, ids))
        for room, asked in rooms.items():
            answers = generate_answers(
                base,
                [ids for _, ids in asked],
                max_tokens=room,
                temperature=self.temperature,
                seed=self.seed,
                stop=self.stop,
                batch=self.batch,
                again=[chats[i][1] for i, _ in asked],
                likeliest=self.likeliest,
            )
            cut = "max_tokens" if room == self.max_tokens else "model_length"
            for (i, ids), answer in zip(asked, answers, strict=True):
                found[i] = Said(len(ids), answer, "stop" if answer.ended else cut)
        return [f for f in found if f is not None]


@dataclass(frozen=True)
class ChoiceForm:
    """How forced choices are put."""

    system: str | None = None

    def prior(self, base: BaseModel, probes: Sequence[Probe]) -> list[Prior]:
        """The contentless scores of all these probes' options, to each of them; on a bare base."""
        return [contentless(base, probes, system=self.system)] * len(probes)

    def choose(self, base: BaseModel, asked: Sequence[tuple[Probe, Prior]]) -> list[Outcome]:
        """The outcome of each probe."""
        prior = {key: score for _, known in asked for key, score in known.items()}
        return ask_choices(base, [p for p, _ in asked], system=self.system, prior=prior)


@dataclass(frozen=True)
class TaskForm:
    """How the items of a benchmark are put."""

    name: str
    form: Form

    @property
    def benchmark(self) -> Benchmark:
        """What the name stands for."""
        return BENCHMARKS.get(self.name)()

    def prior(self, base: BaseModel, tasks: Sequence[Task]) -> list[dict[str, float]]:
        """Scores of all these items' options after a prompt that asks nothing; on a bare base."""
        return [option_prior(base, self.benchmark, tasks, self.form)] * len(tasks)

    def put(
        self, base: BaseModel, asked: Sequence[tuple[Task, dict[str, float] | None]]
    ) -> list[Answered]:
        """What became of each item."""
        prior = {key: score for _, known in asked for key, score in (known or {}).items()}
        return ask_tasks(base, self.benchmark, [t for t, _ in asked], self.form, prior=prior)
