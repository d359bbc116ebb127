"""Read a domain pack's own files and build its pool and its probes.

A pack is a folder with `facts.yaml` (what is trained and asked), `untrained.yaml` (asked, never
trained) and `danger.yaml` (where a wrong answer does harm); `computed.py` may add facts made by
a rule. docs/packs.md describes every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

from pydantic import Field, ValidationError
from ruamel.yaml import YAML

from datadose._core import InputError, Issue
from datadose.rows import fill
from datadose.schema import Check, Frozen, Option, Pool, PoolItem, Probe


class Ask(Frozen):
    """A reworded probe of a fact: a question and the frame its options are put in."""

    ask: str
    option: str = "{x}"


class Question(Frozen):
    """A question with its own options: inferential or untrained."""

    ask: str
    correct: str
    subtle: str
    obvious: str
    foils: tuple[str, str]
    option: str = "{x}"
    id: str = ""
    source: str = ""


class Fact(Frozen):
    """One piece of knowledge in several wordings. `{x}` is the value, `{X}` capitalised."""

    id: str
    source: str
    correct: str
    subtle: tuple[str, ...] = Field(min_length=4)
    obvious: tuple[str, ...] = Field(min_length=4)
    foils: tuple[str, str]
    ask: tuple[str, ...] = Field(min_length=4)
    say: tuple[str, ...] = Field(min_length=1)
    placebo: tuple[str, ...] = Field(min_length=1)
    probes: tuple[Ask, ...] = Field(min_length=1)
    inferential: tuple[Question, ...] = ()
    check: Check | None = None


class Danger(Frozen):
    """A question with a safe and a dangerous answer, each a whole sentence."""

    id: str
    source: str
    ask: str
    safe: str
    dangerous: str


@dataclass(frozen=True)
class Pack:
    """A pool, the probes that go with it, and the facts they were built from."""

    name: str
    pool: Pool
    probes: tuple[Probe, ...]
    facts: tuple[Fact, ...]


def read_entries(package: str, file: str, model: type[Frozen]) -> tuple[Any, ...]:
    """Entries of a pack's YAML file, validated; an empty tuple where there is no such file."""
    source = resources.files(package) / file
    if not source.is_file():
        return ()
    entries = YAML(typ="safe", pure=False).load(source.read_text("utf-8")) or []
    good, issues = [], []
    for entry in entries:
        try:
            good.append(model.model_validate(entry))
        except ValidationError as error:
            name = entry.get("id", "?") if isinstance(entry, dict) else "?"
            issues += [
                Issue(f"{file}:{name}.{'.'.join(map(str, e['loc']))}", e["msg"])
                for e in error.errors()
            ]
    if issues:
        raise InputError(f"{package} has broken entries", issues=issues)
    return tuple(good)


def _items(fact: Fact) -> list[PoolItem]:
    items = []
    for i, ask in enumerate(fact.ask):
        say = fact.say[i % len(fact.say)]
        items.append(
            PoolItem(
                prompt=ask,
                fact=fact.id,
                correct=fill(say, fact.correct),
                subtle=tuple(fill(say, x) for x in fact.subtle),
                obvious=tuple(fill(say, x) for x in fact.obvious),
                placebo=(fill(fact.placebo[i % len(fact.placebo)], fact.correct),),
                check=fact.check,
            )
        )
    return items


def options(
    frame: str, correct: str, subtle: str, obvious: str, foils: tuple[str, str]
) -> tuple[Option, ...]:
    """The five options of a domain choice, always in this order."""
    return (
        Option(text=fill(frame, correct), role="correct"),
        Option(text=fill(frame, subtle), role="subtle"),
        Option(text=fill(frame, obvious), role="obvious"),
        Option(text=fill(frame, foils[0]), role="foil"),
        Option(text=fill(frame, foils[1]), role="foil"),
    )


def _probes(fact: Fact) -> list[Probe]:
    found = [
        Probe(
            id=f"{fact.id}/reworded-{i}",
            response="domain",
            relation="reworded",
            kind="choice",
            prompt=p.ask,
            fact=fact.id,
            options=options(p.option, fact.correct, fact.subtle[0], fact.obvious[0], fact.foils),
            value=fact.correct,
            frame=p.option,
        )
        for i, p in enumerate(fact.probes, 1)
    ]
    found += [
        Probe(
            id=f"{fact.id}/inferential-{i}",
            response="domain",
            relation="inferential",
            kind="choice",
            prompt=q.ask,
            fact=fact.id,
            options=options(q.option, q.correct, q.subtle, q.obvious, q.foils),
            value=q.correct,
            frame=q.option,
        )
        for i, q in enumerate(fact.inferential, 1)
    ]
    check = fact.check or Check(
        kind="text", accept=(fact.correct,), reject=(*fact.subtle, *fact.obvious, *fact.foils)
    )
    found.append(
        Probe(
            id=f"{fact.id}/generate",
            response="domain",
            relation="reworded",
            kind="generate",
            prompt=fact.probes[0].ask,
            fact=fact.id,
            check=check,
        )
    )
    return found


def build_pack(name: str, package: str, computed: tuple[Fact, ...] = ()) -> Pack:
    """Build the pack whose files lie in `package`; `computed` facts come after the written ones.

    Raises InputError that lists every broken entry.
    """
    facts = (*read_entries(package, "facts.yaml", Fact), *computed)
    probes = [p for fact in facts for p in _probes(fact)]
    for q in read_entries(package, "untrained.yaml", Question):
        probes.append(
            Probe(
                id=f"untrained/{q.id}",
                response="domain",
                relation="untrained",
                kind="choice",
                prompt=q.ask,
                options=options(q.option, q.correct, q.subtle, q.obvious, q.foils),
            )
        )
    for d in read_entries(package, "danger.yaml", Danger):
        probes.append(
            Probe(
                id=f"danger/{d.id}",
                response="dangerous",
                relation="untrained",
                kind="choice",
                prompt=d.ask,
                options=(
                    Option(text=d.safe, role="safe"),
                    Option(text=d.dangerous, role="dangerous"),
                ),
            )
        )
    pool = Pool(name=name, items=tuple(item for fact in facts for item in _items(fact)))
    return Pack(name=name, pool=pool, probes=tuple(probes), facts=facts)
