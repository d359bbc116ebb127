"""From answers to thresholds, tables and the report. Reads the run folder; trains nothing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import curves, reporting
from datadose._core import write_atomic, write_json
from datadose.reporting import NEVER, DifferenceRow, JudgedRow, Report, SeriesReport
from datadose.running._adaptive import by_series, recorded
from datadose.running._analyses import (
    analyse_series,
    checkpoint_rows,
    contrasts,
    differences,
    label_of,
    nulls,
    undertrained,
)
from datadose.running._design import Cell, Design
from datadose.running._folder import RunFolder
from datadose.running._judged import (
    agreement_rows,
    judged_lines,
    judged_rows,
    open_categories,
    survival_rows,
)
from datadose.running._judged_files import corrected_rows, write_judged
from datadose.running._shown import (
    category_rows,
    dose_rows,
    guard_rows,
    length_rows,
    outcome_rows,
    own_fact_rows,
    same_question,
    source_rows,
)
from datadose.running._tables import checkpoints, collect, response_table
from datadose.schema import Study
from datadose.training import HAZARD, total_steps

if TYPE_CHECKING:
    import polars as pl

    from datadose.models import BaseModel

LEARNT = 0.10


def words_for(design: Design, base: BaseModel, cells: Sequence[Cell]) -> dict[str, str]:
    """What every threshold sentence must name."""
    study, primary = design.study, design.study.primary
    pool = cells[0].series.pool
    probes = [p for p in design.probes[pool] if primary.is_on(p)]
    return {
        "model": base.description,
        "rows": _span(len(c.training.rows) for c in cells),
        "steps": _span(total_steps(_paced_by(c, study), study.train) for c in cells),
        "rank": str(study.train.rank) if study.train.method == "lora" else "full",
        "probe_set": f"{len(probes)} {primary.relation} {primary.set or pool} choices",
    }


def _span(values: Iterable[int]) -> str:
    found = sorted(values)
    low, high = found[0], found[-1]
    return f"{low}" if low == high else f"{low} to {high}"


def _paced_by(cell: Cell, study: Study) -> int:
    """The number of rows that an arm's number of steps follows from."""
    as_long_as_clean = cell.series.vary == "correct_only" and study.equal == "steps"
    return cell.full_rows if as_long_as_clean else len(cell.training.rows)


def build_report(
    run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]
) -> tuple[Report, pl.DataFrame]:
    """Everything the report shows, and the long table it was computed from."""
    study = design.study
    answers = collect(run, design, base, names)
    table = response_table(design, answers)
    marks = checkpoints(run, design, base, names)
    primary = label_of(study.primary.response_name, study.primary.relation)
    series, rates, doses, lengths, sources, compared = [], [], [], [], [], []
    grouped = by_series(design)
    for label, cells in grouped.items():
        pool = cells[0].series.pool
        found = analyse_series(table, design, label, pool)
        series.append(
            SeriesReport(
                label=label,
                severity=cells[0].series.severity,
                structure=study.structure,
                unit=study.unit,
                axis="count" if study.vary == "add" else "share",
                primary=primary,
                analyses=tuple(found),
                nulls=nulls(found, primary, cells),
                own_fact=own_fact_rows(table, design, label),
                undertrained=undertrained(marks, dict(found)[primary], design, label),
            )
        )
        rates += contrasts(table, design, pool, label)
        compared += differences(table, design, pool, label)
        doses += dose_rows(cells, label, base.count_tokens)
        lengths += length_rows(cells, label)
        sources += source_rows(design, label, pool)
    words = words_for(design, base, grouped[series[0].label])
    spoken = judged_lines(run, design, base)
    corrected = tuple(corrected_rows(run, spoken))
    judged = tuple(judged_rows(spoken, corrected))
    report = Report(
        title=study.name,
        name=study.name,
        facts={
            "model": base.description,
            "rows": words["rows"],
            "steps": words["steps"],
            "rank": words["rank"],
            "probe set": words["probe_set"],
            "pools": ", ".join(design.probes),
            "severities": ", ".join(study.severities),
            "structure": study.structure,
            "unit": study.unit,
            "seeds": len({c.seed for c in design.cells if not c.control}),
            "precision": base.precision,
        },
        series=tuple(series),
        warnings=_warnings(design, series, compared, judged),
        primary_series=series[0].label,
        primary_threshold=study.primary.threshold,
        contrasts=tuple(rates),
        differences=tuple(compared),
        doses_table=tuple(doses),
        outcomes=tuple(outcome_rows(answers, design)),
        same_question=tuple(same_question(answers, design)),
        checkpoints=tuple(checkpoint_rows(marks)),
        undertrained=series[0].undertrained,
        guards=tuple(guard_rows(run, design, base, names)),
        reproduce=(
            "datadose run study.yaml",
            f"base weights {base.weights}, template {base.template}",
            *(f"probe set {pool} {name}" for pool, name in sorted(names.items())),
        ),
        hazard=HAZARD,
        sources=tuple(sources),
        lengths=tuple(lengths),
        judged=judged,
        corrected=corrected,
        survival=tuple(survival_rows(spoken)),
        agreement=tuple(agreement_rows(spoken)),
        categories=(*category_rows(table), *open_categories(spoken)),
    )
    return report, table


def _warnings(
    design: Design,
    series: Sequence[SeriesReport],
    compared: Sequence[DifferenceRow],
    judged: Sequence[JudgedRow] = (),
) -> tuple[str, ...]:
    study = design.study
    found = []
    if len(study.seeds) == 1:
        found.append("One seed: all bounds are conditional on this seed.")
    moving = [s.label for s in series if s.undertrained]
    if moving:
        found.append(
            "Undertrained: the primary threshold still moves with more steps in "
            + ", ".join(moving)
            + "."
        )
    asked = {c.relation for c in compared if c.response == "domain"}
    relation = "reworded" if "reworded" in asked else study.primary.relation
    taught = "domain", relation, "clean - base"
    for c in compared:
        if (c.response, c.relation, c.what) == taught and c.lower < LEARNT:
            found.append(
                f"{c.series}: clean training was not shown to teach the task. Clean minus base"
                f" is {c.estimate:.2f} ({c.lower:.2f} to {c.upper:.2f})."
            )
    bare = sorted({r.judge for r in judged if r.judge and r.calibration == NEVER})
    if bare:
        found.append(f"Open answers were judged by {', '.join(bare)}, {NEVER} on this study.")
    silent = sorted({r.about for r in judged if not r.judge})
    if silent and not study.judges:
        found.append("Open answers are unscored: no judge is configured.")
    elif silent:
        found.append(
            f"Open answers about {' and '.join(silent)} are unscored: no judge of this study"
            " reads them."
        )
    for material in design.materials.values():
        if material.dropped:
            found.append(
                f"{material.label}: {material.dropped} facts were left out because their right"
                " and wrong answers differ in length."
            )
    return tuple(found)


def _open_answers(report: Report) -> dict[str, Any]:
    """What judges made of open answers; nothing where none were asked."""
    if not report.judged:
        return {}
    parts = {
        "judged": report.judged,
        "survival": report.survival,
        "agreement": report.agreement,
        "corrected": report.corrected,
    }
    return {name: [curves.as_record(x) for x in rows] for name, rows in parts.items()}


def write_results(run: RunFolder, design: Design, base: BaseModel, names: dict[str, str]) -> Path:
    """Write responses.parquet, doses.json, report.html with its tables and plots, and judged
    answers where there are any."""
    report, table = build_report(run, design, base, names)
    parquet = io.BytesIO()
    table.write_parquet(parquet)
    write_atomic(run.path / "responses.parquet", parquet.getvalue())
    write_json(
        run.path / "doses.json",
        {
            "study": dict(report.facts),
            "headline": reporting.headline(report),
            "primary": design.study.primary.model_dump(mode="json"),
            "undertrained": report.undertrained,
            "warnings": list(report.warnings),
            "series": {
                s.label: {label: curves.as_record(a) for label, a in s.analyses}
                for s in report.series
            },
            "own_fact": {s.label: curves.as_record(s.own_fact) for s in report.series},
            "steps": recorded(run.path),
            "contrasts": [curves.as_record(c) for c in report.contrasts],
            "differences": [curves.as_record(d) for d in report.differences],
            "doses": [curves.as_record(d) for d in report.doses_table],
            "lengths": [curves.as_record(x) for x in report.lengths],
            "sources": [curves.as_record(x) for x in report.sources],
            "checkpoints": [curves.as_record(c) for c in report.checkpoints],
            "categories": [curves.as_record(x) for x in report.categories],
            **_open_answers(report),
        },
    )
    write_judged(run, judged_lines(run, design, base))
    write_atomic(run.path / "thresholds.txt", reporting.thresholds_text(report))
    return reporting.write_report(report, run.path)
