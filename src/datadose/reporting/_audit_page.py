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
class NearRow:
    """A row shown beside another; `note` says what is known of it."""

    prompt: str
    answer: str
    note: str


@dataclass(frozen=True)
class AuditedRow:
    """One row as the page shows it, beside the rows nearest to it that are right, or may be."""

    id: str
    line: int
    rank: int
    suspicion: float
    prompt: str
    answer: str
    state: str
    reasons: str
    near: tuple[NearRow, ...] = ()


@dataclass(frozen=True)
class Scores:
    """Scores of all rows by one detector, larger is more suspicious; NaN where it gave none.

    `low` and `high` are the ends of its scale where it has any.
    """

    name: str
    values: Sequence[float]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class AuditPage:
    """All that the page says. `rows` come in the order of rank; `scores` are those of all rows,
    suspicion first."""

    title: str
    headline: str
    share: str
    verdict: str
    warnings: tuple[str, ...]
    facts: dict[str, str | int]
    calibration: Table
    predicted: Table
    rows: Sequence[AuditedRow]
    scores: Sequence[Scores]
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
            histograms=[h for h in map(_histogram, page.scores) if h is not None],
            total=len(page.scores[0].values),
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
    width: float
    height: float
    label: str


@dataclass(frozen=True)
class _Histogram:
    name: str
    bars: tuple[_Bar, ...]
    low: str
    high: str
    most: int
    note: str


def _histogram(scores: Scores) -> _Histogram | None:
    """Twenty bins for a drawing of 400 by 100; None where there is nothing to draw.

    Without ends of its own a scale goes from the lowest to the highest of the middle 99%: the few
    scores beyond them stand in the last bins.
    """
    import numpy as np

    values = np.asarray([v for v in scores.values if v == v], dtype=float)
    if not len(values):
        return None
    low, high = scores.low, scores.high
    if low is None or high is None:
        low, high = (float(v) for v in np.quantile(values, (0.005, 0.995)))
    if not high > low:
        return None
    counts = np.histogram(values.clip(low, high), BINS, (low, high))[0].tolist()
    edges = [low + (high - low) * i / BINS for i in range(BINS + 1)]
    top = max(counts)
    wide = 400 / BINS
    bars = tuple(
        _Bar(
            round(wide * i, 2),
            round(100 - 100 * c / top, 2),
            wide - 2,
            round(100 * c / top, 2),
            f"{number(edges[i])} to {number(edges[i + 1])}: {c} rows",
        )
        for i, c in enumerate(counts)
    )
    left_out = len(scores.values) - len(values)
    note = f"{left_out} rows have none" if left_out else ""
    return _Histogram(scores.name, bars, number(low), number(high), top, note)
