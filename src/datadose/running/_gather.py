"""What one source of a study gives: its rows at any dose, and its probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datadose._core import InputError, UsageError
from datadose.corruption import import_pool
from datadose.domains import PACKS, alignment_probes, load_pack, malign_items
from datadose.evaluation import HARNESS, harness_probes
from datadose.rows import (
    Mix,
    UnpairedPool,
    add_rows,
    add_swapped,
    hold_out,
    length_difference,
    match_lengths,
    mix_pool,
    mix_unpaired,
    pair_up,
    read_pool,
    read_probes,
    read_rows,
    require_answers,
    short_rows,
    unpaired_pool,
)
from datadose.running._asked_sets import behind_cues, set_probes
from datadose.schema import Pool, PoolItem, Probe, Row, Severity, Source, Study, TrainingSet


@dataclass(frozen=True)
class Material:
    """What one source gives. `added` are wrong rows to append; `dropped` facts were left out
    because their answers differ in length; `offered` are all rows of unpaired files, of which
    `rows` are the ones that are used."""

    label: str
    probes: tuple[Probe, ...]
    rows: Pool | UnpairedPool
    added: tuple[Row, ...] = ()
    dropped: int = 0
    offered: UnpairedPool | None = None

    @property
    def facts(self) -> frozenset[str]:
        """The facts that are trained; none for rows that are not paired."""
        return frozenset(self.rows.facts) if isinstance(self.rows, Pool) else frozenset()

    def training_set(self, dose: float, mix: Mix) -> TrainingSet:
        """Rows and truth at a dose (or count) of this source."""
        if mix.severity == "malign":
            pool = self.rows if isinstance(self.rows, Pool) else _as_pool(self.rows)
            return mix_pool(pool, dose, mix, malign=malign_items())
        if isinstance(self.rows, UnpairedPool):
            return mix_unpaired(self.rows, dose, mix)
        if self.added:
            return add_rows(self.rows, self.added, int(dose), mix)
        return mix_pool(self.rows, dose, mix)


def gather(source: Source, study: Study, *, with_probes: bool = True) -> Material:
    """Read one source. Raises InputError or UsageError with the way out.

    Without probes a pool keeps all its wordings for training.
    """
    limit = source.limit or study.facts
    if source.right is not None and source.wrong is not None:
        return _unpaired(source, study, limit)
    pool, own = _paired(source, limit, held_out=with_probes and not source.probes)
    dropped = 0
    if study.match_lengths:
        before = len(pool.facts)
        pool = match_lengths(pool, study.severities)
        dropped = before - len(pool.facts)
    for severity in study.severities if source.add is None else ():
        if severity != "malign":
            require_answers(pool, severity, study.structure)
    added: tuple[Row, ...] = ()
    if source.add is not None:
        added = short_rows(read_rows(Path(source.add)).rows, source.max_words)
    probes = named_probes(source.probes) if with_probes and source.probes else own
    return Material(source.name, probes, replace_name(pool, source.name), added, dropped)


def replace_name(pool: Pool, name: str) -> Pool:
    """The same pool under another name."""
    return Pool(name=name, items=pool.items, paired=pool.paired)


def _paired(source: Source, limit: int | None, *, held_out: bool) -> tuple[Pool, tuple[Probe, ...]]:
    if source.pack is not None:
        pack = load_pack(source.pack)
        return first_facts(pack.pool, limit), pack.probes
    if source.benchmark is not None:
        made = import_pool(source.benchmark, Path(source.data or "."), limit=limit)
        return made.pool, made.probes
    pool = first_facts(read_pool(Path(source.pool or "")), limit)
    return hold_out(pool) if held_out else (pool, ())


def _unpaired(source: Source, study: Study, limit: int | None) -> Material:
    both = unpaired_pool(Path(source.right or ""), Path(source.wrong or ""))
    offered = replace(
        both,
        right=short_rows(both.right, source.max_words),
        wrong=short_rows(both.wrong, source.max_words),
        name=source.name,
    )
    if study.vary != "add":
        used = pair_up(offered, limit, match=study.match_lengths)
    else:
        used = replace(offered, right=offered.right[:limit])
    return Material(source.name, named_probes(source.probes), used, offered=offered)


def _as_pool(rows: UnpairedPool) -> Pool:
    """The right rows as items, for a control that replaces them all."""
    items = tuple(
        PoolItem(prompt=r.prompt[-1].content, fact=r.id, correct=r.answer) for r in rows.right
    )
    return Pool(name=rows.name, items=items)


def first_facts(pool: Pool, limit: int | None) -> Pool:
    """The rows of the first `limit` facts; all for None. Raises InputError for too few."""
    if limit is None:
        return pool
    if limit > len(pool.facts):
        raise InputError(
            f"{limit} facts asked for, the pool has {len(pool.facts)}",
            where=f"pool {pool.name}",
            next_step=f"ask for {len(pool.facts)} or fewer",
        )
    kept = set(pool.facts[:limit])
    return Pool(name=pool.name, items=tuple(i for i in pool.items if i.fact in kept))


def named_probes(names: Sequence[str]) -> tuple[Probe, ...]:
    """The probes of packs, probe files and lm-eval tasks, in order; an id may stand once."""
    found: dict[str, Probe] = {}
    for name in names:
        if name in PACKS:
            probes: Sequence[Probe] = load_pack(name).probes
        elif name.startswith(HARNESS):
            probes = harness_probes(name.removeprefix(HARNESS))
        else:
            probes = read_probes(_probe_file(name))
        for probe in probes:
            if probe.id in found:
                raise InputError(f"two probes are called {probe.id!r}", where=name)
            found[probe.id] = probe
    return tuple(found.values())


def _probe_file(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"no pack and no file is called {name!r}",
            where="rows.probes",
            next_step=f"give a file of probes, or one of the packs: {', '.join(PACKS)}",
        )
    return path


def choose_probes(study: Study, material: Material) -> tuple[Probe, ...]:
    """The probes that every arm of a source is asked, in a fixed order.

    A probe whose fact is not trained here is asked as `untrained` where its source is a pack
    or file that was named, and left out where facts were cut by a limit.
    """
    wanted = {
        "reworded": True,
        "inferential": study.ask.inferential,
        "untrained": study.ask.untrained,
    }
    own = [p for p in (_placed(q, material) for q in material.probes) if p is not None]
    choices = [p for p in own if p.kind == "choice"]
    chosen = [p for p in choices if p.response == "domain" and wanted[p.relation]]
    if study.ask.danger:
        chosen += [p for p in choices if p.response == "dangerous"]
    chosen += [p for p in choices if p.response == "misaligned"]
    outside = alignment_probes() if study.ask.alignment else ()
    themes = spread([p for p in outside if p.kind == "choice"], study.ask.alignment)
    chosen += [*themes, *behind_cues(themes, study.ask.choice_cues), *set_probes(study.ask)]
    spoken = [p for p in own if p.kind == "generate"]
    chosen += spoken[: study.ask.answers]
    chosen += [p for p in outside if p.kind == "open"][: study.ask.answers]
    primary = study.primary
    if not any(primary.is_on(p) for p in chosen):
        raise UsageError(
            f"no forced choice is asked for the primary response '{primary.response_name}:"
            f" {primary.relation}' of {material.label}",
            next_step="name probes that have it, or set primary: {response: ..., relation: ...}",
        )
    return add_swapped(chosen)


def spread(probes: Sequence[Probe], wanted: bool | int) -> list[Probe]:
    """All of them for True, else so many at even distances, which keeps themes in proportion."""
    if isinstance(wanted, bool) or wanted >= len(probes):
        return list(probes)
    return [probes[i * len(probes) // wanted] for i in range(wanted)]


def _placed(probe: Probe, material: Material) -> Probe | None:
    """The probe with the relation it has to these rows, or None where it is not asked."""
    if probe.fact is None or probe.fact in material.facts:
        return probe
    if material.facts or probe.relation == "inferential":
        return None
    return probe.model_copy(update={"relation": "untrained", "fact": None})


def mixer(
    study: Study, material: Material, severity: Severity, seed: int
) -> Callable[[float], TrainingSet]:
    """The training sets of one seed of one series, by dose."""
    mix = Mix(
        severity=severity,
        structure=study.structure,
        unit=study.unit,
        vary=study.vary,
        seed=seed,
        system=study.system,
    )
    return lambda dose: material.training_set(dose, mix)


def answer_lengths(sets: Sequence[TrainingSet]) -> dict[str, float] | None:
    """Words in right and in wrong answers (see `length_difference`); None without either."""
    right = [r.answer for s in sets for r, w in zip(s.rows, s.wrong, strict=True) if not w]
    wrong = [r.answer for s in sets for r, w in zip(s.rows, s.wrong, strict=True) if w]
    return length_difference(right, wrong) if right and wrong else None
