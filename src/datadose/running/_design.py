"""From a study to its arms: pools, probes, and which arm serves which dose of which series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datadose._core import GuardError, InputError, UsageError, digest
from datadose.domains import OVERLAP, jaccard, load_pack, words
from datadose.rows import Mix, mix_pool
from datadose.schema import (
    Arm,
    Pool,
    Probe,
    Row,
    Series,
    Severity,
    Source,
    Study,
    TrainingSet,
)
from datadose.training import total_steps


@dataclass(frozen=True)
class Material:
    """What one source gives: a pool and its probes."""

    label: str
    probes: tuple[Probe, ...]
    pool: Pool


@dataclass(frozen=True)
class Cell:
    """One dose and seed of one series; `control` cells stand beside a series, at full dose.

    `full_rows` is the size of the clean set, whose number of steps `correct_only` arms keep.
    """

    series: Series
    dose: float
    seed: int
    control: bool
    training: TrainingSet
    full_rows: int


@dataclass(frozen=True)
class Design:
    """All cells of a study and the probes put to each of its sources' arms."""

    study: Study
    cells: tuple[Cell, ...]
    probes: dict[str, tuple[Probe, ...]]


def gather(source: Source, facts: int | None) -> Material:
    """Read one source. Raises InputError or UsageError with the way out."""
    pack = load_pack(source.pack)
    return Material(source.pack, pack.probes, _limited(pack.pool, facts or source.limit))


def _limited(pool: Pool, facts: int | None) -> Pool:
    if facts is None:
        return pool
    if facts > len(pool.facts):
        raise InputError(
            f"{facts} facts asked for, the pool has {len(pool.facts)}", where=f"pool {pool.name}"
        )
    kept = set(pool.facts[:facts])
    return Pool(name=pool.name, items=tuple(i for i in pool.items if i.fact in kept))


def choose_probes(study: Study, material: Material) -> tuple[Probe, ...]:
    """The probes that every arm of a source is asked, in a fixed order."""
    trained = set(material.pool.facts)
    wanted = {
        "reworded": True,
        "inferential": study.ask.inferential,
        "untrained": study.ask.untrained,
    }
    chosen = [
        p
        for p in material.probes
        if p.response == "domain"
        and p.kind == "choice"
        and wanted[p.relation]
        and (p.fact is None or p.fact in trained)
    ]
    if study.ask.danger:
        chosen += [p for p in material.probes if p.response == "dangerous"]
    spoken = [
        p for p in material.probes if p.kind == "generate" and (p.fact in trained or p.fact is None)
    ]
    chosen += spoken[: study.ask.answers]
    if not any(p.response == study.primary.response for p in chosen):
        raise UsageError(
            f"nothing is asked for the primary response '{study.primary.response}'",
            next_step="give a pool with probes, or set primary.response to what `ask` turns on",
        )
    return tuple(chosen)


def lay_out(study: Study) -> Design:
    """Every cell of the study with its rows. Runs the overlap guard; touches no model."""
    cells: list[Cell] = []
    probes: dict[str, tuple[Probe, ...]] = {}
    for source in study.rows:
        material = gather(source, study.facts)
        probes[material.label] = choose_probes(study, material)
        cells += _cells(study, material)
        rows = [r for c in cells if c.series.pool == material.label for r in c.training.rows]
        check_overlap(rows, probes[material.label])
    return Design(study, tuple(cells), probes)


def _cells(study: Study, material: Material) -> list[Cell]:
    found = []
    for severity in study.severities:
        for seed in study.seeds:
            make = _maker(study, material, severity, seed)
            series = Series(
                pool=material.label,
                severity=severity,
                structure=study.structure,
                unit=study.unit,
                vary=study.vary,
            )
            full = len(make(0.0).rows)
            found += [Cell(series, d, seed, False, make(d), full) for d in study.axis]
    for severity in study.controls:
        for seed in study.seeds:
            make = _maker(_as_control(study), material, severity, seed)
            series = Series(
                pool=material.label,
                severity=severity,
                structure="consistent",
                unit="row",
                vary="replace",
            )
            training = make(1.0)
            found.append(Cell(series, 1.0, seed, True, training, len(training.rows)))
    return found


def _as_control(study: Study) -> Study:
    """The study as its controls see it: rows replaced, one by one."""
    return study.model_copy(update={"vary": "replace", "unit": "row", "structure": "consistent"})


def _maker(
    study: Study, material: Material, severity: Severity, seed: int
) -> Callable[[float], TrainingSet]:
    mix = Mix(
        severity=severity,
        structure=study.structure,
        unit=study.unit,
        vary=study.vary,
        seed=seed,
        system=study.system,
    )
    return lambda dose: mix_pool(material.pool, dose, mix)


def check_overlap(rows: Sequence[Row], probes: Sequence[Probe]) -> int:
    """Refuse training prompts that equal a probe or share 0.9 of its words (Jaccard).

    Returns how many distinct prompts were compared. Raises GuardError naming the pairs.
    """
    prompts = {row.prompt[-1].content: words(row.prompt[-1].content) for row in rows}
    asked = [(p.id, p.prompt, words(p.prompt)) for p in probes]
    clashes = [
        f"{name} ~ {text[:80]!r}"
        for text, bag in prompts.items()
        for name, prompt, probe_bag in asked
        if prompt == text
        or (
            min(len(bag), len(probe_bag)) >= OVERLAP * max(len(bag), len(probe_bag))
            and jaccard(bag, probe_bag) >= OVERLAP
        )
    ]
    if clashes:
        raise GuardError(
            "probes in the training rows",
            f"{len(clashes)} training prompts are too like a probe: {clashes[0]}",
            next_step="reword these probes or take the rows out",
        )
    return len(prompts)


def arm_of(cell: Cell, study: Study, weights: str, template: str, trainer: int) -> Arm:
    """The arm that this cell is: equal rows, recipe, seed and base give the same arm."""
    recipe = study.train
    if cell.series.vary == "correct_only" and recipe.steps is None:
        recipe = recipe.model_copy(update={"steps": total_steps(cell.full_rows, recipe)})
    return Arm(
        base=weights,
        template=template,
        rows=digest([row.id for row in cell.training.rows]),
        recipe=recipe,
        seed=cell.seed,
        trainer_version=trainer,
    )
