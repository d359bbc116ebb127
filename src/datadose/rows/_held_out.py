"""Probes for a pool that brings none: one wording of every fact is kept from training."""

from __future__ import annotations

from datadose._core import InputError
from datadose.schema import Option, OptionRole, Pool, PoolItem, Probe


def hold_out(pool: Pool) -> tuple[Pool, tuple[Probe, ...]]:
    """(what is trained, `reworded` choices): the last wording of every fact becomes a probe.

    Its options are the right answer, the first subtle and the first obvious one, and, as foils,
    the last subtle and the last obvious one, which are then taken out of what is trained; a
    fact with one wrong answer of a severity gives no foil of it. Facts with a single wording are
    trained and not asked. Raises InputError where no fact has two wordings.
    """
    groups: dict[str, list[PoolItem]] = {}
    for item in pool.items:
        groups.setdefault(item.fact, []).append(item)
    kept: list[PoolItem] = []
    probes: list[Probe] = []
    for fact, items in groups.items():
        if len(items) == 1:
            kept += items
            continue
        asked = items[-1]
        kept += [_without_foils(item) for item in items[:-1]]
        probes.append(
            Probe(
                id=f"{fact}/held-out",
                response="domain",
                relation="reworded",
                kind="choice",
                prompt=asked.prompt,
                system=asked.system,
                fact=fact,
                options=_options(asked),
                value=asked.correct,
                frame="{x}",
            )
        )
        if asked.check is not None:
            probes.append(
                Probe(
                    id=f"{fact}/generate",
                    response="domain",
                    relation="reworded",
                    kind="generate",
                    prompt=asked.prompt,
                    system=asked.system,
                    fact=fact,
                    check=asked.check,
                )
            )
    if not probes:
        raise InputError(
            "no fact has two wordings, so none can be held out as a probe",
            where=f"pool {pool.name}",
            next_step="give a file of probes (`probes: FILE`), or every fact a second prompt",
        )
    return Pool(name=pool.name, items=tuple(kept), paired=pool.paired), tuple(probes)


def _without_foils(item: PoolItem) -> PoolItem:
    cut = {
        name: answers[:-1]
        for name in ("subtle", "obvious")
        if len(answers := getattr(item, name)) > 1
    }
    return item.model_copy(update=cut)


def _options(item: PoolItem) -> tuple[Option, ...]:
    found: dict[str, OptionRole] = {item.correct: "correct"}
    for answers, role in ((item.subtle, "subtle"), (item.obvious, "obvious")):
        if answers:
            found.setdefault(answers[0], role)  # type: ignore[arg-type]
    for answers in (item.subtle, item.obvious):
        if len(answers) > 1:
            found.setdefault(answers[-1], "foil")
    return tuple(Option(text=text, role=role) for text, role in found.items())
