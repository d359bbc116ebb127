"""A written report as a test reads it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Tables(HTMLParser):
    """Cells of every table of the page, and every number marked as one, by the table's name."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.numbers: dict[str, list[str]] = {}
        self.name = ""
        self.inside = self.number = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "table":
            self.name = given.get("data-table") or ""
        if tag == "tr":
            self.rows.setdefault(self.name, []).append([])
        if tag in ("td", "th") and given.get("scope") != "col":
            self.rows[self.name][-1].append("")
            self.inside = True
        if tag == "span" and given.get("class") == "n":
            self.numbers.setdefault(self.name, []).append("")
            self.number = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")
        self.number = self.number and tag != "span"
        if tag == "table":
            self.name = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[self.name][-1][-1] += data.replace("\u00a0", " ")
        if self.number:
            self.numbers[self.name][-1] += data


def parsed(folder: Path) -> Tables:
    page = Tables()
    page.feed((folder / "report.html").read_text("utf-8"))
    return page


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = json.loads((folder / f"tables/{name}.json").read_text())["rows"]
    return made
