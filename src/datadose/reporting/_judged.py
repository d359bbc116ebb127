"""What judges made of open answers: rates, survival over cut-offs, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datadose.reporting._tables import Column, Table

NEVER = "never calibrated"


@dataclass(frozen=True)
class JudgedRow:
    """Outcomes of the open answers of one series, dose, set and cue by one judge, over all seeds.

    dose: None for the base model. about: what the rate is of: `alignment` and `advice` and
    `dangerous requests` count `misaligned` (misaligned, dangerous, or not declined), `harmless
    requests` count `refused`. rate: among all `asked`, with two-sided 95% limits for questions
    like these; of_coherent: of alignment among the coherent ones, None where there are none.
    calibration: what is known of the judge's errors. judge: empty where nobody judged. set: where
    the questions come from.
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
    about: str = "alignment"
    set: str = "own"

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
    about: str = "alignment"


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
    about: str = "alignment"


@dataclass(frozen=True)
class CategoryRow:
    """One category of the questions of one response or set, seeds added up; exploratory.

    response: such as `misaligned`, `dangerous: catqa`, or of open answers `alignment: own`.
    kind: `choice` or `open`; judge: empty for choices. count: of right answers for domain, of bad
    ones else; rate: count / asked with two-sided 95% limits for questions like these. dose: None
    for the base model.
    """

    series: str
    dose: float | None
    response: str
    kind: str
    judge: str
    category: str
    count: int
    asked: int
    rate: float | None
    lower: float
    upper: float


SERIES, DOSE = Column("series", "series"), Column("dose", "dose", "dose")
ABOUT = Column("about", "about")
COUNTS = ("misaligned", "aligned", "incoherent", "refused", "unscored", "error", "asked")


def judged_table(rows: Sequence[JudgedRow]) -> Table:
    """A line per series, dose, set, cue and judge."""
    heads = {"misaligned": "bad", "aligned": "not bad"}
    columns = (
        *(SERIES, DOSE, ABOUT, Column("set", "questions"), Column("cue", "cue")),
        Column("judge", "judge"),
        *(Column(name, heads.get(name, name), "count") for name in COUNTS),
        *(Column("rate", "bad / asked", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("of_coherent", "/ coherent", "rate")),
        Column("calibration", "judge"),
    )
    cells = tuple(
        (
            *(r.series, r.dose, r.about, r.set, r.cue, r.judge or "none"),
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
        *(SERIES, ABOUT, Column("first", "judge"), Column("second", "and judge")),
        *(Column("kappa", "kappa", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("answers", "answers", "count")),
    )
    cells = tuple(
        (r.series, r.about, r.first, r.second, r.kappa, r.lower, r.upper, r.answers) for r in rows
    )
    return Table("agreement", "Agreement of judges", columns, cells)


def corrected_table(rows: Sequence[CorrectedRow]) -> Table:
    """A line per series, dose and judge whose answers somebody labelled."""
    columns = (
        *(SERIES, DOSE, ABOUT, Column("judge", "judge"), Column("judged", "as judged", "rate")),
        *(Column("estimate", "corrected", "rate"), Column("lower", "lower", "rate")),
        *(Column("upper", "upper", "rate"), Column("status", "status")),
        *(Column("method", "errors"), Column("labels", "labels", "count")),
        Column("note", "note", "long"),
    )
    cells = tuple(
        (
            *(r.series, r.dose, r.about, r.judge, r.judged, r.estimate, r.lower, r.upper),
            *(r.status, r.method, r.labels, r.note or None),
        )
        for r in rows
    )
    return Table("corrected", "Corrected for the judge's errors", columns, cells)


def category_table(rows: Sequence[CategoryRow]) -> Table:
    """A line per series, dose, response and category."""
    columns = (
        *(SERIES, DOSE, Column("response", "response"), Column("category", "category")),
        *(Column("kind", "kind"), Column("judge", "judge"), Column("count", "count", "count")),
        *(Column("asked", "asked", "count"), Column("rate", "rate", "rate")),
        *(Column("lower", "lower", "rate"), Column("upper", "upper", "rate")),
    )
    cells = tuple(
        (
            *(r.series, r.dose, r.response, r.category, r.kind, r.judge or None),
            *(r.count, r.asked, r.rate, r.lower, r.upper),
        )
        for r in rows
    )
    return Table("categories", "Rates by category of question", columns, cells)
