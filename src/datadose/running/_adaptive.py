"""An adaptive design inside a run: a loop around the stages, its steps recorded in the folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import curves
from datadose._core import read_json, write_json
from datadose.running._analyses import choices, label_of, spec_for
from datadose.running._design import Added, Cell, Design
from datadose.running._folder import RunFolder
from datadose.running._tables import collect, response_table

if TYPE_CHECKING:
    import polars as pl

    from datadose.models import BaseModel
    from datadose.schema import Adaptive, Study

STEPS_FILE = "steps.json"


def recorded(folder: Path) -> list[dict[str, Any]]:
    """The steps of an adaptive design so far, oldest first: `steps.json` of a run folder."""
    path = folder / STEPS_FILE
    found: list[dict[str, Any]] = read_json(path) if path.is_file() else []
    return found


def added(folder: Path) -> tuple[Added, ...]:
    """The arms that the recorded steps added."""
    return tuple(
        Added(step["series"], float(dose), int(seed))
        for step in recorded(folder)
        for dose, seed in step["arms"]
    )


def choose(
    run: RunFolder,
    design: Design,
    base: BaseModel,
    names: dict[str, str],
    tell: Callable[[dict[str, Any]], None],
) -> bool:
    """Record the next step of every series that is not narrow enough yet; False where none is.

    The choice depends on the answers on disk alone. A step that another process recorded in the
    meantime is taken as it stands.
    """
    adaptive = design.study.design.adaptive
    if adaptive is None:
        return False
    before = recorded(run.path)
    known = {(c.series.label, c.dose, c.seed) for c in design.cells}
    ahead = [
        (step["series"], float(dose), int(seed)) for step in before for dose, seed in step["arms"]
    ]
    if any(arm not in known for arm in ahead):
        return True
    table = response_table(design, collect(run, design, base, names))
    steps = [
        (label, _step(table, design, label, cells, adaptive))
        for label, cells in by_series(design).items()
    ]
    made = [{"series": label, **_record(step)} for label, step in steps]
    fresh = [m for m in made if m not in before]
    with run.alone("steps"):
        if recorded(run.path) != before:
            # recorded by another process while this one looked: writing ours would drop its steps
            return True
        if fresh:
            write_json(run.path / STEPS_FILE, [*before, *fresh])
    for step in fresh:
        tell({"event": "next", **step})
    return any(step["arms"] for step in fresh)


def by_series(design: Design) -> dict[str, list[Cell]]:
    """The cells of every series, controls left out."""
    found: dict[str, list[Cell]] = {}
    for cell in design.cells:
        if not cell.control:
            found.setdefault(cell.series.label, []).append(cell)
    return found


def _step(
    table: pl.DataFrame, design: Design, label: str, cells: Sequence[Cell], adaptive: Adaptive
) -> curves.Step:
    study, primary = design.study, design.study.primary
    response = primary.response_name
    spec = spec_for(label_of(response, primary.relation), design)
    own = choices(table, cells[0].series.pool, response, primary.relation)
    import polars as pl

    own = own.filter(((pl.col("series") == label) & ~pl.col("control")) | pl.col("base"))
    return curves.next_arms(
        curves.to_block(own, spec),
        spec,
        curves.Aim(primary.threshold, spec.benchmark, adaptive.width, adaptive.budget),
        batch=adaptive.batch,
        top=study.axis[-1],
        steps=candidate_steps(study, cells[0]),
        start_seeds=len(set(study.seeds)),
    )


def candidate_steps(study: Study, cell: Cell) -> int:
    """Into how many steps the doses up to the highest are parted: no finer than rows or facts."""
    if study.vary == "add":
        return curves.STEPS
    grain = len(cell.training.own_fact_share) if study.unit == "fact" else cell.full_rows
    return max(4, min(curves.STEPS, grain))


def _record(step: curves.Step) -> dict[str, Any]:
    """A step as it is written down; numbers rounded, so that it can be compared."""
    values = asdict(replace(step, arms=()))
    made = {k: round(v, 9) if isinstance(v, float) else v for k, v in values.items()}
    return {**made, "arms": [[dose, int(seed)] for dose, seed in step.arms]}
