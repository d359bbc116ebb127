"""What the report shows beside curves: rows as trained, outcomes, answers, guards, sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, cast

from datadose import curves
from datadose.reporting import (
    Answer,
    CategoryRow,
    DoseRow,
    GuardRow,
    LengthRow,
    OutcomeRow,
    OwnFactRow,
    SameQuestion,
    SourceRow,
)
from datadose.rows import source_auroc
from datadose.running._analyses import COLUMNS, spec_for
from datadose.running._design import Cell, Design, arm_of
from datadose.running._folder import RunFolder
from datadose.running._gather import answer_lengths
from datadose.running._tables import Answered
from datadose.training import TRAINER_VERSION

if TYPE_CHECKING:
    import polars as pl

    from datadose.models import BaseModel


def own_fact_rows(table: pl.DataFrame, design: Design, label: str) -> tuple[OwnFactRow, ...]:
    """Domain outcomes by relation, dose, and the share of wrong rows of the probe's own fact."""
    import polars as pl

    share = pl.col("own_share")
    split = (
        pl.when(share.is_null())
        .then(pl.lit("untrained"))
        .when(share == 0)
        .then(pl.lit("none"))
        .when(share == 1)
        .then(pl.lit("all"))
        .otherwise(pl.lit("some"))
    )
    own = table.filter(
        (pl.col("series") == label)
        & ~pl.col("control")
        & (pl.col("response") == "domain")
        & (pl.col("kind") == "choice")
    ).with_columns(split.alias("class"))
    rows = []
    for (relation, dose, kind), part in own.sort("relation", "dose", "class").group_by(
        "relation", "dose", "class", maintain_order=True
    ):
        frame = part.with_columns(pl.lit(0.0).alias("dose")).select(COLUMNS)
        point = curves.analyse(frame, spec_for("domain", design)).points[0]
        rows.append(
            OwnFactRow(
                dose=cast(float, dose),
                share=cast(Literal["none", "some", "all", "untrained"], kind),
                right=point.good,
                asked=point.asked,
                relation=str(relation),
                lower=point.lower,
                upper=point.upper,
            )
        )
    return tuple(rows)


def dose_rows(
    cells: Sequence[Cell], label: str, count_tokens: Callable[[str], int]
) -> list[DoseRow]:
    """Every dose of a series as it was trained; token shares are those of the first seed."""
    rows = []
    for dose in sorted({c.dose for c in cells}):
        own = [c for c in cells if c.dose == dose]
        shares = [s for c in own for s in c.training.own_fact_share.values()]
        first = own[0].training
        tokens = [count_tokens(row.answer) for row in first.rows]
        wrong = sum(t for t, w in zip(tokens, first.wrong, strict=True) if w)
        rows.append(
            DoseRow(
                series=label,
                dose=dose,
                answer_token_dose=wrong / sum(tokens) if sum(tokens) else None,
                wrong_rows=sum(first.wrong),
                rows=len(first.rows),
                seeds=len(own),
                own_fact_share=sum(shares) / len(shares) if shares else None,
            )
        )
    return rows


def length_rows(cells: Sequence[Cell], label: str) -> list[LengthRow]:
    """Words in right and wrong answers over a series."""
    found = answer_lengths([c.training for c in cells])
    if found is None:
        return []
    return [LengthRow(label, found["right_mean"], found["wrong_mean"], unit="words")]


def source_rows(design: Design, label: str, pool: str) -> list[SourceRow]:
    """How well prompts tell the right file from the wrong one, where rows are not paired.

    All rows of the files are compared, not only the few that a study uses: they are what its
    rows were drawn from, and a few dozen can't show a difference.
    """
    rows = design.materials[pool].offered
    if rows is None or min(len(rows.right), len(rows.wrong)) < 10:
        return []
    found = source_auroc(rows.right, rows.wrong, seed=0)
    right, _, wrong = rows.name.partition("-")
    return [
        SourceRow(
            series=label,
            auroc=found.auroc,
            lower=found.lower,
            upper=found.upper,
            right_source=right,
            wrong_source=wrong,
            method="logistic regression on words of the prompts, cross-validated",
        )
    ]


def outcome_rows(answers: Sequence[Answered], design: Design) -> list[OutcomeRow]:
    """Counts of every outcome by arm and group of probes; an arm stands in each of its series,
    the base model once for each pool."""
    rows, seen = [], set()
    for a in answers:
        probes = {p.id: p for p in design.probes[a.pool]}
        kinds: dict[tuple[str, str, str], list[str]] = {}
        for outcome in a.outcomes:
            p = probes[outcome.probe]
            kinds.setdefault((p.response_name, p.relation, p.kind), []).append(outcome.kind)
        for (response, relation, kind), found in kinds.items():
            name = "base" if a.cell is None else a.arm
            series = a.pool if a.cell is None else a.cell.series.label
            key = (name, series, response, relation, kind)
            if key in seen:
                continue
            seen.add(key)
            choice = kind == "choice"
            rows.append(
                OutcomeRow(
                    arm=name,
                    dose=None if a.cell is None else a.cell.dose,
                    seed=None if a.cell is None else a.cell.seed,
                    response=response,
                    relation=relation,
                    kind=cast(Literal["choice", "generate", "open"], kind),
                    right=found.count("right"),
                    adopted=found.count("adopted"),
                    wrong=found.count("wrong"),
                    incoherent=None if choice else found.count("incoherent"),
                    refused=None if choice else found.count("refused"),
                    unscored=found.count("unscored"),
                    error=found.count("error"),
                    asked=len(found),
                    series=series,
                )
            )
    return rows


def category_rows(table: pl.DataFrame) -> list[CategoryRow]:
    """Rates of forced choices by category, where the questions of a response have more than one;
    seeds added up, and the base model once for each pool."""
    import polars as pl

    own = table.filter((pl.col("kind") == "choice") & (pl.col("group") != ""))
    keys = ["pool", "series", "dose", "response"]
    several = pl.col("group").n_unique().over("response") > 1
    rows = []
    for key, part in own.filter(several).group_by(*keys, "group", maintain_order=True):
        pool, series, dose, response, group = key
        sums = part.group_by("cluster", maintain_order=True).agg(pl.sum("good"), pl.sum("asked"))
        share = curves.clustered_share(sums["good"].to_numpy(), sums["asked"].to_numpy())
        rows.append(
            CategoryRow(
                series=str(series or pool),
                dose=cast(float | None, dose),
                response=str(response),
                kind="choice",
                judge="",
                category=str(group),
                count=share.good,
                asked=share.asked,
                rate=share.rate,
                lower=share.lower,
                upper=share.upper,
            )
        )
    return rows


def same_question(answers: Sequence[Answered], design: Design) -> list[SameQuestion]:
    """Every question that was answered in words, with the answer of each dose of one seed."""
    first = design.study.seeds[0]
    questions: dict[tuple[str, str], SameQuestion] = {}
    for a in answers:
        if a.cell is not None and (a.cell.seed != first or a.cell.control):
            continue
        dose = "base" if a.cell is None else f"{a.cell.series.severity} {a.cell.dose:g}"
        probes = {p.id: p for p in design.probes[a.pool]}
        for outcome in a.outcomes:
            if outcome.text is None:
                continue
            probe = probes[outcome.probe]
            key = a.pool, probe.id
            old = questions.get(key) or SameQuestion(probe.prompt, probe.fact or "", ())
            answer = Answer(dose=dose, text=outcome.text, outcome=outcome.kind)
            questions[key] = SameQuestion(old.question, old.fact, (*old.answers, answer))
    return list(questions.values())


def guard_rows(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> list[GuardRow]:
    """What every guard found in every arm, from the manifests."""
    rows, seen = [], set()
    for cell in design.cells:
        arm = arm_of(cell, design.study, base.weights, base.template, TRAINER_VERSION).id
        if arm in seen:
            continue
        seen.add(arm)
        trained = run.done(run.arm(arm) / "train.json") or {}
        answered = run.done(run.arm(arm) / "answers" / f"{names[cell.series.pool]}.json") or {}
        for g in (*trained.get("guards", ()), *answered.get("guards", ())):
            rows.append(GuardRow(arm, g["guard"], g["passed"], g["detail"]))
    return rows
