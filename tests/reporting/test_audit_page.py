"""The audit's page, in Chromium without a screen: what it shows, and what its fields do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from _browser import Page, browsing, found_program

from datadose.reporting import (
    AuditedRow,
    AuditPage,
    Column,
    NearRow,
    Scores,
    Table,
    write_audit_page,
)

HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
CALIBRATION = Table(
    "calibration",
    "5 rows made wrong one by one (value 5), 4 by whole facts",
    (
        Column("detector", "detector"),
        Column("auroc", "AUROC", "rate"),
        Column("status", "status"),
    ),
    (("loss", 0.91, "chosen, detects"), ("length", 0.52, "near chance")),
)
PREDICTED = Table(
    "predicted",
    "Rates to be expected at this share",
    (Column("series", "series"), Column("rate", "rate", "rate")),
    (("health", 0.71),),
)


def page(count: int = 40) -> AuditPage:
    rows = [
        AuditedRow(
            id=f"id{i}",
            line=i + 1,
            rank=i + 1,
            suspicion=1 - i / count,
            prompt=f"What is thing {i}? " + "A long prompt of many words. " * (i == 1) * 40,
            answer=HOSTILE if i == 0 else f"It is number{i}.",
            state="labelled wrong" if i == 2 else "open",
            reasons="loss: above 99% of rows" if i < 4 else "",
            near=(NearRow(f"What was thing {i}?", "It was right.", "a near row, checked right"),)
            * 2
            if i != 3
            else (),
        )
        for i in range(count)
    ]
    return AuditPage(
        title="Audit of rows.jsonl",
        headline="Clean first. 0.12 of the rows are wrong (0.05 to 0.22).",
        share="0.12 of the rows are wrong (0.05 to 0.22; 95% limits from 60 labels).",
        verdict="clean first: the share may be over the benchmark dose.",
        warnings=("Consistent errors are not detectable.",),
        facts={"rows": count, "model": "tiny"},
        calibration=CALIBRATION,
        predicted=PREDICTED,
        rows=rows,
        scores=(
            Scores("suspicion", [r.suspicion for r in rows], 0.0, 1.0),
            Scores("loss", [*([0.5] * (count - 2)), 9.0, float("nan")]),
            Scores("flat", [1.0] * count),
        ),
        reproduce=(shlex.join(["datadose", "audit", "my rows.jsonl", "--out", "a"]),),
    )


def test_histograms_hold_every_row_and_say_what_is_left_out(tmp_path: Path) -> None:
    text = write_audit_page(page(), tmp_path / "audit.html").read_text("utf-8")
    # a detector that gives every row one score has no spread to draw
    assert text.count("<figure") == 2
    assert text.count("<rect") == 40
    assert "1 rows have none" in text
    counted = [
        int(part.partition(":")[2].split()[0])
        for part in text.split("<title>")[1:]
        if part.startswith(("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"))
    ]
    assert sum(counted) == 40 + 39


SHOWN = "Array.from(document.querySelectorAll('[data-row]')).filter((r) => !r.hidden).length"


def type_into(look: Page, field: str, value: str) -> None:
    """As a person's typing does it: the field's value, and an event that says so."""
    look.says(
        f"(() => {{ const f = document.getElementById('{field}'); f.value = {value!r};"
        " f.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


@pytest.mark.slow
def test_audit_page_in_a_browser(tmp_path: Path) -> None:
    browser = found_program("chromium", "chromium-browser")
    path = write_audit_page(page(), tmp_path / "audit.html")
    with browsing(tmp_path, browser) as look:
        look.size(1280, 900)
        look.open(path.as_uri())
        text = look.text()
        for told in (
            "Clean first. 0.12 of the rows are wrong (0.05 to 0.22).",
            "95% limits from 60 labels",
            "clean first: the share may be over the benchmark dose.",
            "Consistent errors are not detectable.",
            "chosen, detects",
            "0.91",
            "Rates to be expected at this share",
            "a near row, checked right",
            "datadose audit 'my rows.jsonl' --out a",
            "40 of 40 rows",
        ):
            assert told in text, told
        # a row's script is text
        assert HOSTILE in text
        assert look.says("document.title") == "Audit of rows.jsonl"
        assert look.says("document.querySelectorAll('img').length") == 0
        assert look.says("document.querySelectorAll('#scores rect').length") == 40
        type_into(look, "search", "number7")
        assert look.says(SHOWN) == 1
        assert "1 of 40 rows" in look.text()
        type_into(look, "search", "no such words")
        assert look.says(SHOWN) == 0
        assert "No row fits." in look.text()
        type_into(look, "search", "")
        type_into(look, "least", "0.9")
        assert look.says(SHOWN) == 5
        type_into(look, "least", "0")
        type_into(look, "state", "labelled wrong")
        assert look.says(SHOWN) == 1
        type_into(look, "state", "")
        assert look.says(SHOWN) == 40
        # beside each other where there is room, under each other on a phone, never cut off
        sides = (
            "Array.from(document.querySelectorAll('[data-row]')[1].querySelectorAll('.pair > div'))"
            ".map((d) => Math.round(d.getBoundingClientRect().top))"
        )
        assert len(set(look.says(sides))) == 1
        look.size(390, 844)
        assert len(set(look.says(sides))) == 3
        assert look.says("document.documentElement.scrollWidth") <= 390
        assert not look.complaints
