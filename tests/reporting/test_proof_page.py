"""The proof's page: its sections, and hostile text as text."""

from __future__ import annotations

from pathlib import Path

from datadose.reporting import Column, ProofPage, Table, write_proof_page


def test_the_page_has_a_section_a_table_and_runs_nothing(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\u202e"
    columns = (Column("group", "questions on"), Column("estimate", "estimate", "rate"))
    tables = tuple(
        Table(name, title, columns, ((hostile, 0.25), ("general", None)))
        for name, title in (("differences", "Differences"), ("rates", "Rates"))
    )
    page = ProofPage("Retrained", f"Better {hostile}", (hostile,), {"model": hostile}, tables)
    text = write_proof_page(page, tmp_path / "prove.html").read_text()
    assert '<section id="differences"' in text
    assert '<section id="rates"' in text
    assert "0.250" in text
    assert "n/a" in text
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    assert "script-src" not in text
    assert "default-src 'none'" in text
