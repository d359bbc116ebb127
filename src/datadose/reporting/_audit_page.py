"""The audit's page: ranked rows to search and filter, the share, the calibration, the verdict."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from datadose._core import write_atomic
from datadose.reporting import _views as views
from datadose.reporting._page import environment
from datadose.reporting._tables import Table, number

MOST_ROWS = 500
BINS = 20


@dataclass(frozen=True)
class AuditedRow:
    """One row as the page shows it; `near` is (prompt, answer) of the nearest less suspicious."""

    id: str
    line: int
    rank: int
    suspicion: float
    prompt: str
    answer: str
    state: str
    reasons: str
    near: tuple[str, str] | None = None


@dataclass(frozen=True)
class AuditPage:
    """All that the page says. `rows` come in the order of rank; `suspicions` are those of all."""

    title: str
    headline: str
    share: str
    verdict: str
    warnings: tuple[str, ...]
    facts: dict[str, str | int]
    calibration: Table
    predicted: Table
    rows: Sequence[AuditedRow]
    suspicions: Sequence[float]
    reproduce: tuple[str, ...]


def write_audit_page(page: AuditPage, path: Path) -> Path:
    """Write the page, whole and self-contained; the first 500 rows stand in it."""
    from markupsafe import Markup

    script = resources.files("datadose.reporting").joinpath("templates/audit.js").read_text("utf-8")
    sha = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        environment()
        .get_template("audit.html.j2")
        .render(
            page=page,
            rows=page.rows[:MOST_ROWS],
            bars=_bars(page.suspicions),
            calibration=views.plain_view(page.calibration),
            predicted=views.plain_view(page.predicted),
            # our own file, allowed to run by its hash alone
            script=Markup(script),
            script_sha=sha,
        )
    )
    write_atomic(path, text)
    return path


@dataclass(frozen=True)
class _Bar:
    x: float
    y: float
    height: float
    label: str


def _bars(values: Sequence[float]) -> list[_Bar]:
    """A histogram of suspicions in twenty bins, for a drawing of 400 by 100."""
    counts = [0] * BINS
    for v in values:
        counts[min(BINS - 1, int(v * BINS))] += 1
    top = max(1, *counts)
    return [
        _Bar(
            400 / BINS * i,
            100 - 100 * c / top,
            100 * c / top,
            f"{number(i / BINS)} to {number((i + 1) / BINS)}: {c} rows",
        )
        for i, c in enumerate(counts)
    ]
