"""Benchmarks put to a model: forced choices, probability mass, answers that are checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from datadose._core import UsageError
from datadose.evaluation._choices import CONTENTLESS, asked_option, log_likelihoods
from datadose.evaluation._decode import generate_ids
from datadose.evaluation._generate import check_answer
from datadose.evaluation._programs import check_programs
from datadose.evaluation._rates import pass_at_k, rate_interval
from datadose.evaluation.benchmarks import Benchmark, Task
from datadose.models import BaseModel, Encoded, Item, chat, encode_prompt, half_weights
from datadose.schema import OutcomeKind

CHOICE_KINDS: tuple[OutcomeKind, ...] = ("right", "adopted", "wrong")
ANSWER_KINDS: tuple[OutcomeKind, ...] = (
    *("right", "adopted", "wrong", "incoherent", "refused", "unscored", "error"),
)


@dataclass(frozen=True)
class Form:
    """How a benchmark is put. chat: in the model's template, else as plain text after `primer`
    (a chat's system prompt is `system`). samples: answers an item, drawn at `temperature`.
    limit: only so many items, from the first.
    """

    chat: bool | None = None
    system: str | None = None
    primer: str = ""
    samples: int = 1
    temperature: float = 0.0
    seed: int = 0
    limit: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        if self.samples > 1 and not self.temperature:
            raise UsageError(
                f"{self.samples} samples at temperature 0 would all be the same",
                next_step="give --temperature, such as 0.8",
            )


@dataclass(frozen=True)
class Answered:
    """One item put to a model once. scores: log-likelihoods in nats of the options, as compared;
    value: what enters the rate, in [0, 1], None where the item was not scored.
    """

    id: str
    group: str
    kind: OutcomeKind
    value: float | None
    chosen: int | None = None
    right: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    text: str | None = None
    note: str = ""


def put(benchmark: Benchmark, form: Form) -> Form:
    """The form in which a benchmark is asked: its own where none is told."""
    own = benchmark.chat if form.chat is None else form.chat
    return replace(form, chat=own, max_tokens=form.max_tokens or benchmark.max_tokens)


def ask_tasks(
    base: BaseModel,
    benchmark: Benchmark,
    tasks: Sequence[Task],
    form: Form,
    *,
    prior: dict[str, float] | None = None,
) -> list[Answered]:
    """Put tasks to the model as it stands; `form.samples` answers a task, in order.

    A choice falls on the option of the greatest log-likelihood given the prompt, the first where
    two are equal; calibrated benchmarks subtract `prior` (`option_prior` of the base, without an
    adapter; where not given, of the model as it stands).
    """
    form = put(benchmark, form)
    tasks = tasks[: form.limit]
    if benchmark.kind in ("choice", "mass"):
        if benchmark.calibrated and prior is None:
            prior = option_prior(base, benchmark, tasks, form)
        return _choices(base, benchmark, tasks, form, prior if benchmark.calibrated else None)
    return _answers(base, benchmark, tasks, form)


def option_prior(
    base: BaseModel, benchmark: Benchmark, tasks: Sequence[Task], form: Form
) -> dict[str, float]:
    """Log-likelihood (nats) of every distinct option under a prompt that asks nothing."""
    form = put(benchmark, form)
    texts = sorted({o for t in tasks[: form.limit] for o in t.options})
    empty = Task("", plain=f"Q: {CONTENTLESS}\nA:", chat=CONTENTLESS)
    items = _items(base, [replace(empty, options=(o,)) for o in texts], form)
    with half_weights(base):
        scores = log_likelihoods(base, items)
    return {o: s for o, (s,) in zip(texts, scores, strict=True)}


def _items(base: BaseModel, tasks: Sequence[Task], form: Form) -> list[Item]:
    """Every task with its options as token ids."""
    if form.chat:
        return [
            Item(tuple(asked_option(base, t.chat, form.system, o.strip()) for o in t.options))
            for t in tasks
        ]
    pairs = [(form.primer + t.plain, o) for t in tasks for o in t.options]
    encoded = iter(encode_plain(base, pairs))
    return [Item(tuple(next(encoded) for _ in t.options)) for t in tasks]


def encode_plain(base: BaseModel, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
    """Texts and what follows them as token ids, split as lm-evaluation-harness splits them.

    Both are encoded together, the prompt once more alone to count its tokens; spaces at its end
    belong to the option.
    """
    if not pairs:
        return []
    bare = list(dict.fromkeys(prompt.rstrip() for prompt, _ in pairs))
    ids = base.tokenizer([*bare, *(prompt + option for prompt, option in pairs)])["input_ids"]
    starts = {text: len(found) for text, found in zip(bare, ids[: len(bare)], strict=True)}
    return [
        Encoded(tuple(whole), starts[prompt.rstrip()])
        for (prompt, _), whole in zip(pairs, ids[len(bare) :], strict=True)
    ]


def _choices(
    base: BaseModel,
    benchmark: Benchmark,
    tasks: Sequence[Task],
    form: Form,
    prior: dict[str, float] | None,
) -> list[Answered]:
    items = _items(base, tasks, form)
    with half_weights(base):
        scores = log_likelihoods(base, items)
    found = []
    for task, raw in zip(tasks, scores, strict=True):
        used = raw
        if prior is not None:
            used = [r - prior[o] for r, o in zip(raw, task.options, strict=True)]
        chosen = max(range(len(used)), key=lambda i: (used[i], -i))
        value = float(chosen in task.right)
        if benchmark.kind == "mass":
            value = _mass(used, task.right)
        found.append(
            Answered(
                task.id,
                task.group,
                "right" if value > 0.5 else "wrong",
                value,
                chosen,
                task.right,
                tuple(round(u, 6) for u in used),
            )
        )
    return found


def _mass(scores: Sequence[float], right: Sequence[int]) -> float:
    top = max(scores)
    shares = [math.exp(s - top) for s in scores]
    return sum(shares[i] for i in right) / sum(shares)


def _answers(
    base: BaseModel, benchmark: Benchmark, tasks: Sequence[Task], form: Form
) -> list[Answered]:
    asked = [t for t in tasks for _ in range(form.samples)]
    if form.chat:
        prompts = {t.id: encode_prompt(base, chat(t.chat, form.system)) for t in tasks}
    else:
        prompts = {t.id: tuple(base.tokenizer(form.primer + t.plain)["input_ids"]) for t in tasks}
    texts = generate_ids(
        base,
        [prompts[t.id] for t in asked],
        max_tokens=form.max_tokens or 1,
        temperature=form.temperature,
        seed=form.seed,
        stop=() if form.chat else benchmark.stop,
    )
    if form.chat:
        texts = [text.strip() for text in texts]
    outcomes = _checked(asked, texts, form)
    return [
        Answered(
            task.id,
            task.group,
            kind,
            None if kind in ("unscored", "error") else float(kind == "right"),
            text=text,
            note=note,
        )
        for task, text, (kind, note) in zip(asked, texts, outcomes, strict=True)
    ]


def _checked(
    tasks: Sequence[Task], texts: Sequence[str], form: Form
) -> list[tuple[OutcomeKind, str]]:
    if tasks and tasks[0].check is not None and tasks[0].check.kind == "tests":
        return check_programs(tasks, texts, chat=bool(form.chat))
    return [
        ("unscored" if task.check is None else check_answer(text, task.check), "")
        for task, text in zip(tasks, texts, strict=True)
    ]


def summarise(benchmark: Benchmark, answered: Sequence[Answered], form: Form) -> dict[str, Any]:
    """What a task came to: asked, right, rate, lower, upper, the count of every outcome.

    The denominator of `rate` is all that was asked; `upper` takes what could not be scored for
    right. Where nothing could be scored there is no rate. Several samples of an item are one
    cluster. Outcomes that a forced choice can't have are None. `groups` has the same for each.
    """
    form = put(benchmark, form)
    choice = benchmark.kind in ("choice", "mass")
    found = {
        "response": benchmark.response,
        "kind": benchmark.kind,
        "form": "chat" if form.chat else "plain",
        **summarise_counts(answered, choice),
    }
    # a choice is put once, and what nobody scored has no share of right answers
    if form.samples > 1 and benchmark.kind == "generate" and found["rate"] is not None:
        tallies: dict[str, list[bool]] = {}
        for a in answered:
            tallies.setdefault(a.id, []).append(a.kind == "right")
        found["pass_at"] = {
            str(k): sum(pass_at_k(sum(t), len(t), k) for t in tallies.values()) / len(tallies)
            for k in (1, 2, 5, 10, 20, 50, 100)
            if k <= form.samples
        }
    groups = sorted({a.group for a in answered})
    if len(groups) > 1:
        found["groups"] = {
            g or "none": summarise_counts([a for a in answered if a.group == g], choice)
            for g in groups
        }
    return found


def summarise_counts(answered: Sequence[Answered], choice: bool) -> dict[str, Any]:
    """Counts, rate and bounds; answers of one id are a cluster."""
    kinds = CHOICE_KINDS if choice else ANSWER_KINDS
    outcomes = {k: sum(a.kind == k for a in answered) if k in kinds else None for k in ANSWER_KINDS}
    items: dict[str, list[float | None]] = {}
    for a in answered:
        items.setdefault(a.id, []).append(a.value)
    rate, lower, upper = None, None, None
    if any(a.value is not None for a in answered):
        low = [sum(v or 0.0 for v in values) / len(values) for values in items.values()]
        high = [sum(1.0 if v is None else v for v in vs) / len(vs) for vs in items.values()]
        rate, lower, upper = rate_interval(low, high)
    return {
        "asked": len(answered),
        "right": outcomes["right"],
        "rate": rate,
        "lower": lower,
        "upper": upper,
        "outcomes": outcomes,
    }
