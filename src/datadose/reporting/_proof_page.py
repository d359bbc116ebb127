"""The page of a retraining proof: the sentence, differences, rates, and the move along a curve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from datadose._core import write_atomic
from datadose.reporting import _views as views
from datadose.reporting._page import environment
from datadose.reporting._tables import Table


@dataclass(frozen=True)
class ProofPage:
    """All that the page says; every table becomes a section under its title."""

    title: str
    headline: str
    warnings: tuple[str, ...]
    facts: dict[str, str | int]
    tables: tuple[Table, ...]


def write_proof_page(page: ProofPage, path: Path) -> Path:
    """Write the page, whole and self-contained."""
    shown = [(t.name, t.title, views.plain_view(t)) for t in page.tables]
    text = environment().get_template("prove.html.j2").render(page=page, sections=shown)
    write_atomic(path, text)
    return path
