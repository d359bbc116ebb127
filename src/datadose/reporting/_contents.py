"""Every table of a report, built from the `Report`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from datadose.reporting._judged import (
    agreement_table,
    category_table,
    corrected_table,
    judged_table,
    survival_table,
)
from datadose.reporting._model import OutcomeRow, Report, SeriesReport
from datadose.reporting._pick import main_threshold
from datadose.reporting._tables import Cell, Column, Table, bounded, plain, threshold_name

if TYPE_CHECKING:
    from datadose.curves import Analysis, Curve, Threshold

SERIES = Column("series", "series")
RESPONSE = Column("response", "response")
RELATION = Column("relation", "relation")
DOSE = Column("dose", "dose", "dose")
RATE = Column("rate", "rate", "rate")
LOWER = Column("lower", "lower", "rate")
UPPER = Column("upper", "upper", "rate")
ASKED = Column("asked", "asked", "count")
SEED = Column("seed", "seed", "dose")
STATUS = Column("status", "status")
UNIT = Column("axis", "unit")
ESTIMATE = Column("estimate", "estimate", "rate")
CORRECT = (
    Column("percent_correct", "% correct", "rate"),
    Column("percent_correct_lower", "% correct, lower", "rate"),
    Column("percent_correct_upper", "% correct, upper", "rate"),
)


def tables(report: Report) -> dict[str, Table]:
    """All tables by name, in the order of the page; empty ones included, save those of judges."""
    made: tuple[Table, ...] = (
        _study(report),
        _points(report),
        _curves(report),
        _overview(report),
        _thresholds(report),
        _contrasts(report),
        _differences(report),
        _same_question(report),
        _doses(report),
        _own_fact(report),
        _lengths(report),
        _sources(report),
        _outcomes(report),
        _outcomes_by_dose(report),
        _checkpoints(report),
        _guards(report),
    )
    if report.categories:
        made = (*made, category_table(report.categories))
    if report.judged:
        judged = judged_table(report.judged), survival_table(report.survival)
        more = agreement_table(report.agreement), corrected_table(report.corrected)
        made = (*made, *judged, *more)
    return {table.name: table for table in made}


def diagnostics(report: Report) -> list[dict[str, Any]]:
    """What the fits say about themselves, for every response of every series."""
    return [
        {"series": s.label, "response": label, "diagnostics": plain(a.diagnostics)}
        for s, label, a in _analyses(report)
    ]


def _analyses(report: Report) -> Iterator[tuple[SeriesReport, str, Analysis]]:
    for series in report.series:
        for label, analysis in series.analyses:
            yield series, label, analysis


def _study(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = [("title", report.heading), ("name", report.name)]
    rows += [(key, value) for key, value in report.facts.items()]
    rows += [("warning", text) for text in report.warnings]
    return Table("study", "The study", (Column("what", "what"), Column("value", "value")), (*rows,))


def _points(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for s, label, a in _analyses(report):
        for what, p in [("base", a.base), *(("arm", p) for p in a.points)]:
            if p is not None:
                dose = None if what == "base" else p.dose
                seeds = None if what == "base" else p.seeds
                rows.append(
                    (s.label, label, what, dose, p.rate, p.lower, p.upper, p.good, p.asked, seeds)
                )
    columns = (SERIES, RESPONSE, Column("what", "what"), DOSE, RATE, LOWER, UPPER)
    counts = (Column("good", "good", "count"), ASKED, Column("seeds", "seeds", "count"))
    return Table("points", "Measured rates", columns + counts, (*rows,))


def _curves(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for s, label, a in _analyses(report):
        kinds = [("fit", c) for c in a.curves] + [("null", c) for c in s.nulls_of(label)]
        for kind, curve in kinds:
            rows += [(s.label, label, kind, curve.name, *cells) for cells in _grid(curve)]
    columns = (SERIES, RESPONSE, Column("kind", "kind"), Column("curve", "curve"))
    ends = (DOSE, RATE, LOWER, UPPER, Column("failure", "why there is no curve"))
    return Table("curves", "Fitted and null curves", columns + ends, (*rows,))


def _grid(curve: Curve) -> list[tuple[Cell, ...]]:
    if curve.failure:
        return [(None, None, None, None, curve.failure)]
    return [
        (
            dose,
            curve.rate[i],
            curve.lower[i] if curve.lower else None,
            curve.upper[i] if curve.upper else None,
            None,
        )
        for i, dose in enumerate(curve.dose)
    ]


def _overview(report: Report) -> Table:
    """A line per series: its primary threshold and the rates at both ends of its doses."""
    rows: list[tuple[Cell, ...]] = []
    for s in report.series:
        t, points = main_threshold(s, report), sorted(s.main.points, key=lambda p: p.dose)
        clean = points[0] if points and points[0].dose == 0 else None
        top = points[-1] if points else None
        rows.append(
            (
                *(s.label, s.severity, s.primary),
                *((threshold_name(t), *_numbers(t, s), t.status) if t else (None,) * 8),
                report.undertrained_of(s),
                s.main.base.rate if s.main.base else None,
                clean.rate if clean else None,
                *((top.dose, top.rate) if top else (None, None)),
                "share" if s.axis == "share" else "wrong rows",
            )
        )
    columns = (
        *(SERIES, Column("severity", "severity"), RESPONSE, Column("threshold", "threshold")),
        *(ESTIMATE, LOWER, UPPER, *CORRECT, STATUS, Column("undertrained", "undertrained", "flag")),
        *(Column("base_rate", "base", "rate"), Column("clean_rate", "clean", "rate")),
        *(Column("top_dose", "fullest dose", "dose"), Column("top_rate", "at it", "rate"), UNIT),
    )
    return Table("overview", "Overview", columns, (*rows,))


def _numbers(t: Threshold, series: SeriesReport) -> tuple[Cell, ...]:
    """Estimate and limits as doses, then as % correct, where small doses are large shares."""
    doses = (bounded(t), t.lower, t.upper)
    if series.axis == "count":
        return (*doses, None, None, None)
    correct = [None if d is None else 100 * (1 - d) for d in (doses[0], t.upper, t.lower)]
    return (*doses, *correct)


def _thresholds(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            *(s.label, label, threshold_name(t), *_numbers(t, s), t.status, t.why, t.note),
            "primary" if label == s.primary and t is main_threshold(s, report) else "exploratory",
            "share" if s.axis == "share" else "wrong rows",
            t.level,
        )
        for s, label, a in _analyses(report)
        for t in a.thresholds
    ]
    columns = (
        *(SERIES, RESPONSE, Column("threshold", "threshold"), ESTIMATE, LOWER, UPPER, *CORRECT),
        *(STATUS, Column("why", "why", "long"), Column("note", "bounds depend on", "long")),
        *(Column("role", "role"), UNIT, Column("level", "level", "dose")),
    )
    return Table("thresholds", "Thresholds", columns, (*rows,))


def _contrasts(report: Report) -> Table:
    columns = (SERIES, Column("what", "what"), RESPONSE, RELATION, RATE, LOWER, UPPER, ASKED)
    rows = tuple(
        (c.series or None, c.what, c.response, c.relation, c.rate, c.lower, c.upper, c.asked)
        for c in report.contrasts
    )
    return Table("contrasts", "Base, clean, dirty and controls", columns, rows)


def _differences(report: Report) -> Table:
    columns = (
        *(SERIES, RESPONSE, RELATION, Column("what", "difference"), ESTIMATE, LOWER, UPPER),
        *(Column("questions", "questions", "count"), Column("seeds", "seeds", "count")),
        Column("note", "bounds depend on", "long"),
    )
    rows = tuple(
        (
            *(d.series, d.response, d.relation, d.what, d.estimate, d.lower, d.upper),
            *(d.questions, d.seeds, d.note or None),
        )
        for d in report.differences
    )
    return Table("differences", "Differences, paired by question", columns, rows)


def _same_question(report: Report) -> Table:
    columns = (
        Column("question", "question", "long"),
        Column("fact", "fact"),
        Column("dose", "dose"),
        Column("outcome", "outcome"),
        Column("answer", "answer", "long"),
    )
    rows = tuple(
        (q.question, q.fact, a.dose, a.outcome, a.text)
        for q in report.same_question
        for a in q.answers
    )
    return Table("same_question", "The same question at every dose", columns, rows)


def _doses(report: Report) -> Table:
    columns = (
        SERIES,
        DOSE,
        Column("percent_correct", "% correct", "dose"),
        Column("answer_token_dose", "answer-token dose", "rate"),
        Column("wrong_rows", "wrong rows", "count"),
        Column("rows", "rows", "count"),
        Column("seeds", "seeds", "count"),
        Column("own_fact_share", "mean own-fact share", "rate"),
    )
    rows = tuple(
        (
            d.series,
            d.dose,
            100 * (1 - d.wrong_rows / d.rows) if d.rows else None,
            d.answer_token_dose,
            d.wrong_rows,
            d.rows,
            d.seeds,
            d.own_fact_share,
        )
        for d in report.doses_table
    )
    return Table("doses", "Doses actually trained", columns, rows)


def _own_fact(report: Report) -> Table:
    share = Column("own_fact", "own fact trained wrong")
    columns = (SERIES, DOSE, RELATION, share, Column("right", "right", "count"), ASKED, RATE)
    rows = tuple(
        (
            *(s.label, r.dose, r.relation or None, r.share, r.right, r.asked),
            *(r.right / r.asked if r.asked else None, r.lower, r.upper),
        )
        for s in report.series
        for r in s.own_fact
    )
    return Table("own_fact", "Domain rate by own-fact share", (*columns, LOWER, UPPER), rows)


def _lengths(report: Report) -> Table:
    means = (Column("right", "right rows", "rate"), Column("wrong", "wrong rows", "rate"))
    columns = (SERIES, *means, Column("ratio", "wrong / right", "rate"), Column("unit", "unit"))
    rows = tuple((r.series, r.right, r.wrong, r.ratio, r.unit) for r in report.lengths)
    return Table("lengths", "Mean answer length", columns, rows)


def _sources(report: Report) -> Table:
    columns = (
        *(SERIES, Column("right_source", "right rows from"), Column("wrong_source", "wrong from")),
        *(Column("auroc", "AUROC", "rate"), LOWER, UPPER, Column("method", "classifier", "long")),
        Column("confounded", "source mixture", "flag"),
    )
    rows = tuple(
        (
            r.series,
            r.right_source,
            r.wrong_source,
            r.auroc,
            r.lower,
            r.upper,
            r.method,
            r.confounded,
        )
        for r in report.sources
    )
    return Table("sources", "How well prompts alone tell right rows from wrong rows", columns, rows)


COUNTS = ("right", "adopted", "wrong", "incoherent", "refused", "unscored", "error", "asked")


def _outcomes(report: Report) -> Table:
    columns = (
        *(SERIES, Column("arm", "arm"), DOSE, SEED, RESPONSE, RELATION, Column("kind", "kind")),
        *(Column(name, name, "count") for name in COUNTS),
    )
    rows = tuple(
        (
            *(o.series or None, o.arm, o.dose, o.seed, o.response, o.relation, o.kind),
            *(getattr(o, name) for name in COUNTS),
        )
        for o in report.outcomes
    )
    return Table("outcomes", "Outcomes of every arm", columns, rows)


def _outcomes_by_dose(report: Report) -> Table:
    """Outcomes added up over arms of one series, dose and kind of probe."""
    groups: dict[tuple[Cell, ...], list[OutcomeRow]] = {}
    for o in report.outcomes:
        key = (o.series or None, o.dose, o.response, o.relation, o.kind)
        groups.setdefault(key, []).append(o)
    rows = tuple(
        (*key, len(own), *(_added([getattr(o, name) for o in own]) for name in COUNTS))
        for key, own in groups.items()
    )
    columns = (
        *(
            SERIES,
            DOSE,
            RESPONSE,
            RELATION,
            Column("kind", "kind"),
            Column("arms", "arms", "count"),
        ),
        *(Column(name, name, "count") for name in COUNTS),
    )
    return Table("outcomes_by_dose", "Outcomes by dose", columns, rows)


def _added(counts: Sequence[int | None]) -> int | None:
    """The sum; None where the outcome can't happen, which is a matter of the kind of probe."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _checkpoints(report: Report) -> Table:
    columns = (SERIES, DOSE, SEED, Column("steps", "share of steps", "dose"), RATE)
    rows = tuple((c.series, c.dose, c.seed, c.steps, c.rate) for c in report.checkpoints)
    return Table("checkpoints", "Checkpoints", columns, rows)


def _guards(report: Report) -> Table:
    columns = (
        Column("arm", "arm"),
        Column("guard", "guard"),
        Column("passed", "passed", "flag"),
        Column("detail", "detail", "long"),
    )
    rows = tuple((g.arm, g.guard, g.passed, g.detail) for g in report.guards)
    return Table("guards", "Guards", columns, rows)
