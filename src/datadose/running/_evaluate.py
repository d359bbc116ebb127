"""One model, some tasks: the numbers that `datadose eval` prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from datadose._core import UsageError, need_extra
from datadose.domains import PACKS, alignment_probes, load_pack
from datadose.evaluation import (
    Answered,
    Form,
    HarnessTask,
    ask_choices,
    ask_harness,
    ask_open,
    ask_tasks,
    contentless,
    harness_items,
    option_prior,
    read_harness,
    summarise,
    summarise_counts,
)
from datadose.evaluation.benchmarks import Chosen, choose, read_tasks
from datadose.models import BaseModel
from datadose.running._inspect_log import write_log
from datadose.running._opened import name_model, opened
from datadose.schema import Outcome, Probe

OWN = ("alignment", *PACKS)
Put = Callable[[], Any]
Found = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def evaluate(
    model: str,
    tasks: Sequence[str],
    form: Form,
    *,
    data: Path | Literal["hub"] | None,
    precision: str = "auto",
    inspect_log: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Found:
    """Put tasks to a model: (a summary for each task, a record for each item asked).

    tasks: names of benchmarks (`NAME` or `NAME:GROUP+GROUP`), and `probes:NAME` for the project's
    own probes of a pack or of alignment, and `lm-eval:NAME` (see `read_harness`). `inspect_log`: a
    folder for an Inspect log of each task. Raises UsageError for names that are not known, before
    anything is loaded.
    """
    if inspect_log is not None:
        need_extra("inspect_ai", "inspect")
    plan = [_plan(name, data) for name in dict.fromkeys(tasks)]
    named = name_model(model)
    summaries: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    logged: list[tuple[dict[str, Any], Any]] = []
    with opened(named, precision=precision, say=say) as (base, trained):
        ready = [(label, step(base, form)) for label, step in plan]
        with trained():
            for label, ask in ready:
                say(f"asking {label}")
                start = time.monotonic()
                for summary, items, asked in ask():
                    part = f"{label}/{summary.pop('part')}" if "part" in summary else label
                    seconds = round(time.monotonic() - start, 3)
                    summaries.append({"task": part, **summary, "seconds": seconds})
                    records += [{"task": part, **item} for item in items]
                    logged.append((summaries[-1], asked))
    if inspect_log is not None:
        for summary, asked in logged:
            say(f"log: {write_log(inspect_log, model, summary, form, asked)}")
    return summaries, records


def _plan(name: str, data: Path | Literal["hub"] | None) -> tuple[str, Callable[..., Put]]:
    kind, _, which = name.strip().partition(":")
    if kind == "probes":
        if which not in OWN:
            raise UsageError(
                f"there are no probes called {which!r}",
                next_step=f"choose from: {', '.join(OWN)}",
            )
        probes = alignment_probes() if which == "alignment" else load_pack(which).probes
        return name.strip(), lambda base, form: _own(base, probes, form)
    if kind == "lm-eval":
        found = read_harness(which)
        return name.strip(), lambda base, form: _harness(base, found, form)
    chosen = choose(name)
    if data is None:
        raise UsageError(
            f"{chosen.name} needs its data",
            next_step="give the folder of the public data sets with --data, or --data hub",
        )
    tasks = read_tasks(chosen, data)
    return chosen.label, lambda base, form: _public(base, chosen, tasks, form)


def _public(base: BaseModel, chosen: Chosen, tasks: Sequence[Any], form: Form) -> Put:
    """Ready to be asked: what is taken from the bare base is taken now."""
    benchmark = chosen.benchmark
    prior = option_prior(base, benchmark, tasks, form) if benchmark.calibrated else None

    def ask() -> Any:
        found = ask_tasks(base, benchmark, tasks, form, prior=prior)
        known = {t.id: t for t in tasks}
        asked = [(known[a.id], a) for a in found]
        yield summarise(benchmark, found, form), [_record(a) for a in found], asked

    return ask


def _harness(base: BaseModel, found: Sequence[HarnessTask], form: Form) -> Put:
    """Tasks of lm-evaluation-harness, each filter of each apart."""

    def ask() -> Any:
        for task in found:
            for summary, answered in ask_harness(base, task, form):
                if len(found) == 1 and summary["part"] == task.name:
                    del summary["part"]
                items = harness_items(task)
                asked = [(items[a.id], a) for a in answered]
                yield summary, [_record(a) for a in answered], asked

    return ask


def _record(answered: Answered) -> dict[str, Any]:
    return {k: v for k, v in asdict(answered).items() if v not in (None, (), "")}


def _own(base: BaseModel, probes: Sequence[Probe], form: Form) -> Put:
    """The project's own probes, each response apart, and choices apart from answers."""
    choices = [p for p in probes if p.kind == "choice"]
    prior = contentless(base, choices, system=form.system)

    def ask() -> Any:
        for response in ("domain", "misaligned", "dangerous"):
            for choice in (True, False):
                part = [
                    p for p in probes if p.response == response and (p.kind == "choice") == choice
                ][: form.limit]
                if not part:
                    continue
                if choice:
                    outcomes = ask_choices(base, part, system=form.system, prior=prior)
                else:
                    tokens = form.max_tokens or 64
                    outcomes = ask_open(base, part, system=form.system, max_tokens=tokens)
                kind = "choice" if choice else "generate"
                head = {"part": f"{response}/{kind}", "response": response, "kind": kind}
                answered = [answered_probe(p, o) for p, o in zip(part, outcomes, strict=True)]
                yield (
                    {**head, "form": "chat", **summarise_counts(answered, choice)},
                    [o.model_dump(mode="json", exclude_defaults=True) for o in outcomes],
                    list(zip(part, outcomes, strict=True)),
                )

    return ask


def answered_probe(probe: Probe, outcome: Outcome) -> Answered:
    """A probe's outcome as what enters a rate; probes of a fact are one cluster."""
    scored = outcome.kind not in ("unscored", "error")
    value = float(outcome.kind == "right") if scored else None
    return Answered(probe.cluster, "", outcome.kind, value)
