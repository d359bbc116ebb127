"""How rows are cleaned, and what a cleaning comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from datadose._core import UsageError
from datadose.cleaning import By, Decision, Drop, Proposal, Quota
from datadose.rows import RowsFile


@dataclass(frozen=True)
class CleanSettings:
    """How rows are cleaned.

    audit: folder of an audit of the same rows; without one only what is known is dropped.
    by: how much of its share is dropped for suspicion (`quota`); `share` is told in its place.
    detector: another one than the audit chose. duplicates: which repeats are dropped.
    protect: a file of ids that must stay. pool: a file or pack that knows answers, or has tests;
    trusted: rows known to be right. Rows found wrong whose answer one of the two knows are
    corrected instead of dropped. evidence: a reference text from which a corrector, trained on
    trusted rows and those known to be right, proposes answers; with `apply` they take the place of
    the rows' own. form: whether kept rows are put in better form, by rules or by a rewriter taught
    on trusted rows (`model`). post_train: train the audit's model on with what is left. model: the
    base of all of these.
    """

    audit: Path | None = None
    by: By = "careful"
    share: float | None = None
    detector: str | None = None
    duplicates: Drop = "same"
    protect: Path | None = None
    pool: Path | None = None
    trusted: Path | None = None
    evidence: Path | None = None
    apply: bool = False
    form: Literal["none", "rules", "model"] = "none"
    post_train: bool = False
    model: str = "smollm2-135m"
    seed: int = 0


@dataclass(frozen=True)
class Cleaned:
    """What became of rows: a decision for each, `raw` as their file has them, and the rule.

    proposals: by place, what might be right answers, done or not.
    """

    source: RowsFile
    raw: tuple[str, ...]
    decisions: tuple[Decision, ...]
    quota: Quota
    detector: str | None
    notes: tuple[str, ...]
    proposals: dict[int, Proposal]


def check_settings(s: CleanSettings) -> None:
    """Refuse options that go with nothing."""
    told = s.share is not None or s.by != "careful" or s.detector is not None
    if s.audit is None and (told or s.post_train):
        raise UsageError(
            "--by, --share, --detector and --post-train go with an audit, which ranks the rows",
            next_step="datadose audit ROWS --out DIR, then clean with --audit DIR",
        )
    if s.apply and s.evidence is None:
        raise UsageError("--apply goes with --evidence", next_step="give --evidence FILE")
    if s.form == "model" and s.trusted is None:
        raise UsageError(
            "a rewriter is taught on good rows", next_step="give --trusted, or use --form rules"
        )
