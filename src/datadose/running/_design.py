"""From a study to its arms: pools, probes, and which arm serves which dose of which series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose._core import GuardError, InputError, digest
from datadose.domains import OVERLAP
from datadose.rows import near_duplicates
from datadose.running._gather import Material, choose_probes, gather, mixer
from datadose.running._open import check_judges, open_questions
from datadose.schema import Arm, Probe, Row, Series, Study, TrainingSet
from datadose.training import total_steps


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
class Added:
    """An arm that an adaptive design added to a series."""

    series: str
    dose: float
    seed: int


@dataclass(frozen=True)
class Design:
    """All cells of a study and the probes put to each of its sources' arms."""

    study: Study
    cells: tuple[Cell, ...]
    probes: dict[str, tuple[Probe, ...]]
    materials: dict[str, Material]


def lay_out(study: Study, added: Sequence[Added] = ()) -> Design:
    """Every cell of the study, and those added, with its rows. Runs the overlap guard; touches no
    model. Refuses judges that could read none of the study's answers."""
    check_judges(study)
    cells: list[Cell] = []
    probes: dict[str, tuple[Probe, ...]] = {}
    materials: dict[str, Material] = {}
    spoken = [q.probe() for q in open_questions(study)]
    for source in study.rows:
        material = gather(source, study)
        materials[material.label] = material
        probes[material.label] = choose_probes(study, material)
        cells += _cells(study, material, added)
        rows = [r for c in cells if c.series.pool == material.label for r in c.training.rows]
        check_overlap(rows, [*probes[material.label], *spoken])
    return Design(study, tuple(cells), probes, materials)


def _cells(study: Study, material: Material, added: Sequence[Added]) -> list[Cell]:
    found = []
    for severity in study.severities:
        series = Series(
            pool=material.label,
            severity=severity,
            structure=study.structure,
            unit=study.unit,
            vary=study.vary,
        )
        wanted: dict[int, list[float]] = {seed: list(study.axis) for seed in study.seeds}
        for extra in (a for a in added if a.series == series.label):
            doses = wanted.setdefault(extra.seed, [])
            if extra.dose not in doses:
                doses.append(extra.dose)
        for seed, doses in wanted.items():
            make = mixer(study, material, severity, seed)
            full = len(make(0.0).rows)
            for dose in doses:
                training = make(dose)
                if not training.rows:
                    raise InputError(
                        f"dose {dose:g} leaves no row to train on",
                        where=f"vary: {study.vary}",
                        next_step="leave out dose 1 where wrong rows are dropped",
                    )
                found.append(Cell(series, dose, seed, False, training, full))
    for severity in study.controls:
        for seed in study.seeds:
            make = mixer(_as_control(study), material, severity, seed)
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


def check_overlap(rows: Sequence[Row], probes: Sequence[Probe]) -> int:
    """Refuse training prompts that equal a probe or share 0.9 of its words (Jaccard).

    Returns how many distinct prompts were compared. Raises GuardError naming the pairs.
    """
    prompts = list(dict.fromkeys(row.prompt[-1].content for row in rows))
    asked = [p.prompt for p in probes]
    clashes = [
        f"{probes[j].id} ~ {prompts[i][:80]!r}"
        for i, j, _ in near_duplicates(prompts, asked, OVERLAP)
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
    fewer = cell.series.vary == "correct_only" and study.equal == "steps"
    if fewer and recipe.steps is None:
        recipe = recipe.model_copy(update={"steps": total_steps(cell.full_rows, recipe)})
    return Arm(
        base=weights,
        template=template,
        rows=digest([row.id for row in cell.training.rows]),
        recipe=recipe,
        seed=cell.seed,
        trainer_version=trainer,
    )
