"""From the long table to curves, thresholds and differences between arms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from datadose import curves
from datadose._core import InputError
from datadose.curves import Analysis, Spec
from datadose.reporting import CheckpointRow, ContrastRow, DifferenceRow
from datadose.running._design import Cell, Design
from datadose.running._tables import Checkpoint

if TYPE_CHECKING:
    import polars as pl

UNDERTRAINED_MOVE = 0.05
OWN_GROUPS = (
    ("domain", "reworded"),
    ("domain", "inferential"),
    ("domain", "untrained"),
    ("misaligned", "untrained"),
    ("dangerous", "untrained"),
    ("refused", "untrained"),
)
COLUMNS = ("dose", "seed", "question", "cluster", "good", "asked")


def label_of(response: str, relation: str) -> str:
    """How a group of probes is called in reports."""
    return f"{response}: {relation}" if response == "domain" else response


def spec_for(response: str, design: Design) -> Spec:
    """How a response is analysed in this study."""
    down = response.startswith("domain")
    return Spec(
        response=response,
        direction="down" if down else "up",
        risk="added" if down else "extra",
        axis="count" if design.study.vary == "add" else "share",
    )


def _groups(table: pl.DataFrame, pool: str) -> list[tuple[str, str]]:
    """Response and relation of every group of forced choices of a pool: our own probes, then
    public sets and choices behind cues."""
    import polars as pl

    asked = table.filter((pl.col("kind") == "choice") & (pl.col("pool") == pool))
    found = asked.select("response", "relation").unique(maintain_order=True).rows()
    own = [g for g in OWN_GROUPS if g in found]
    return [*own, *(g for g in found if g not in own)]


def choices(table: pl.DataFrame, pool: str, response: str, relation: str) -> pl.DataFrame:
    """The lines of one group of forced choices, of all arms and the base."""
    import polars as pl

    return table.filter(
        (pl.col("kind") == "choice")
        & (pl.col("pool") == pool)
        & (pl.col("response") == response)
        & (pl.col("relation") == relation)
    )


def _arms(design: Design, label: str) -> dict[str, pl.Expr]:
    """Which lines of the table belong to the base, and to clean, dirty and control arms."""
    import polars as pl

    own = (pl.col("series") == label) & ~pl.col("control")
    axis = design.study.axis
    found = {"base": pl.col("base")}
    if axis[0] == 0:
        found["clean"] = own & (pl.col("dose") == 0)
    found["dirty"] = own & (pl.col("dose") == axis[-1])
    for control in design.study.controls:
        found[control] = pl.col("control") & (pl.col("severity") == control)
    return found


def analyse_series(
    table: pl.DataFrame, design: Design, label: str, pool: str
) -> list[tuple[str, Analysis]]:
    """Analyses of every group of probes that this series was asked."""
    import polars as pl

    found = []
    for response, relation in _groups(table, pool):
        part = choices(table, pool, response, relation)
        own = part.filter(((pl.col("series") == label) & ~pl.col("control")) | pl.col("base"))
        if own.filter(~pl.col("base")).is_empty():
            continue
        control = part.filter(pl.col("control") & (pl.col("severity") == "malign"))
        use_control = response != "domain" and not control.is_empty()
        name = label_of(response, relation)
        analysis = curves.analyse(
            own.select(*COLUMNS, "base"),
            spec_for(name, design),
            control=control.select(COLUMNS) if use_control else None,
        )
        found.append((name, analysis))
    return found


def contrasts(table: pl.DataFrame, design: Design, pool: str, label: str) -> list[ContrastRow]:
    """Base, clean, dirty and control arms beside each other, each with its interval."""
    import polars as pl

    rows = []
    for response, relation in _groups(table, pool):
        asked = choices(table, pool, response, relation)
        for what, condition in _arms(design, label).items():
            own = asked.filter(condition)
            if own.is_empty():
                continue
            frame = own.with_columns(pl.lit(0.0).alias("dose"), pl.col("seed").fill_null(0)).select(
                COLUMNS
            )
            point = curves.analyse(frame, spec_for(response, design)).points[0]
            rows.append(
                ContrastRow(
                    what=cast(Any, what),
                    response=response,
                    relation=relation,
                    rate=point.rate,
                    lower=point.lower,
                    upper=point.upper,
                    asked=point.asked,
                    series=label,
                )
            )
    return rows


def differences(table: pl.DataFrame, design: Design, pool: str, label: str) -> list[DifferenceRow]:
    """Clean minus base, dirty minus clean, and every control against clean and base.

    Rates are of right answers for domain, of bad ones for misaligned and dangerous.
    """
    return list(_differences(table, design, pool, label))


def _differences(
    table: pl.DataFrame, design: Design, pool: str, label: str
) -> Iterator[DifferenceRow]:
    arms = _arms(design, label)
    pairs = [("clean", "base"), ("dirty", "clean"), ("dirty", "base")]
    pairs += [(c, other) for c in design.study.controls for other in ("clean", "base")]
    for response, relation in _groups(table, pool):
        asked = choices(table, pool, response, relation)
        for one, other in pairs:
            if one not in arms or other not in arms:
                continue
            a, b = asked.filter(arms[one]), asked.filter(arms[other])
            if a.is_empty() or b.is_empty():
                continue
            try:
                found = curves.difference(a, b)
            except InputError:
                continue
            yield DifferenceRow(
                series=label,
                response=response,
                relation=relation,
                what=f"{one} - {other}",
                estimate=found.estimate,
                lower=found.lower,
                upper=found.upper,
                questions=found.questions,
                seeds=found.seeds,
                note=found.note,
            )


def nulls(
    found: Sequence[tuple[str, Analysis]], primary: str, cells: Sequence[Cell]
) -> tuple[curves.Curve, ...]:
    """What arithmetic alone would give between the clean and the fullest arm."""
    points = dict(found)[primary].points
    facts = {row.fact for row in cells[0].training.rows}
    if len(points) < 2 or None in facts or points[-1].dose != 1.0:
        return ()
    doses = np.array([p.dose for p in points])
    ends = points[0].rate, points[-1].rate
    if cells[0].series.unit == "fact":
        return (curves.null_fact(doses, *ends),)
    per_fact = max(1, round(len(cells[0].training.rows) / len(facts)))
    return (curves.null_fact(doses, *ends), curves.null_plurality(doses, *ends, per_fact))


def primary_threshold(analysis: Analysis, design: Design) -> curves.Threshold:
    """The threshold that the study named before training (benchmark: at 10%)."""
    wanted = design.study.primary.threshold
    found = [
        t
        for t in analysis.thresholds
        if t.threshold == wanted
        and (t.benchmark_response is None or abs(t.benchmark_response - 0.10) < 1e-9)
    ]
    return found[0]


def checkpoint_rows(found: Sequence[Checkpoint]) -> list[CheckpointRow]:
    """Primary rates of every arm over its steps, the last included."""
    return [
        CheckpointRow(c.cell.series.label, c.cell.dose, c.cell.seed, c.share, _mean(c))
        for c in found
        if c.answers
    ]


def _mean(checkpoint: Checkpoint) -> float:
    return sum(good for *_, good in checkpoint.answers) / len(checkpoint.answers)


def undertrained(
    found: Sequence[Checkpoint], analysis: Analysis, design: Design, label: str
) -> bool | None:
    """Whether the primary threshold of a series still moved over the last part of training.

    None where there is no earlier checkpoint or no estimate at either time; true where there
    is one at one time only.
    """
    import polars as pl

    own = [c for c in found if c.cell.series.label == label and c.answers and c.share < 1]
    if not own:
        return None
    last = max(c.share for c in own)
    lines = [
        {
            "dose": c.cell.dose,
            "seed": c.cell.seed,
            "question": question,
            "cluster": cluster,
            "good": int(good),
            "asked": 1,
        }
        for c in own
        if c.share == last
        for question, cluster, good in c.answers
    ]
    primary = design.study.primary.response_name
    earlier = curves.analyse(pl.DataFrame(lines), spec_for(primary, design))
    before = primary_threshold(earlier, design).estimate
    after = primary_threshold(analysis, design).estimate
    if before is None and after is None:
        return None
    if before is None or after is None:
        return True
    return abs(before - after) > UNDERTRAINED_MOVE * max(design.study.axis)
