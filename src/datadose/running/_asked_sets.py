"""What a study asks besides its own probes: public sets, requests, and choices behind cues."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from datadose._core import InputError, UsageError, generator
from datadose.domains import PACKS, load_pack
from datadose.evaluation import OpenQuestion, cues_named, own_rubric
from datadose.evaluation.benchmarks import BENCHMARKS, Benchmark, Task, choose, read_tasks
from datadose.schema import Asked, Option, OptionRole, Probe, Response, Study

# Of each response: the role of a right option, and of a wrong one.
ROLES: dict[Response, tuple[OptionRole, OptionRole]] = {
    "domain": ("correct", "foil"),
    "misaligned": ("aligned", "misaligned"),
    "dangerous": ("safe", "dangerous"),
    "refused": ("correct", "foil"),
}
SAFE = "safe"


def is_requests(name: str) -> bool:
    """Whether `name`, with or without groups, is a public set of requests answered freely."""
    found = name.partition(":")[0]
    return found in BENCHMARKS and BENCHMARKS.get(found)().kind == "open"


def set_probes(ask: Asked) -> tuple[Probe, ...]:
    """The forced choices of a study's public sets, in the chat template, each named by its set.

    Harmless prompts that look dangerous (XSTest, safe) are a response of their own, `refused`:
    right is to comply. Raises UsageError for sets that are no forced choice, or that nobody
    placed.
    """
    found: list[Probe] = []
    for name in ask.sets:
        chosen = choose(name)
        benchmark = chosen.benchmark
        if benchmark.kind != "choice":
            known = [n for n in BENCHMARKS if BENCHMARKS.get(n)().kind == "choice"]
            raise UsageError(
                f"{name} is no set of forced choices but of kind `{benchmark.kind}`",
                where="ask.sets",
                next_step=f"ask it with `datadose eval`, or choose from: {', '.join(known)}",
            )
        tasks = some_tasks(read_tasks(chosen, _folder(ask, name)), ask.items, name)
        found += [_probe(t, benchmark, chosen.label) for t in tasks]
    ids = [p.id for p in found]
    if len(set(ids)) != len(ids):
        again = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"two sets hold {again!r}", where="ask.sets", next_step="name it once")
    return tuple(found)


def _folder(ask: Asked, name: str) -> Path | Literal["hub"]:
    if ask.data is None:
        raise UsageError(
            f"{name} needs its data",
            where="ask.data",
            next_step="give data: FOLDER of the public data sets, or data: hub",
        )
    return "hub" if ask.data == "hub" else Path(ask.data)


def some_tasks(tasks: Sequence[Task], limit: int | None, name: str) -> list[Task]:
    """So many tasks, drawn once for every study, in turn from each group and each right answer.

    Published files alternate yes and no: at even distances a model that always says yes would
    look aligned, or not.
    """
    if limit is None or limit >= len(tasks):
        return list(tasks)
    strata: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for i, task in enumerate(tasks):
        strata.setdefault((task.group, task.right), []).append(i)
    rng = generator(0, "items", name)
    piles = [[own[k] for k in rng.permutation(len(own)).tolist()] for own in strata.values()]
    # within a group right answers take turns, and so do groups where the limit cuts a round
    order = rng.permutation(len(piles)).tolist()
    drawn: list[int] = []
    while len(drawn) < limit:
        drawn += [piles[p].pop() for p in order if piles[p]][: limit - len(drawn)]
    return [tasks[i] for i in sorted(drawn)]


def _response(benchmark: Benchmark, task: Task) -> Response:
    harmless = benchmark.response == "dangerous" and task.group == SAFE
    return "refused" if harmless else benchmark.response


def _probe(task: Task, benchmark: Benchmark, name: str) -> Probe:
    response = _response(benchmark, task)
    good, bad = ROLES[response]
    texts = list(dict.fromkeys(o.strip() for o in task.options))
    right = {task.options[i].strip() for i in task.right}
    return Probe(
        id=task.id,
        response=response,
        relation="untrained",
        kind="choice",
        prompt=task.chat,
        options=tuple(Option(text=t, role=good if t in right else bad) for t in texts),
        set=name,
        group=task.group,
    )


def behind_cues(probes: Sequence[Probe], names: Sequence[str]) -> tuple[Probe, ...]:
    """Forced choices once more behind each cue, as the set `behind CUE`; one cluster each."""
    found = []
    for cue in cues_named(names):
        for p in probes:
            systems = [s for s in (p.system, cue.system) if s]
            changed: dict[str, Any] = {
                "id": f"{p.id}@{cue.name}",
                "prompt": cue.around.replace("{question}", p.prompt),
                "system": "\n\n".join(systems) or None,
                "set": f"behind {cue.name}",
            }
            found.append(p.model_copy(update=changed))
    return tuple(found)


def requests(name: str, ask: Asked) -> tuple[OpenQuestion, ...]:
    """A public set of requests, to be answered freely and judged by whether the answer declines.

    Declining is `refused`; complying is wrong where the request is dangerous, and right where it
    is harmless.
    """
    chosen = choose(name)
    tasks = some_tasks(read_tasks(chosen, _folder(ask, name)), ask.requests, name)
    refusal = own_rubric("refusal")
    declines = {
        cleared: refusal.model_copy(update={"flagged": "refused", "cleared": cleared})
        for cleared in ("wrong", "right")
    }
    return tuple(
        OpenQuestion(
            t.id,
            t.chat,
            cluster=t.id,
            rubrics=(declines["right" if t.group == SAFE else "wrong"],),
            group=t.group,
            set=chosen.label,
            response=_response(chosen.benchmark, t),
            request=True,
        )
        for t in tasks
    )


def domain_questions(study: Study) -> tuple[OpenQuestion, ...]:
    """The dangerous questions of the study's packs, to be answered freely: harm from wrong advice.

    Raises UsageError where the study's rows and probes are of no pack.
    """
    named = (s.probes or ((s.pack,) if s.pack else ()) for s in study.rows)
    packs = list(dict.fromkeys(p for names in named for p in names if p in PACKS))
    if not packs:
        raise UsageError(
            "no pack is trained or asked, and `domain` questions are those of packs",
            where="ask.open",
            next_step=f"name one of {', '.join(PACKS)} under rows or rows.probes",
        )
    return tuple(
        OpenQuestion(
            f"{pack}/{p.id}",
            p.prompt,
            p.system,
            cluster=f"{pack}/{p.id}",
            rubrics=(own_rubric("danger"),),
            group=pack,
            set="domain",
            response="dangerous",
        )
        for pack in packs
        for p in load_pack(pack).probes
        if p.response == "dangerous" and p.kind == "choice"
    )
