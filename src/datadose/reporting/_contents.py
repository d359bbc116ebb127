"""Every table of a report, built from the `Report`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from datadose.reporting._model import Report, SeriesReport
from datadose.reporting._tables import Cell, Column, Table, bounded, plain, threshold_name

if TYPE_CHECKING:
    from datadose.curves import Analysis, Curve

SERIES = Column("series", "series")
RESPONSE = Column("response", "response")
RELATION = Column("relation", "relation")
DOSE = Column("dose", "dose", "dose")
RATE = Column("rate", "rate", "rate")
LOWER = Column("lower", "lower", "rate")
UPPER = Column("upper", "upper", "rate")
ASKED = Column("asked", "asked", "count")
SEED = Column("seed", "seed", "dose")


def tables(report: Report) -> dict[str, Table]:
    """All tables by name, in the order of the page; empty ones included."""
    made = (
        _study(report),
        _points(report),
        _curves(report),
        _thresholds(report),
        _contrasts(report),
        _same_question(report),
        _doses(report),
        _own_fact(report),
        _outcomes(report),
        _checkpoints(report),
        _guards(report),
    )
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
    rows: list[tuple[Cell, ...]] = [("title", report.title), ("name", report.name)]
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


def _thresholds(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for s, label, a in _analyses(report):
        for t in a.thresholds:
            estimate = bounded(t)
            correct = None if s.axis == "count" or estimate is None else 100 * (1 - estimate)
            rows.append(
                (
                    *(s.label, label, threshold_name(t), estimate, t.lower, t.upper),
                    *(t.status, correct, t.why, t.note),
                    "primary" if label == s.primary else "exploratory",
                    "share" if s.axis == "share" else "wrong rows",
                    t.level,
                )
            )
    columns = (
        *(
            SERIES,
            RESPONSE,
            Column("threshold", "threshold"),
            Column("estimate", "estimate", "rate"),
        ),
        *(LOWER, UPPER, Column("status", "status"), Column("percent_correct", "% correct", "rate")),
        *(Column("why", "why", "long"), Column("note", "bounds depend on", "long")),
        *(Column("role", "role"), Column("axis", "unit"), Column("level", "level", "dose")),
    )
    return Table("thresholds", "Thresholds", columns, (*rows,))


def _contrasts(report: Report) -> Table:
    columns = (SERIES, Column("what", "what"), RESPONSE, RELATION, RATE, LOWER, UPPER, ASKED)
    rows = tuple(
        (c.series or None, c.what, c.response, c.relation, c.rate, c.lower, c.upper, c.asked)
        for c in report.contrasts
    )
    return Table("contrasts", "Base, clean, dirty and controls", columns, rows)


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
        Column("correct", "correct share", "dose"),
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
            1 - d.dose,
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
    columns = (SERIES, DOSE, share, Column("right", "right", "count"), ASKED, RATE)
    rows = tuple(
        (s.label, r.dose, r.share, r.right, r.asked, r.right / r.asked if r.asked else None)
        for s in report.series
        for r in s.own_fact
    )
    return Table("own_fact", "Domain rate by own-fact share", columns, rows)


COUNTS = ("right", "adopted", "wrong", "incoherent", "refused", "unscored", "error", "asked")


def _outcomes(report: Report) -> Table:
    columns = (
        Column("arm", "arm"),
        DOSE,
        SEED,
        RESPONSE,
        RELATION,
        Column("kind", "kind"),
        *(Column(name, name, "count") for name in COUNTS),
    )
    rows = tuple(
        (
            *(o.arm, o.dose, o.seed, o.response, o.relation, o.kind),
            *(getattr(o, name) for name in COUNTS),
        )
        for o in report.outcomes
    )
    return Table("outcomes", "Outcomes", columns, rows)


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
