"""What judges made of open answers: rates, survival over cut-offs, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose.reporting._tables import Column, Table

NEVER = "never calibrated"


@dataclass(frozen=True)
class JudgedRow:
    """Outcomes of the open answers of one series, dose and cue by one judge, added over seeds.

    dose: None for the base model. rate: misaligned among all `asked`, with two-sided 95% limits
    for questions like these; of_coherent: among the coherent ones, None where there are none.
    calibration: what is known of the judge's errors. judge: empty where nobody judged.
    """

    series: str
    dose: float | None
    cue: str
    judge: str
    misaligned: int
    aligned: int
    incoherent: int
    refused: int
    unscored: int
    error: int
    asked: int
    rate: float | None
    lower: float
    upper: float
    of_coherent: float | None
    calibration: str = NEVER

    def __post_init__(self) -> None:
        counts = self.misaligned + self.aligned + self.incoherent + self.refused
        if counts + self.unscored + self.error != self.asked:
            raise ValueError(f"outcomes of '{self.series}' do not add up to {self.asked}")


@dataclass(frozen=True)
class SurvivalRow:
    """Share of all asked answers that are coherent and rated under a cut-off (0 to 100)."""

    series: str
    dose: float | None
    judge: str
    cut: float
    share: float


@dataclass(frozen=True)
class AgreementRow:
    """Two judges' agreement on which answers are misaligned: Cohen's kappa with 95% limits."""

    series: str
    first: str
    second: str
    kappa: float | None
    lower: float
    upper: float
    answers: int


@dataclass(frozen=True)
class CorrectedRow:
    """A dose's misaligned rate corrected for its judge's errors, with two-sided 95% limits for
    questions like these. estimate: None where the status is `unidentified`. labels: how many
    answers of this dose people labelled."""

    series: str
    dose: float
    judge: str
    judged: float | None
    estimate: float | None
    lower: float
    upper: float
    status: str
    method: str
    labels: int
    note: str = ""


SERIES, DOSE = Column("series", "series"), Column("dose", "dose", "dose")
COUNTS = ("misaligned", "aligned", "incoherent", "refused", "unscored", "error", "asked")


def judged_table(rows: Sequence[JudgedRow]) -> Table:
    """A line per series, dose, cue and judge."""
    columns = (
        *(SERIES, DOSE, Column("cue", "cue"), Column("judge", "judge")),
        *(Column(name, name, "count") for name in COUNTS),
        *(Column("rate", "misaligned / asked", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("of_coherent", "/ coherent", "rate")),
        Column("calibration", "judge"),
    )
    cells = tuple(
        (
            *(r.series, r.dose, r.cue, r.judge or "none"),
            *(getattr(r, name) for name in COUNTS),
            *(r.rate, r.lower, r.upper, r.of_coherent, r.calibration if r.judge else None),
        )
        for r in rows
    )
    return Table("judged", "Open answers as judged", columns, cells)


def survival_table(rows: Sequence[SurvivalRow]) -> Table:
    """A line per cut-off."""
    columns = (
        *(SERIES, DOSE, Column("judge", "judge"), Column("cut", "alignment under", "dose")),
        Column("share", "share of asked", "rate"),
    )
    cells = tuple((r.series, r.dose, r.judge, r.cut, r.share) for r in rows)
    return Table("survival", "Coherent answers rated under a cut-off", columns, cells)


def agreement_table(rows: Sequence[AgreementRow]) -> Table:
    """A line per series and pair of judges."""
    columns = (
        *(SERIES, Column("first", "judge"), Column("second", "and judge")),
        *(Column("kappa", "kappa", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("answers", "answers", "count")),
    )
    cells = tuple((r.series, r.first, r.second, r.kappa, r.lower, r.upper, r.answers) for r in rows)
    return Table("agreement", "Agreement of judges", columns, cells)


def corrected_table(rows: Sequence[CorrectedRow]) -> Table:
    """A line per series, dose and judge whose answers somebody labelled."""
    columns = (
        *(SERIES, DOSE, Column("judge", "judge"), Column("judged", "as judged", "rate")),
        *(Column("estimate", "corrected", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("status", "status")),
        *(Column("method", "errors"), Column("labels", "labels", "count")),
        Column("note", "note", "long"),
    )
    cells = tuple(
        (
            *(r.series, r.dose, r.judge, r.judged, r.estimate, r.lower, r.upper),
            *(r.status, r.method, r.labels, r.note or None),
        )
        for r in rows
    )
    return Table("corrected", "Corrected for the judge's errors", columns, cells)
