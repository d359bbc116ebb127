"""The Inspect model provider `datadose/MODEL`: an arm, an adapter or a base as a chat model."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, cast

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    Logprob,
    Logprobs,
    ModelAPI,
    ModelOutput,
    ModelUsage,
    TopLogprob,
)
from inspect_ai.tool import ToolChoice, ToolInfo

from datadose._core import UsageError, digest
from datadose.evaluation import BATCH, Answered, Form, Generated, Prior
from datadose.evaluation.benchmarks import Task
from datadose.running._asks import AnswerForm, ChoiceForm, Said, TaskForm
from datadose.running._host import Host, host_of
from datadose.running._opened import name_model
from datadose.schema import Message, Outcome, Probe

MAX_TOKENS = 512
# What would change an answer and can't be done here: refused, never left out in silence.
REFUSED = (
    *("top_p", "top_k", "best_of", "frequency_penalty", "presence_penalty", "logit_bias"),
    *("prompt_logprobs", "response_schema", "modalities", "extra_body"),
)
NEUTRAL: dict[str, Any] = {
    "top_p": 1.0,
    "best_of": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "extra_body": {},
    "modalities": [],
}


class Arm(ModelAPI):
    """A model of ours behind Inspect's interface.

    Models of one base share it in memory; adapters are put on when their requests come. Requests
    that come together are generated in one batch that refills. Greedy unless a temperature is
    told; at one, the k-th time that a prompt is asked has draws of its own, the same in every
    process for the same `seed` (0 where none is told). `-M precision=fp32`, `-M batch=64`.
    """

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 - Inspect's own signature
        precision: str = "auto",
        batch: int = BATCH,
        **other: Any,
    ) -> None:
        """Load the model; raises UsageError for arguments that mean nothing here."""
        super().__init__(model_name, base_url, api_key, [], config)
        if other or base_url or precision not in ("auto", "fp32", "bf16") or batch < 1:
            raise UsageError(
                f"this means nothing to a model of ours: {other or base_url or precision}",
                where=f"datadose/{model_name}",
                next_step="-M precision=auto|fp32|bf16 and -M batch=NUMBER are all there is",
            )
        self.named = name_model(model_name)
        # Inspect goes into a task's folder to run it
        self.adapter = None if self.named.adapter is None else self.named.adapter.resolve()
        self.host: Host = host_of(self.named, precision)
        self.batch = batch
        self._asked: Counter[str] = Counter()
        self._prior: Prior = {}
        self._options: dict[TaskForm, dict[str, float]] = {}

    def max_connections(self) -> int:
        """Enough that places are refilled before a batch has ended."""
        return 4 * self.batch

    def max_tokens(self) -> int:
        """The longest answer where none is told."""
        return MAX_TOKENS

    def connection_key(self) -> str:
        """One pool for each model."""
        return self.model_name

    async def count_text_tokens(self, text: str) -> int:
        """Tokens of a text by the model's own tokenizer."""
        return self.host.base.count_tokens(text)

    async def generate(
        self,
        input: list[ChatMessage],
        tools: list[ToolInfo],
        tool_choice: ToolChoice,
        config: GenerateConfig,
    ) -> ModelOutput:
        """Answers to a chat. Raises UsageError for tools, pictures, and settings of no effect."""
        _refuse(tools, config, self.model_name)
        turns = tuple(_turn(m, self.model_name) for m in input)
        if not turns or turns[-1].role != "user":
            raise UsageError(
                "a chat must end with a user's turn",
                where=f"datadose/{self.model_name}",
                next_step="leave out the answer that the model is to go on with",
            )
        form = AnswerForm(
            config.max_tokens or MAX_TOKENS,
            config.temperature or 0.0,
            config.seed or 0,
            tuple(config.stop_seqs or ()),
            (config.top_logprobs or 0) if config.logprobs else None,
            self.batch,
        )
        name = digest([[t.role, t.content] for t in turns] + [str(form)])
        start = time.monotonic()
        waiting = []
        for _ in range(config.num_choices or 1):
            waiting.append(self._have(form, (turns, self._asked[name]), form.answer))
            self._asked[name] += 1
        said: list[Said] = await asyncio.gather(*waiting)
        return self._output(said, time.monotonic() - start)

    async def choose(self, probe: Probe, system: str | None) -> Outcome:
        """The outcome of a forced choice, as `datadose eval` gives it."""
        form = ChoiceForm(system)
        who = probe.system if probe.system is not None else system
        if any((who, o.text) not in self._prior for o in probe.options):
            self._prior |= await self._have(("prior", form), probe, form.prior, bare=True)
        known = {(who, o.text): self._prior[who, o.text] for o in probe.options}
        return cast(Outcome, await self._have(form, (probe, known), form.choose))

    async def put(self, benchmark: str, task: Task, form: Form) -> Answered:
        """What became of one item of a benchmark, as `datadose eval` gives it."""
        asked = TaskForm(benchmark, form)
        known = None
        if asked.benchmark.calibrated:
            prior = self._options.setdefault(asked, {})
            if any(o not in prior for o in task.options):
                prior |= await self._have(("prior", asked), task, asked.prior, bare=True)
            known = {o: prior[o] for o in task.options}
        return cast(Answered, await self._have(asked, (task, known), asked.put))

    async def _have(self, key: Any, payload: Any, work: Any, *, bare: bool = False) -> Any:
        adapter = None if bare else self.adapter
        return await asyncio.wrap_future(self.host.submit(adapter, key, payload, work))

    def _output(self, said: Sequence[Said], seconds: float) -> ModelOutput:
        asked = said[0].asked
        made = sum(s.generated.tokens for s in said)
        return ModelOutput(
            model=self.model_name,
            choices=[
                ChatCompletionChoice(
                    message=ChatMessageAssistant(
                        content=s.generated.text.strip(), model=self.model_name, source="generate"
                    ),
                    stop_reason=cast(Literal["stop", "max_tokens", "model_length"], s.reason),
                    logprobs=self._logprobs(s.generated),
                )
                for s in said
            ],
            usage=ModelUsage(input_tokens=asked, output_tokens=made, total_tokens=asked + made),
            time=seconds,
        )

    def _logprobs(self, generated: Generated) -> Logprobs | None:
        if not generated.likely:
            return None
        decode = self.host.base.tokenizer.decode
        return Logprobs(
            content=[
                Logprob(
                    token=decode([one.token]),
                    logprob=one.log_prob,
                    top_logprobs=[
                        TopLogprob(token=decode([token]), logprob=value)
                        for token, value in one.likeliest
                    ]
                    or None,
                )
                for one in generated.likely
            ]
        )


def _refuse(tools: Sequence[ToolInfo], config: GenerateConfig, name: str) -> None:
    where = f"datadose/{name}"
    if tools:
        raise UsageError(
            f"tools can't be called by a model of ours (given: {', '.join(t.name for t in tools)})",
            where=where,
            next_step="choose a task without tools",
        )
    for setting in REFUSED:
        value = getattr(config, setting)
        if value is not None and value != NEUTRAL.get(setting):
            raise UsageError(
                f"{setting}={value!r} has no effect here, and an answer without it is another",
                where=where,
                next_step=f"leave {setting} out",
            )


def _turn(message: ChatMessage, name: str) -> Message:
    kinds = [] if isinstance(message.content, str) else [c.type for c in message.content]
    calls = isinstance(message, ChatMessageAssistant) and message.tool_calls
    if message.role == "tool" or calls or any(k != "text" for k in kinds):
        odd = next((k for k in kinds if k != "text"), "a call of a tool")
        raise UsageError(
            f"a model of ours reads text alone (given: {odd})",
            where=f"datadose/{name}",
            next_step="choose a task of text",
        )
    return Message(role=message.role, content=message.text)
