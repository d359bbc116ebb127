"""Run a study: lay it out, train and ask every arm, and find the thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadose._core import StageError, digest, write_atomic
from datadose.models import BaseModel, check_head, load_base
from datadose.running._design import Cell, Design, arm_of, lay_out
from datadose.running._folder import RunFolder
from datadose.running._stages import (
    evaluate_arm,
    evaluate_base,
    probe_set_hash,
    template_check,
    train,
    write_rows,
)
from datadose.schema import Arm, Study
from datadose.training import TRAINER_VERSION

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class PlannedArm:
    """One arm and the first cell that needs it; `cells` counts how many it serves."""

    arm: Arm
    cell: Cell
    cells: int


def plan_arms(design: Design, base: BaseModel) -> list[PlannedArm]:
    """The distinct arms of a design, in the order in which they will be run."""
    found: dict[str, PlannedArm] = {}
    for cell in design.cells:
        arm = arm_of(cell, design.study, base.weights, base.template, TRAINER_VERSION)
        known = found.get(arm.id)
        found[arm.id] = PlannedArm(arm, cell, 1 if known is None else known.cells + 1)
        if known is not None:
            found[arm.id] = PlannedArm(known.arm, known.cell, known.cells + 1)
    return list(found.values())


def _fixed(study: Study, design: Design, base: BaseModel) -> dict[str, Any]:
    """What may not change in a run folder; doses, seeds, controls and probes may be added."""
    full = {c.series.pool: c.training for c in design.cells if c.dose == min(study.axis)}
    return {
        "base": base.weights,
        "template": base.template,
        "pools": {name: digest([r.id for r in t.rows]) for name, t in sorted(full.items())},
        "train": study.train.model_dump(mode="json"),
        "mix": [study.structure, study.unit, study.vary, study.system],
        "primary": study.primary.model_dump(mode="json"),
    }


def run_study(
    study: Study,
    folder: Path,
    *,
    on_event: OnEvent = lambda _: None,
    base: BaseModel | None = None,
) -> Path:
    """Run or resume `study` in `folder`; returns the path of `report.html`.

    Stages that are complete are not done again. Raises InputError where the folder belongs to
    another study, GuardError where a result would be false, StageError where a stage failed.
    """
    from datadose.running._results import write_results

    def tell(event: dict[str, Any]) -> None:
        if event["event"] != "step":
            run.event(event)
        on_event(event)

    run = RunFolder(folder)
    design = lay_out(study)
    base = base or load_base(
        study.model,
        precision=study.train.precision,
        say=lambda text: tell({"event": "note", "text": text}),
    )
    check_head(base)
    template_check(base, design.cells[0])
    run.keep_fixed(
        "environment",
        base.environment(),
        next_step="use the same torch, threads and precision, or another folder with --out",
    )
    run.keep_fixed(
        "fixed",
        _fixed(study, design, base),
        next_step="run the changed study in another folder with --out",
    )
    write_atomic(folder / "study.yaml", _as_yaml(study))
    names = {pool: probe_set_hash(probes, study.system) for pool, probes in design.probes.items()}
    for pool, probes in design.probes.items():
        tell({"event": "base", "pool": pool, "probes": len(probes)})
        evaluate_base(run, base, names[pool], probes, study)
    _run_arms(run, design, base, names, tell)
    tell({"event": "results"})
    report = write_results(run, design, base, names)
    tell({"event": "done", "report": report.name})
    return report


def rebuild(study: Study, folder: Path, *, base: BaseModel | None = None) -> Path:
    """Tables and report again, from the answers on disk; the numbers are the same to the bit.

    Raises InputError where an arm of the study has not been run.
    """
    from datadose.running._results import write_results

    run, design = RunFolder(folder), lay_out(study)
    base = base or load_base(study.model, precision=study.train.precision)
    names = {pool: probe_set_hash(probes, study.system) for pool, probes in design.probes.items()}
    return write_results(run, design, base, names)


def _run_arms(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str], tell: OnEvent
) -> None:
    waiting = plan_arms(design, base)
    total, started = len(waiting), time.monotonic()
    done = 0
    while waiting:
        left = []
        for planned in waiting:
            with run.claim(planned.arm.id) as mine:
                if not mine:
                    left.append(planned)
                    continue
                pool = planned.cell.series.pool
                tell(
                    {
                        "event": "arm",
                        "arm": planned.arm.id,
                        "series": planned.cell.series.label,
                        "dose": planned.cell.dose,
                        "seed": planned.cell.seed,
                        "number": done + 1,
                        "of": total,
                    }
                )
                write_rows(run, planned.arm, planned.cell)
                train(run, planned.arm, planned.cell, base, tell)
                tell({"event": "asking", "arm": planned.arm.id})
                evaluate_arm(run, planned.arm, base, names[pool], design.probes[pool], design.study)
            done += 1
            spent = time.monotonic() - started
            tell(
                {
                    "event": "arm done",
                    "arm": planned.arm.id,
                    "number": done,
                    "of": total,
                    "seconds_left": round(spent / done * (total - done)),
                }
            )
        if len(left) == len(waiting):
            time.sleep(1.0)
            if not any((run.arm(p.arm.id) / ".lock").exists() for p in left):
                raise StageError("arms can't be claimed", where=str(run.path))
        waiting = left


def _as_yaml(study: Study) -> str:
    """The study with every default written out, so that it can be run again as it stands."""
    import io

    from ruamel.yaml import YAML

    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(study.model_dump(mode="json", exclude_none=True), text)
    return text.getvalue()
