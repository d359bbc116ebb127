"""From answers on disk to one long table: a line per arm and probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datadose.running._design import Cell, Design, arm_of
from datadose.running._folder import RunFolder
from datadose.running._stages import answers_of, answers_of_arm
from datadose.schema import Outcome, Probe
from datadose.training import TRAINER_VERSION, checkpoint_name

if TYPE_CHECKING:
    import polars as pl

    from datadose.models import BaseModel

BAD_COUNTS = ("misaligned", "dangerous", "refused")


@dataclass(frozen=True)
class Answered:
    """A cell with the outcomes of its arm; the base model has no cell."""

    pool: str
    cell: Cell | None
    arm: str
    outcomes: tuple[Outcome, ...]


def collect(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> list[Answered]:
    """The answers of the base model and of every cell, in the order of the design.

    Raises InputError where there are none yet, GuardError where they are not those of their
    manifest or of their arm.
    """
    asked_once = run.path / "base" / "answers"
    found = [
        Answered(pool, None, "base", tuple(answers_of(run, asked_once / f"{name}.jsonl")))
        for pool, name in names.items()
    ]
    for cell in design.cells:
        arm = arm_of(cell, design.study, base.weights, base.template, TRAINER_VERSION).id
        path = run.arm(arm) / "answers" / f"{names[cell.series.pool]}.jsonl"
        found.append(Answered(cell.series.pool, cell, arm, tuple(answers_of_arm(run, arm, path))))
    return found


def _lines(answered: Answered, probes: dict[str, Probe]) -> Iterator[dict[str, Any]]:
    cell = answered.cell
    shares = {} if cell is None else cell.training.own_fact_share
    for outcome in answered.outcomes:
        probe = probes[outcome.probe]
        right = outcome.kind == "right"
        bad = outcome.kind in ("adopted", "wrong")
        yield {
            "pool": answered.pool,
            "series": "" if cell is None else cell.series.label,
            "severity": "" if cell is None else cell.series.severity,
            "control": cell is not None and cell.control,
            "arm": answered.arm,
            "base": cell is None,
            "dose": None if cell is None else cell.dose,
            "seed": None if cell is None else cell.seed,
            "response": probe.response_name,
            "relation": probe.relation,
            "kind": probe.kind,
            "group": probe.group,
            "question": probe.id,
            "cluster": probe.cluster,
            "outcome": outcome.kind,
            "own_share": None if probe.fact is None else shares.get(probe.fact),
            "good": int(bad if probe.response in BAD_COUNTS else right),
            "asked": 1,
        }


def response_table(design: Design, answers: Sequence[Answered]) -> pl.DataFrame:
    """One line per arm of a series and probe. `good` counts right answers of domain probes and
    bad ones of misaligned and dangerous probes; an arm that serves two series stands in both."""
    import polars as pl

    probes = {pool: {p.id: p for p in asked} for pool, asked in design.probes.items()}
    lines = [line for a in answers for line in _lines(a, probes[a.pool])]
    return pl.DataFrame(
        lines,
        schema_overrides={"dose": pl.Float64, "seed": pl.Int64, "own_share": pl.Float64},
        infer_schema_length=None,
    )


@dataclass(frozen=True)
class Checkpoint:
    """Answers to the primary probes after a share (0 to 1) of an arm's steps.

    answers: question, cluster, and whether it counts as `good` in the response table.
    """

    cell: Cell
    share: float
    answers: tuple[tuple[str, str, bool], ...]


def checkpoints(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> list[Checkpoint]:
    """Every checkpoint of every cell of a series, the last one's answers among its own."""
    found = []
    for cell in design.cells:
        if cell.control:
            continue
        arm = arm_of(cell, design.study, base.weights, base.template, TRAINER_VERSION)
        probes = {p.id: p for p in design.probes[cell.series.pool]}
        for share in arm.recipe.checkpoints:
            mark = "" if share == 1 else f"-{checkpoint_name(share)}"
            name = f"{names[cell.series.pool]}{mark}.jsonl"
            answers = [
                a
                for a in answers_of(run, run.arm(arm.id) / "answers" / name)
                if design.study.primary.is_on(probes[a.probe])
            ]
            lines = _lines(Answered(cell.series.pool, cell, arm.id, tuple(answers)), probes)
            found.append(
                Checkpoint(
                    cell,
                    share,
                    tuple((x["question"], x["cluster"], bool(x["good"])) for x in lines),
                )
            )
    return found
