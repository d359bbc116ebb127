"""Run a series over named training sets: the same stages, guards and folder as a study's arms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import digest
from datadose.evaluation import Prior
from datadose.models import BaseModel, check_head, check_tries, load_base
from datadose.running._design import check_overlap
from datadose.running._folder import RunFolder
from datadose.running._queue import do_arms
from datadose.running._stages import (
    answers_of,
    answers_of_arm,
    evaluate_arm,
    evaluate_base,
    prior_of,
    probe_set_hash,
    train,
    write_rows,
)
from datadose.running._tables import BAD_COUNTS
from datadose.schema import Arm, NamedSet, Outcome, SetSeries
from datadose.training import TRAINER_VERSION

if TYPE_CHECKING:
    import polars as pl

BASE = "base"
OnEvent = Callable[[dict[str, Any]], None]


def run_sets(
    series: SetSeries,
    folder: Path,
    *,
    base: BaseModel | None = None,
    on_event: OnEvent = lambda _: None,
) -> pl.DataFrame:
    """Train and ask every arm of a series over named sets, or go on where it stopped.

    Returns one line per set (and `base`), seed and probe: set, seed (null for the base), response,
    relation, question, cluster, good, asked; `good` counts bad answers where the response is
    misaligned or dangerous. Sets and seeds may be added by a later call on the same folder; another
    base, recipe or probe set is refused. Raises GuardError where a prompt is too like a probe or a
    result would be false, InputError where the folder belongs to another series.
    """
    run = RunFolder(folder)

    def tell(event: dict[str, Any]) -> None:
        if event["event"] != "step":
            run.event(event)
        on_event(event)

    check_overlap(_every_row(series.sets), series.probes)
    base = base or load_base(series.model, precision=series.train.precision)
    check_head(base)
    check_tries(base)
    run.keep_fixed(
        "environment",
        base.environment(),
        next_step="use the same torch, threads and precision, or another folder",
    )
    name = probe_set_hash(series.probes, series.system)
    run.keep_fixed(
        "fixed",
        {
            "base": base.weights,
            "template": base.template,
            "train": series.train.model_dump(mode="json"),
            "probes": name,
            "primary": series.primary.model_dump(mode="json"),
        },
        next_step="use another folder",
    )
    priors: list[Prior] = []

    def prior() -> Prior:
        if not priors:
            priors.append(prior_of(base, series.probes, series))
        return priors[0]

    planned: dict[str, tuple[Arm, NamedSet]] = {}
    for one in series.sets:
        arm = arm_of_set(one, series, base)
        planned.setdefault(arm.id, (arm, one))
    if not (run.path / BASE / "answers" / f"{name}.json").is_file():
        tell({"event": "base", "pool": series.name, "probes": len(series.probes)})
        evaluate_base(run, base, name, series.probes, series, prior())
    waiting = {arm_id: both for arm_id, both in planned.items() if not _answered(run, arm_id, name)}

    def job(arm: Arm, one: NamedSet) -> Callable[[int], None]:
        def do(number: int) -> None:
            tell(
                {
                    "event": "set",
                    "arm": arm.id,
                    "set": one.name,
                    "seed": one.seed,
                    "rows": len(one.rows),
                    "number": number,
                    "of": len(waiting),
                }
            )
            write_rows(run, arm, one)
            train(run, arm, one, base, tell)
            evaluate_arm(run, arm, base, name, series.probes, series, prior())

        return do

    do_arms(run, {arm_id: job(*both) for arm_id, both in waiting.items()}, tell)
    return _table(run, series, base, name)


def arm_of_set(one: NamedSet, series: SetSeries, base: BaseModel) -> Arm:
    """The arm that a named set is: equal rows and seed are one arm, whatever they are called."""
    return Arm(
        base=base.weights,
        template=base.template,
        rows=digest([row.id for row in one.rows]),
        recipe=series.train,
        seed=one.seed,
        trainer_version=TRAINER_VERSION,
    )


def _every_row(sets: Sequence[NamedSet]) -> list[Any]:
    return list({row.id: row for one in sets for row in one.rows}.values())


def _answered(run: RunFolder, arm_id: str, name: str) -> bool:
    return (run.arm(arm_id) / "answers" / f"{name}.json").is_file()


def _table(run: RunFolder, series: SetSeries, base: BaseModel, name: str) -> pl.DataFrame:
    import polars as pl

    probes = {p.id: p for p in series.probes}

    def lines(label: str, seed: int | None, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
        found = []
        for outcome in outcomes:
            probe = probes[outcome.probe]
            bad = outcome.kind in ("adopted", "wrong")
            good = bad if probe.response in BAD_COUNTS else outcome.kind == "right"
            found.append(
                {
                    "set": label,
                    "seed": seed,
                    "response": probe.response,
                    "relation": probe.relation,
                    "question": probe.id,
                    "cluster": probe.cluster,
                    "good": int(good),
                    "asked": 1,
                }
            )
        return found

    path = run.path / BASE / "answers" / f"{name}.jsonl"
    table = lines(BASE, None, answers_of(run, path))
    for one in series.sets:
        arm = arm_of_set(one, series, base)
        path = run.arm(arm.id) / "answers" / f"{name}.jsonl"
        table += lines(one.name, one.seed, answers_of_arm(run, arm.id, path))
    return pl.DataFrame(table, schema_overrides={"seed": pl.Int64}, infer_schema_length=None)
