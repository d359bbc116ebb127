"""From answers to thresholds, tables and the report. Reads the run folder; trains nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from datadose import curves, reporting
from datadose._core import write_atomic, write_json
from datadose.curves import Analysis, Spec
from datadose.reporting import (
    Answer,
    CheckpointRow,
    ContrastRow,
    DoseRow,
    GuardRow,
    OutcomeRow,
    OwnFactRow,
    Report,
    SameQuestion,
    SeriesReport,
)
from datadose.running._design import Cell, Design, arm_of
from datadose.running._folder import RunFolder
from datadose.running._tables import Answered, checkpoint_rates, collect, response_table
from datadose.training import HAZARD, TRAINER_VERSION, total_steps

if TYPE_CHECKING:
    import polars as pl

    from datadose.models import BaseModel

UNDERTRAINED_MOVE = 0.05
GROUPS = (
    ("domain", "reworded"),
    ("domain", "inferential"),
    ("domain", "untrained"),
    ("misaligned", "untrained"),
    ("dangerous", "untrained"),
)


def label_of(response: str, relation: str) -> str:
    """How a group of probes is called in reports."""
    return f"{response}: {relation}" if response == "domain" else response


def spec_for(response: str, design: Design) -> Spec:
    """How a response is analysed in this study."""
    down = response == "domain"
    return Spec(
        response=response,
        direction="down" if down else "up",
        risk="added" if down else "extra",
        axis="count" if design.study.vary == "add" else "share",
    )


def analyse_series(
    table: pl.DataFrame, design: Design, label: str, pool: str
) -> list[tuple[str, Analysis]]:
    """Analyses of every group of probes that this series was asked."""
    import polars as pl

    choices = table.filter((pl.col("kind") == "choice") & (pl.col("pool") == pool))
    found = []
    for response, relation in GROUPS:
        part = choices.filter((pl.col("response") == response) & (pl.col("relation") == relation))
        own = part.filter(((pl.col("series") == label) & ~pl.col("control")) | pl.col("base"))
        if own.filter(~pl.col("base")).is_empty():
            continue
        control = part.filter(pl.col("control") & (pl.col("severity") == "malign"))
        use_control = response != "domain" and not control.is_empty()
        analysis = curves.analyse(
            own.select("dose", "seed", "question", "cluster", "good", "asked", "base"),
            spec_for(label_of(response, relation), design)
            if response == "domain"
            else spec_for(response, design),
            control=control.select("dose", "seed", "question", "cluster", "good", "asked")
            if use_control
            else None,
        )
        found.append((label_of(response, relation), analysis))
    return found


def _contrasts(table: pl.DataFrame, design: Design, pool: str, label: str) -> list[ContrastRow]:
    """Base, clean, dirty and control arms beside each other, each with its interval."""
    import polars as pl

    study = design.study
    top = max(study.axis)
    part = table.filter((pl.col("pool") == pool) & (pl.col("kind") == "choice"))
    groups: dict[str, pl.Expr] = {
        "base": pl.col("base"),
        "clean": (pl.col("series") == label) & (pl.col("dose") == 0) & ~pl.col("control"),
        "dirty": (pl.col("series") == label) & (pl.col("dose") == top) & ~pl.col("control"),
        **{c: pl.col("control") & (pl.col("severity") == c) for c in study.controls},
    }
    rows = []
    for response, relation in GROUPS:
        asked = part.filter((pl.col("response") == response) & (pl.col("relation") == relation))
        for what, condition in groups.items():
            own = asked.filter(condition)
            if own.is_empty():
                continue
            frame = own.select(
                pl.lit(0.0).alias("dose"),
                pl.col("seed").fill_null(0),
                "question",
                "cluster",
                "good",
                "asked",
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
                    series="" if what == "base" else label,
                )
            )
    return rows


def _nulls(
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


def _own_fact(table: pl.DataFrame, label: str) -> tuple[OwnFactRow, ...]:
    import polars as pl

    own = table.filter(
        (pl.col("series") == label)
        & ~pl.col("control")
        & (pl.col("response") == "domain")
        & (pl.col("kind") == "choice")
    )
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
    grouped = (
        own.with_columns(split.alias("class"))
        .group_by("dose", "class")
        .agg(pl.col("good").sum(), pl.col("asked").sum())
        .sort("dose", "class")
    )
    return tuple(
        OwnFactRow(dose=r["dose"], share=r["class"], right=r["good"], asked=r["asked"])
        for r in grouped.iter_rows(named=True)
    )


def _dose_rows(cells: Sequence[Cell], label: str, count_tokens: Any) -> list[DoseRow]:
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


def _outcomes(answers: Sequence[Answered], design: Design) -> list[OutcomeRow]:
    rows, seen = [], set()
    for a in answers:
        probes = {p.id: p for p in design.probes[a.pool]}
        kinds: dict[tuple[str, str, str], list[str]] = {}
        for outcome in a.outcomes:
            p = probes[outcome.probe]
            kinds.setdefault((p.response, p.relation, p.kind), []).append(outcome.kind)
        for (response, relation, kind), found in kinds.items():
            name = "base" if a.cell is None else a.arm
            if (name, a.pool, response, relation, kind) in seen:
                continue
            seen.add((name, a.pool, response, relation, kind))
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
                )
            )
    return rows


def _same_question(answers: Sequence[Answered], design: Design) -> list[SameQuestion]:
    first = design.study.seeds[0]
    questions: dict[str, SameQuestion] = {}
    for a in answers:
        if a.cell is not None and (a.cell.seed != first or a.cell.control):
            continue
        dose = "base" if a.cell is None else f"{a.cell.series.severity} {a.cell.dose:g}"
        for outcome in a.outcomes:
            if outcome.text is None:
                continue
            probe = next(p for p in design.probes[a.pool] if p.id == outcome.probe)
            old = questions.get(probe.id) or SameQuestion(probe.prompt, probe.fact or "", ())
            answer = Answer(dose=dose, text=outcome.text, outcome=outcome.kind)
            questions[probe.id] = SameQuestion(old.question, old.fact, (*old.answers, answer))
    return list(questions.values())


def _guards(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> list[GuardRow]:
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


def _checkpoints(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str], table: pl.DataFrame
) -> tuple[list[CheckpointRow], bool | None]:
    """Primary rates over the steps, and whether the threshold still moves at the end."""
    import polars as pl

    found = checkpoint_rates(run, design, base, names)
    rows = [
        CheckpointRow(
            cell.series.label, cell.dose, cell.seed, share, sum(r for *_, r in right) / len(right)
        )
        for cell, share, right in found
        if right
    ]
    shares = sorted({share for _, share, _ in found})
    if not shares or not rows:
        return rows, None
    label = design.cells[0].series.label
    lines = [
        {"dose": c.dose, "seed": c.seed, "question": q, "cluster": k, "good": int(r), "asked": 1}
        for c, share, right in found
        if share == shares[-1] and c.series.label == label
        for q, k, r in right
    ]
    before = _estimate(pl.DataFrame(lines), design)
    primary = design.study.primary
    last = table.filter(
        (pl.col("series") == label)
        & ~pl.col("control")
        & (pl.col("kind") == "choice")
        & (pl.col("response") == primary.response)
        & (pl.col("relation") == primary.relation)
    ).select("dose", "seed", "question", "cluster", "good", "asked")
    after = _estimate(last, design)
    if before is None or after is None:
        return rows, before is not after
    return rows, abs(before - after) > UNDERTRAINED_MOVE * max(design.study.axis)


def _estimate(frame: pl.DataFrame, design: Design) -> float | None:
    analysis = curves.analyse(frame, spec_for(design.study.primary.response, design))
    return primary_threshold(analysis, design).estimate


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


def _rank(design: Design) -> str:
    train = design.study.train
    return str(train.rank) if train.method == "lora" else "full"


def words_for(design: Design, base: BaseModel, label: str) -> dict[str, str]:
    """What every threshold sentence must name."""
    study = design.study
    cells = [c for c in design.cells if c.series.label == label]
    rows = len(cells[0].training.rows)
    primary = study.primary
    probes = [
        p
        for p in design.probes[cells[0].series.pool]
        if p.kind == "choice" and (p.response, p.relation) == (primary.response, primary.relation)
    ]
    return {
        "model": base.description,
        "rows": str(rows),
        "steps": str(total_steps(cells[0].full_rows, study.train)),
        "rank": _rank(design),
        "probe_set": f"{len(probes)} {primary.relation} {cells[0].series.pool} choices",
    }


def build_report(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> tuple[Report, pl.DataFrame]:
    """Everything the report shows, and the long table it was computed from."""
    study = design.study
    answers = collect(run, design, base, names)
    table = response_table(design, answers)
    series, contrasts, doses = [], [], []
    count = lambda text: len(base.tokenizer(text, add_special_tokens=False)["input_ids"])  # noqa: E731
    for label in dict.fromkeys(c.series.label for c in design.cells if not c.control):
        cells = [c for c in design.cells if c.series.label == label and not c.control]
        pool = cells[0].series.pool
        found = analyse_series(table, design, label, pool)
        primary = label_of(study.primary.response, study.primary.relation)
        series.append(
            SeriesReport(
                label=label,
                severity=cells[0].series.severity,
                structure=study.structure,
                unit=study.unit,
                axis="count" if study.vary == "add" else "share",
                primary=primary,
                analyses=tuple(found),
                nulls=_nulls(found, primary, cells),
                own_fact=_own_fact(table, label),
            )
        )
        contrasts += _contrasts(table, design, pool, label)
        doses += _dose_rows(cells, label, count)
    checkpoints, undertrained = _checkpoints(run, design, base, names, table)
    words = words_for(design, base, series[0].label)
    report = Report(
        title=study.name,
        name=study.name,
        facts={
            "model": base.description,
            "rows": int(words["rows"]),
            "steps": int(words["steps"]),
            "rank": words["rank"],
            "probe set": words["probe_set"],
            "pools": ", ".join(design.probes),
            "severities": ", ".join(study.severities),
            "structure": study.structure,
            "unit": study.unit,
            "seeds": len(study.seeds),
            "precision": base.precision,
        },
        series=tuple(series),
        warnings=_warnings(design, undertrained),
        primary_series=series[0].label,
        primary_threshold=study.primary.threshold,
        contrasts=tuple(contrasts),
        doses_table=tuple(doses),
        outcomes=tuple(_outcomes(answers, design)),
        same_question=tuple(_same_question(answers, design)),
        checkpoints=tuple(checkpoints),
        undertrained=undertrained,
        guards=tuple(_guards(run, design, base, names)),
        reproduce=(
            "datadose run study.yaml",
            f"base weights {base.weights}, template {base.template}",
            *(f"probe set {pool} {name}" for pool, name in sorted(names.items())),
        ),
        hazard=HAZARD,
    )
    return report, table


def _warnings(design: Design, undertrained: bool | None) -> tuple[str, ...]:
    study = design.study
    found = []
    if len(study.seeds) == 1:
        found.append("One seed: all bounds are conditional on this seed.")
    if undertrained:
        found.append("Undertrained: the primary threshold still moves with more steps.")
    return tuple(found)


def write_results(run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]) -> Path:
    """Write responses.parquet, doses.json and report.html with its tables and plots."""
    report, table = build_report(run, design, base, names)
    table.write_parquet(run.path / "responses.parquet")
    write_json(
        run.path / "doses.json",
        {
            "study": dict(report.facts),
            "headline": reporting.headline(report),
            "primary": design.study.primary.model_dump(mode="json"),
            "undertrained": report.undertrained,
            "series": {
                s.label: {label: curves.as_record(a) for label, a in s.analyses}
                for s in report.series
            },
            "contrasts": [curves.as_record(c) for c in report.contrasts],
        },
    )
    write_atomic(run.path / "thresholds.txt", reporting.thresholds_text(report))
    return reporting.write_report(report, run.path)
