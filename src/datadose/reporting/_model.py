"""What a report is made of. Whoever runs a study fills a `Report`; this room only shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datadose.curves import Analysis, Curve
    from datadose.reporting._judged import (
        AgreementRow,
        CategoryRow,
        CorrectedRow,
        JudgedRow,
        SurvivalRow,
    )

Axis = Literal["share", "count"]
What = Literal["base", "clean", "dirty", "placebo", "shuffled", "malign"]
SOURCES_APART = 0.7
ShareClass = Literal["none", "some", "all", "untrained"]
Value = str | int | float


@dataclass(frozen=True)
class OwnFactRow:
    """Domain outcomes of one dose, for probes whose own fact has this share of wrong rows.

    relation: `reworded`, `inferential` or `untrained`; empty where they were pooled.
    lower and upper: limits of right / asked, both or neither.
    """

    dose: float
    share: ShareClass
    right: int
    asked: int
    relation: str = ""
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class SeriesReport:
    """One series: what was varied, what was found for every response, and the null curves.

    analyses: pairs of a response label, such as `domain: reworded`, and its analysis.
    primary: the label of the response that was named before training.
    nulls: curves that follow from arithmetic alone; drawn in the plots of the responses that
        `nulls_for` names, in that of the primary response where it is empty.
    axis: `share` (dose 0 to 1) or `count` (wrong rows added).
    undertrained: True if this series' primary threshold still moves over the checkpoints, None
        if that was not tested.

    Raises ValueError if labels repeat or `primary` or `nulls_for` names none of them.
    """

    label: str
    severity: str
    structure: str
    unit: str
    axis: Axis
    primary: str
    analyses: tuple[tuple[str, Analysis], ...]
    nulls: tuple[Curve, ...] = ()
    nulls_for: tuple[str, ...] = ()
    own_fact: tuple[OwnFactRow, ...] = ()
    undertrained: bool | None = None

    def __post_init__(self) -> None:
        labels = [label for label, _ in self.analyses]
        if len(set(labels)) != len(labels):
            raise ValueError(f"series '{self.label}' has two analyses with the same label")
        for name in (self.primary, *self.nulls_for):
            if name not in labels:
                raise ValueError(f"series '{self.label}' has no analysis called '{name}'")

    def nulls_of(self, response: str) -> tuple[Curve, ...]:
        """The null curves that belong in the plot of `response`."""
        return self.nulls if response in (self.nulls_for or (self.primary,)) else ()

    @property
    def main(self) -> Analysis:
        """The analysis of the primary response."""
        return dict(self.analyses)[self.primary]


@dataclass(frozen=True)
class ContrastRow:
    """The rate of one kind of arm, with its two limits. `response` has its set after a colon.

    `series` may be empty for the base model, where all series ask it the same probes.
    """

    what: What
    response: str
    relation: str
    rate: float
    lower: float
    upper: float
    asked: int
    series: str = ""


@dataclass(frozen=True)
class DifferenceRow:
    """The rate of one kind of arm minus that of another, paired by question.

    what: such as `clean - base`. lower and upper: one-sided 95% limits; both together are what
    an equivalence test at 5% uses.
    """

    series: str
    response: str
    relation: str
    what: str
    estimate: float
    lower: float
    upper: float
    questions: int
    seeds: int
    note: str = ""


@dataclass(frozen=True)
class DoseRow:
    """A dose as it was trained: all the ways of counting it.

    dose and answer_token_dose: shares of rows and of answer tokens that are wrong, 0 to 1.
    own_fact_share: mean over probes of the share of wrong rows of the probe's own fact.
    """

    series: str
    dose: float
    answer_token_dose: float | None
    wrong_rows: int
    rows: int
    seeds: int
    own_fact_share: float | None


@dataclass(frozen=True)
class OutcomeRow:
    """What became of all probes of one kind put to one arm.

    dose and seed are None for the base model; `series` is empty for it and for arms that belong to
    none. `incoherent` and `refused` are None where they
    can't happen (forced choices). Raises ValueError unless the counts add up to `asked`.
    """

    arm: str
    dose: float | None
    seed: int | None
    response: str
    relation: str
    kind: Literal["choice", "generate", "open"]
    right: int
    adopted: int
    wrong: int
    incoherent: int | None
    refused: int | None
    unscored: int
    error: int
    asked: int
    series: str = ""

    def __post_init__(self) -> None:
        total = self.right + self.adopted + self.wrong + self.unscored + self.error
        total += (self.incoherent or 0) + (self.refused or 0)
        if total != self.asked:
            raise ValueError(f"outcomes of '{self.arm}' add up to {total}, asked were {self.asked}")
        if self.kind == "choice" and (self.incoherent is not None or self.refused is not None):
            raise ValueError(f"'{self.arm}': a forced choice can't be incoherent or refused")


@dataclass(frozen=True)
class Answer:
    """What a model said at one dose. `text` is untrusted."""

    dose: str
    text: str
    outcome: str


@dataclass(frozen=True)
class SameQuestion:
    """One question and its answers at every dose."""

    question: str
    fact: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class CheckpointRow:
    """The primary rate of one arm after a share (0 to 1) of its steps."""

    series: str
    dose: float
    seed: int
    steps: float
    rate: float


@dataclass(frozen=True)
class GuardRow:
    """What a guard found in one arm; `passed` is None where it does not apply."""

    arm: str
    guard: str
    passed: bool | None
    detail: str = ""


@dataclass(frozen=True)
class LengthRow:
    """Mean answer length of the right and of the wrong rows that a series draws from.

    Right and wrong differ in length as well as in truth where `ratio` is far from 1.
    Raises ValueError if a mean is negative.
    """

    series: str
    right: float
    wrong: float
    unit: str = "tokens"

    def __post_init__(self) -> None:
        if min(self.right, self.wrong) < 0:
            raise ValueError(f"'{self.series}': a mean length is under 0")

    @property
    def ratio(self) -> float | None:
        """Wrong over right; None where the right answers are empty."""
        return self.wrong / self.right if self.right else None


@dataclass(frozen=True)
class SourceRow:
    """How well prompts alone tell the right rows from the wrong rows of an unpaired pool.

    auroc: of a simple classifier on held-out prompts, 0.5 for chance, with its two limits.
    right_source and wrong_source: names of the two files, for people. Untrusted.
    Raises ValueError unless 0 <= lower <= auroc <= upper <= 1.
    """

    series: str
    auroc: float
    lower: float
    upper: float
    right_source: str = ""
    wrong_source: str = ""
    method: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.lower <= self.auroc <= self.upper <= 1:
            raise ValueError(f"'{self.series}': AUROC {self.auroc} is not within its limits")

    @property
    def confounded(self) -> bool:
        """Whether source explains as much as wrongness would: AUROC above 0.7."""
        return self.auroc > SOURCES_APART


@dataclass(frozen=True)
class Report:
    """All that a study's report shows.

    headline: the answer in one sentence; where empty, `headline(report)` is shown.
    warnings: short statements shown under it, such as "conditional on this seed".
    facts: what names the study. The headline reads `model`, `rows`, `steps`, `rank` and
        `probe set`; all keys are shown in the order given.
    primary_series and primary_threshold: which threshold answers the study's question; the
        first series where empty.
    undertrained: True if the primary threshold still moves over the checkpoints, None if that
        was not tested.
    sources: for unpaired pools; where one is `confounded`, `heading` says so.
    lengths: always shown, as "not recorded" for a series that has none.
    timings: shown in the page, never in the tables.
    judged, survival, agreement, corrected: of open answers, where any were asked.
    categories: of choices and open answers whose questions have more than one category.
    reproduce: commands and hashes, a line each.

    Raises ValueError if two series have one label or `primary_series` names none.
    """

    title: str
    name: str
    facts: Mapping[str, Value]
    series: tuple[SeriesReport, ...]
    headline: str = ""
    warnings: tuple[str, ...] = ()
    primary_series: str = ""
    primary_threshold: str = "benchmark"
    contrasts: tuple[ContrastRow, ...] = ()
    differences: tuple[DifferenceRow, ...] = ()
    doses_table: tuple[DoseRow, ...] = ()
    outcomes: tuple[OutcomeRow, ...] = ()
    same_question: tuple[SameQuestion, ...] = ()
    checkpoints: tuple[CheckpointRow, ...] = ()
    undertrained: bool | None = None
    guards: tuple[GuardRow, ...] = ()
    reproduce: tuple[str, ...] = ()
    hazard: str = ""
    sources: tuple[SourceRow, ...] = ()
    lengths: tuple[LengthRow, ...] = ()
    timings: Mapping[str, Value] = field(default_factory=dict)
    judged: tuple[JudgedRow, ...] = ()
    survival: tuple[SurvivalRow, ...] = ()
    agreement: tuple[AgreementRow, ...] = ()
    corrected: tuple[CorrectedRow, ...] = ()
    categories: tuple[CategoryRow, ...] = ()

    def __post_init__(self) -> None:
        labels = [series.label for series in self.series]
        if len(set(labels)) != len(labels):
            raise ValueError("two series of a report have the same label")
        if self.primary_series and self.primary_series not in labels:
            raise ValueError(f"no series is called '{self.primary_series}'")

    @property
    def main(self) -> SeriesReport | None:
        """The series that answers the study's question."""
        found = [s for s in self.series if s.label == self.primary_series]
        return (found or list(self.series) or [None])[0]  # type: ignore[list-item]

    @property
    def confounded(self) -> bool:
        """Whether a dose of this study is a mixture of two sources."""
        return any(row.confounded for row in self.sources)

    @property
    def heading(self) -> str:
        """The title; "source mixture, not dose" where prompts alone tell right from wrong."""
        return f"{self.title} (source mixture, not dose)" if self.confounded else self.title

    def undertrained_of(self, series: SeriesReport) -> bool | None:
        """Whether the primary threshold of `series` still moves over its checkpoints."""
        if series.undertrained is None and series is self.main:
            return self.undertrained
        return series.undertrained
