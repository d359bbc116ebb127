"""Run a study: lay it out, train and ask every arm, and find the thresholds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datadose._core import digest, write_atomic
from datadose.evaluation import Prior
from datadose.models import BaseModel, check_head, check_tries, load_base
from datadose.running._adaptive import added, choose
from datadose.running._design import Cell, Design, arm_of, lay_out
from datadose.running._folder import RunFolder
from datadose.running._judged import answer_arm, judge_all
from datadose.running._open import answer_open
from datadose.running._queue import do_arms
from datadose.running._stages import (
    evaluate_arm,
    evaluate_base,
    prior_of,
    probe_set_hash,
    template_check,
    train,
    write_rows,
)
from datadose.running._workers import helpers, threads_for
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
        "mix": [
            *(study.structure, study.unit, study.vary, study.system),
            *(study.equal, study.match_lengths),
        ],
        "primary": study.primary.model_dump(
            mode="json", exclude=None if study.primary.set else {"set"}
        ),
    }


def run_study(
    study: Study,
    folder: Path,
    *,
    on_event: OnEvent = lambda _: None,
    base: BaseModel | None = None,
    workers: int = 1,
) -> Path:
    """Run or resume `study` in `folder`; returns the path of `report.html`.

    Stages that are complete are not done again. An adaptive design goes on from the steps that
    the folder records, until its interval is narrow enough or its budget spent. With
    `workers`, that many processes share the arms and the processor; several commands on one
    folder share its arms too. Raises InputError where the folder belongs to another study,
    GuardError where a result would be false, StageError where a stage failed.
    """
    from datadose.running._results import write_results

    tell = _teller(run := RunFolder(folder), on_event)
    design = lay_out(study, added(folder))
    threads = threads_for(folder, workers)
    base = _ready(run, design, base, tell, threads if workers > 1 or base is None else None)
    write_atomic(folder / "study.yaml", _as_yaml(study))
    names = probe_names(design)
    priors: dict[str, Prior] = {}
    with helpers(folder, workers - 1, threads):
        for pool, probes in design.probes.items():
            tell({"event": "base", "pool": pool, "probes": len(probes)})
            priors[pool] = prior_of(base, probes, study)
            evaluate_base(run, base, names[pool], probes, study, priors[pool])
        answer_open(run, run.path / "base", base, study, None, 0)
        _run_arms(run, design, base, names, tell, priors)
    while choose(run, design, base, names, tell):
        done = {(c.series, c.dose, c.seed) for c in design.cells}
        design = lay_out(study, added(folder))
        new = tuple(c for c in design.cells if (c.series, c.dose, c.seed) not in done)
        with helpers(folder, workers - 1 if len(new) > 1 else 0, threads):
            _run_arms(run, replace(design, cells=new), base, names, tell, priors)
    judge_all(run, design, base, tell)
    tell({"event": "results"})
    report = write_results(run, design, base, names)
    tell({"event": "done", "report": report.name})
    return report


def run_arms(study: Study, folder: Path, *, on_event: OnEvent = lambda _: None) -> None:
    """Train and ask the arms of a folder that another process is running; writes no results.

    Stops with KeyboardInterrupt when the process that started it is gone.
    """
    parent = os.getppid()

    def watch(event: dict[str, Any]) -> None:
        if os.getppid() != parent:
            raise KeyboardInterrupt
        on_event(event)

    tell = _teller(run := RunFolder(folder), watch)
    design = lay_out(study, added(folder))
    base = _ready(run, design, None, tell, threads_for(folder, 1))
    _run_arms(run, design, base, probe_names(design), tell, {})


def probe_names(design: Design) -> dict[str, str]:
    """The name of every source's probe set."""
    system = design.study.system
    return {pool: probe_set_hash(probes, system) for pool, probes in design.probes.items()}


def _teller(run: RunFolder, on_event: OnEvent) -> OnEvent:
    def tell(event: dict[str, Any]) -> None:
        if event["event"] != "step":
            run.event(event)
        on_event(event)

    return tell


def _ready(
    run: RunFolder, design: Design, base: BaseModel | None, tell: OnEvent, threads: int | None
) -> BaseModel:
    """The base in memory, after all that may refuse this folder."""
    study = design.study
    base = base or load_base(
        study.model,
        precision=study.train.precision,
        threads=threads,
        say=lambda text: tell({"event": "note", "text": text}),
    )
    check_head(base)
    check_tries(base)
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
    return base


def rebuild(study: Study, folder: Path, *, base: BaseModel | None = None) -> Path:
    """Tables and report again, from the answers on disk; the numbers are the same to the bit.

    Raises InputError where an arm of the study has not been run, GuardError where answers on disk
    are not the ones that were given.
    """
    from datadose.running._results import write_results

    run, design = RunFolder(folder), lay_out(study, added(folder))
    base = base or load_base(study.model, precision=study.train.precision)
    return write_results(run, design, base, probe_names(design))


def _run_arms(
    run: RunFolder,
    design: Design,
    base: BaseModel,
    names: dict[str, str],
    tell: OnEvent,
    priors: dict[str, Prior],
) -> None:
    planned = {p.arm.id: p for p in plan_arms(design, base)}

    def job(arm_id: str) -> Callable[[int], None]:
        arm, cell = planned[arm_id].arm, planned[arm_id].cell

        def do(number: int) -> None:
            pool = cell.series.pool
            tell(
                {
                    "event": "arm",
                    "arm": arm.id,
                    "series": cell.series.label,
                    "dose": cell.dose,
                    "seed": cell.seed,
                    "number": number,
                    "of": len(planned),
                }
            )
            write_rows(run, arm, cell.training)
            train(run, arm, cell.training, base, tell)
            tell({"event": "asking", "arm": arm.id})
            probes, study = design.probes[pool], design.study
            if pool not in priors:
                priors[pool] = prior_of(base, probes, study)
            evaluate_arm(run, arm, base, names[pool], probes, study, priors[pool])
            answer_arm(run, arm, base, design)

        return do

    do_arms(run, {arm_id: job(arm_id) for arm_id in planned}, tell)


def _as_yaml(study: Study) -> str:
    """The study with every default written out, so that it can be run again as it stands."""
    import io

    from ruamel.yaml import YAML

    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(study.model_dump(mode="json", exclude_none=True), text)
    return text.getvalue()
