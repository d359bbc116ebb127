"""A study's results as one page, plain tables, plots, and lines for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datadose.reporting._audit_page import (
    AuditedRow,
    AuditPage,
    NearRow,
    Scores,
    write_audit_page,
)
from datadose.reporting._judged import (
    NEVER,
    AgreementRow,
    CategoryRow,
    CorrectedRow,
    JudgedRow,
    SurvivalRow,
)
from datadose.reporting._model import (
    Answer,
    CheckpointRow,
    ContrastRow,
    DifferenceRow,
    DoseRow,
    GuardRow,
    LengthRow,
    OutcomeRow,
    OwnFactRow,
    Report,
    SameQuestion,
    SeriesReport,
    SourceRow,
    What,
)
from datadose.reporting._page import write_report
from datadose.reporting._proof_page import ProofPage, write_proof_page
from datadose.reporting._sentence import headline
from datadose.reporting._tables import Column, Table, shown, to_csv
from datadose.reporting._terminal import print_thresholds, table_text, thresholds_text

if TYPE_CHECKING:
    from datadose.reporting._plots import plot_curves

__all__ = [
    "NEVER",
    "AgreementRow",
    "Answer",
    "AuditPage",
    "AuditedRow",
    "CategoryRow",
    "CheckpointRow",
    "Column",
    "ContrastRow",
    "CorrectedRow",
    "DifferenceRow",
    "DoseRow",
    "GuardRow",
    "JudgedRow",
    "LengthRow",
    "NearRow",
    "OutcomeRow",
    "OwnFactRow",
    "ProofPage",
    "Report",
    "SameQuestion",
    "Scores",
    "SeriesReport",
    "SourceRow",
    "SurvivalRow",
    "Table",
    "What",
    "headline",
    "plot_curves",
    "print_thresholds",
    "shown",
    "table_text",
    "thresholds_text",
    "to_csv",
    "write_audit_page",
    "write_proof_page",
    "write_report",
]


def __getattr__(name: str) -> Any:
    # matplotlib takes most of a second to import, and the command line imports this room
    if name == "plot_curves":
        from datadose.reporting._plots import plot_curves

        return plot_curves
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
