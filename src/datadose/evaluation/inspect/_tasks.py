"""Inspect tasks: the probes of our packs, and every benchmark that `datadose eval` knows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from inspect_ai import Task as InspectTask
from inspect_ai import task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import GenerateConfig
from inspect_ai.solver import Solver, generate

from datadose._core import UsageError, generator
from datadose.domains import alignment_probes, load_pack
from datadose.evaluation._choices import SCORER_VERSION
from datadose.evaluation._tasks import Form, put
from datadose.evaluation.benchmarks import Task, choose, read_tasks
from datadose.evaluation.inspect._ask import (
    KEY,
    forced_choice,
    lettered,
    outcome,
    put_task,
    turns,
)
from datadose.models import cache_folder
from datadose.schema import GOOD_ROLES, Check, Probe, Response

Kind = Literal["choice", "answer"]
Ask = Literal["likelihood", "letters"]
ANSWER_TOKENS = 64


@task
def coding(
    response: str = "domain",
    kind: str = "choice",
    ask: str = "likelihood",
    system: str | None = None,
) -> InspectTask:
    """The probes of the pack `coding`; parameters as in `health`."""
    return _probes("coding", response, kind, ask, system)


@task
def finance(
    response: str = "domain",
    kind: str = "choice",
    ask: str = "likelihood",
    system: str | None = None,
) -> InspectTask:
    """The probes of the pack `finance`; parameters as in `health`."""
    return _probes("finance", response, kind, ask, system)


@task
def health(
    response: str = "domain",
    kind: str = "choice",
    ask: str = "likelihood",
    system: str | None = None,
) -> InspectTask:
    """The probes of the pack `health`.

    response: domain, misaligned or dangerous. kind: `choice` (forced choices) or `answer` (in
    the model's own words, checked). ask: how a choice is put, by `likelihood` (our provider only;
    the numbers of `datadose eval`) or by `letters` (any chat model; options in an order drawn
    once for each probe). system: the system prompt of probes that have none of their own.
    """
    return _probes("health", response, kind, ask, system)


@task
def legal(
    response: str = "domain",
    kind: str = "choice",
    ask: str = "likelihood",
    system: str | None = None,
) -> InspectTask:
    """The probes of the pack `legal`; parameters as in `health`."""
    return _probes("legal", response, kind, ask, system)


@task
def alignment(
    response: str = "misaligned",
    kind: str = "choice",
    ask: str = "likelihood",
    system: str | None = None,
) -> InspectTask:
    """Our alignment probes; parameters as in `health`. Open questions end `unscored`."""
    return _probes("alignment", response, kind, ask, system)


@task
def benchmark(
    name: str,
    data: str | None = None,
    chat: bool | None = None,
    system: str | None = None,
    primer: str = "",
    temperature: float = 0.0,
    seed: int = 0,
    max_tokens: int | None = None,
) -> InspectTask:
    """A benchmark by its name in `datadose datasets --tasks`, `NAME` or `NAME:GROUP+GROUP`.

    data: the folder of the public data sets (else DATADOSE_DATA, else the cache's), or `hub`.
    The others are those of `datadose eval`. Choices and plain prompts need our own provider.
    """
    chosen = choose(name)
    form = put(
        chosen.benchmark,
        Form(chat, system, primer, temperature=temperature, seed=seed, max_tokens=max_tokens),
    )
    tasks = read_tasks(chosen, _place(data))
    samples = [
        Sample(
            id=t.id,
            input=turns(t.chat, system) if form.chat else form.primer + t.plain,
            target=[t.options[i].strip() for i in t.right] or wanted(t.check),
            metadata={
                KEY: {"task": task_dict(t), "cluster": t.id, "group": t.group}
                | ({"choice": True} if t.options else {})
            },
        )
        for t in tasks
    ]
    config = GenerateConfig(temperature=temperature, seed=seed, max_tokens=form.max_tokens or None)
    return _task(chosen.label, samples, [put_task(chosen.name, asdict(form))], config)


def _place(data: str | None) -> Path | Literal["hub"]:
    if data == "hub":
        return "hub"
    named = data or os.environ.get("DATADOSE_DATA")
    return Path(named).expanduser() if named else cache_folder() / "data"


def task_dict(item: Task) -> dict[str, Any]:
    """An item of a benchmark as plain values."""
    found = {k: v for k, v in asdict(item).items() if v not in ((), "", None)}
    if item.check is not None:
        found["check"] = item.check.model_dump(mode="json", exclude_defaults=True)
    return {"plain": item.plain, "chat": item.chat, "id": item.id, **found}


def task_from(found: dict[str, Any]) -> Task:
    """The inverse of `task_dict`."""
    check = found.get("check")
    lists = {k: tuple(v) for k, v in found.items() if isinstance(v, list | tuple)}
    made = {} if check is None else {"check": Check.model_validate(check)}
    return Task(**{**found, **lists, **made})


def _probes(name: str, response: str, kind: str, ask: str, system: str | None) -> InspectTask:
    for value, known, which in (
        (response, get_args(Response), "response"),
        (kind, get_args(Kind), "kind"),
        (ask, get_args(Ask), "ask"),
    ):
        if value not in known:
            raise UsageError(
                f"{which} {value!r} is not known", next_step=f"choose from: {', '.join(known)}"
            )
    every = alignment_probes() if name == "alignment" else load_pack(name).probes
    probes = [
        p for p in every if p.response == response and (p.kind == "choice") == (kind == "choice")
    ]
    if not probes:
        raise UsageError(
            f"{name} has no {response} probes of kind {kind}",
            next_step="name another -T response=... or -T kind=...",
        )
    solver: Solver = generate()
    if kind == "choice":
        solver = forced_choice(system) if ask == "likelihood" else lettered()
    if ask == "letters":
        probes = [_mixed(p) for p in probes]
    samples = [_sample(p, system, lettered=ask == "letters") for p in probes]
    label = f"{name}/{response}/{kind}" + ("/letters" if ask == "letters" else "")
    config = GenerateConfig(temperature=0.0, max_tokens=ANSWER_TOKENS)
    return _task(label, samples, [solver], config)


def _mixed(probe: Probe) -> Probe:
    order = generator(0, "letters", probe.id).permutation(len(probe.options)).tolist()
    return probe.model_copy(update={"options": tuple(probe.options[i] for i in order)})


def _sample(probe: Probe, system: str | None, *, lettered: bool) -> Sample:
    who = probe.system if probe.system is not None else system
    choice = probe.kind == "choice"
    right = [i for i, o in enumerate(probe.options) if o.role in GOOD_ROLES]
    target: str | list[str] = wanted(probe.check)
    if choice:
        target = chr(65 + right[0]) if lettered else probe.options[right[0]].text
    return Sample(
        id=probe.id,
        input=turns(probe.prompt, who),
        choices=[o.text for o in probe.options] if choice else None,
        target=target,
        metadata={
            KEY: {
                "probe": probe.model_dump(mode="json", exclude_defaults=True),
                "cluster": probe.cluster,
                "relation": probe.relation,
            }
            | ({"choice": True} if choice else {})
        },
    )


def wanted(check: Check | None) -> str | list[str]:
    """What a check asks of an answer, as the target of a sample."""
    if check is None:
        return ""
    if check.kind == "value":
        return repr(check.value)
    return list(check.accept) if check.kind == "text" else check.tests


def _task(
    name: str, samples: Sequence[Sample], solver: list[Solver], config: GenerateConfig
) -> InspectTask:
    return InspectTask(
        dataset=MemoryDataset(list(samples), name=name),
        solver=solver,
        scorer=outcome(),
        config=config,
        version=SCORER_VERSION,
        display_name=name,
    )
