"""The report: equal bytes, escaped text, one set of numbers everywhere."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from _example import SCRIPT, example, grid, series, unpaired
from _parsed import parsed, rows_of
from hypothesis import given
from hypothesis import strategies as st

from datadose.curves import as_record
from datadose.reporting import (
    Answer,
    DoseRow,
    LengthRow,
    OutcomeRow,
    Report,
    SameQuestion,
    SeriesReport,
    SourceRow,
    headline,
    print_thresholds,
    thresholds_text,
    write_report,
)
from datadose.reporting._tables import number, printable
from datadose.reporting._views import _asked


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_equal_reports_are_equal_bytes_whatever_the_users_settings(
    folder: Path, tmp_path: Path
) -> None:
    with matplotlib.rc_context({"font.size": 30, "lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        write_report(example(), tmp_path)
        assert dict(matplotlib.rcParams) == before
    assert files(tmp_path) == files(folder)
    assert len([name for name in files(folder) if name.endswith(".png")]) == 8


def test_hostile_text_is_shown_as_text(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;document.title" in page
    assert "finance $5 &amp; &lt;b&gt;/add" in page
    assert "\u202e" not in page
    assert "\\u202eevil\\ud800" in page
    assert not re.search(r'(?:src|href)="(?!#)', page)


def test_csv_holds_no_formula_and_json_holds_the_text(folder: Path) -> None:
    with (folder / "tables/same_question.csv").open(encoding="utf-8") as file:
        answers = [row["answer"] for row in csv.DictReader(file)]
    assert answers[2] == SCRIPT
    assert answers[3].startswith("'=HYPERLINK")
    table = json.loads((folder / "tables/same_question.json").read_text("utf-8"))
    assert table["rows"][3]["answer"].startswith('=HYPERLINK("x")\x00\u202eevil\ufffd')
    assert len(table["rows"][3]["answer"]) > 3000


def test_thresholds_are_the_same_in_csv_json_page_and_terminal(folder: Path) -> None:
    shown = [row for row in parsed(folder).rows["thresholds"] if row]
    rows = rows_of(folder, "thresholds")
    with (folder / "tables/thresholds.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(rows) == len(lines) == len(shown) == 22
    terminal = thresholds_text(example()).splitlines()[1:]
    for row, line, cells, words in zip(rows, lines, shown, terminal, strict=True):
        for name in ("estimate", "lower", "upper", "percent_correct", "percent_correct_lower"):
            value = row[name]
            assert line[name] == ("n/a" if value is None else repr(value))
            said = "n/a" if value is None else number(value)
            if value is None and name != "estimate":
                continue
            where = cells[3] if name.startswith("percent") else f"{cells[2]} {words}"
            assert said in where
        for at, name in ((0, "response"), (1, "threshold"), (4, "status")):
            assert row[name] == line[name]
            assert cells[at].startswith(row[name])
            assert row[name] in words
        if row["lower"] is not None and row["upper"] is not None:
            ends = f"({number(row['lower'])} to {number(row['upper'])})"
            assert cells[2].startswith(f"{number(row['estimate'])} {ends}")


def test_every_number_of_the_page_is_in_its_tables_file(folder: Path) -> None:
    files = {"responses": ["thresholds"], "doses": ["doses", "points"], "guard_counts": []}
    files |= {"contrasts": ["contrasts", "points"], "own_fact": ["own_fact"]}
    checked = 0
    for name, shown in parsed(folder).numbers.items():
        if name in ("", "guard_counts"):
            continue
        known = {
            text
            for file in files.get(name, [name])
            for row in rows_of(folder, file)
            for value in row.values()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
            for text in (number(value), number(value, pad=False), f"{value:,}")
        }
        assert set(shown) <= known, name
        checked += len(shown)
    assert checked > 200


def test_thresholds_and_rates_of_the_page_are_those_of_doses_json(folder: Path) -> None:
    """The page rounds what a run writes to doses.json: `as_record` of analyses and contrasts."""
    report = example()
    record = {
        "series": [{label: as_record(a) for label, a in s.analyses} for s in report.series],
        "contrasts": [as_record(c) for c in report.contrasts],
    }
    known = {text for v in _floats(record) for text in (number(v), number(v, pad=False))}
    known |= {number(100 * (1 - v)) for v in _floats(record)}
    shown = parsed(folder).numbers
    for name in ("overview", "responses", "thresholds", "contrasts"):
        assert shown[name]
        assert set(shown[name]) <= known, name


def _floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [found for item in value.values() for found in _floats(item)]
    if isinstance(value, list):
        return [found for item in value for found in _floats(item)]
    return [value] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def test_no_estimate_without_both_limits(folder: Path) -> None:
    rows = rows_of(folder, "thresholds")
    unbounded = [r for r in rows if r["lower"] is None or r["upper"] is None]
    assert len(unbounded) == 10
    assert all(r["estimate"] is None and r["percent_correct"] is None for r in unbounded)


def test_sections_in_order(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    wanted = "overview series same-question outcomes guards reproduce words"
    assert re.findall(r'<section id="([\w-]+)"', page) == wanted.split()
    assert page.index('id="headline"') < page.index('class="warnings"') < page.index("<section")


def test_an_empty_report_has_its_page(tmp_path: Path) -> None:
    page = write_report(Report("t", "n", {}, ()), tmp_path).read_text("utf-8")
    assert "No primary threshold was computed." in page
    assert thresholds_text(Report("t", "n", {}, ())).count("\n") == 1


def test_terminal_table_takes_brackets_as_text() -> None:
    from rich.console import Console

    odd = dataclasses.replace(example(), series=(series("[red]a[/]"), series("b")))
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(print_thresholds(odd))
    assert "[red]a[/]" in console.export_text()


def test_contract_is_checked() -> None:
    with pytest.raises(ValueError, match="add up to 3"):
        OutcomeRow("a", 0, 0, "domain", "reworded", "choice", 1, 1, 1, None, None, 0, 0, 4)
    with pytest.raises(ValueError, match="forced choice"):
        OutcomeRow("a", 0, 0, "domain", "reworded", "choice", 1, 0, 0, 0, 0, 0, 0, 1)
    with pytest.raises(ValueError, match="no analysis"):
        SeriesReport("a", "subtle", "random", "row", "share", "domain", ())
    with pytest.raises(ValueError, match="same label"):
        dataclasses.replace(example(), series=(series(), series()))


def test_sources_that_prompts_tell_apart_are_no_dose(tmp_path: Path) -> None:
    made = unpaired()
    page = write_report(made, tmp_path).read_text("utf-8")
    assert "<h1>Health: how much can be wrong? (source mixture, not dose)</h1>" in page
    assert headline(made).startswith("Source mixture, not dose.")
    assert "AUROC 0.930 (0.900 to 0.960)" in page
    assert "share of rows from the wrong rows&#x27; source" in page or (
        "share of rows from the wrong rows' source" in page
    )
    assert "&lt;i&gt;insecure" in page
    weak = dataclasses.replace(made.sources[0], auroc=0.7, lower=0.6)
    assert dataclasses.replace(made, sources=(weak,)).heading == made.title
    with pytest.raises(ValueError, match="AUROC"):
        SourceRow("a", 0.5, 0.6, 0.7)


def test_lengths_are_always_shown(folder: Path, tmp_path: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    assert "right rows 9.40 tokens, wrong rows 12.9, wrong / right 1.37" in page
    assert page.count("differ in length as well as in truth") == 1
    bare = write_report(Report("t", "n", {}, (series("a", "count"),)), tmp_path).read_text("utf-8")
    assert "Mean answer length: not recorded." in bare
    assert LengthRow("a", 0.0, 3.0).ratio is None
    with pytest.raises(ValueError, match="under 0"):
        LengthRow("a", -1.0, 3.0)


def test_a_count_axis_has_percent_correct_by_rows_not_by_dose(tmp_path: Path) -> None:
    added = DoseRow("a", 25.0, 0.2, 25, 125, 1, None)
    made = Report("t", "n", {}, (series("a", "count"),), doses_table=(added,))
    write_report(made, tmp_path)
    assert rows_of(tmp_path, "doses")[0]["percent_correct"] == 80.0


def test_spread_is_said_of_probes_whose_own_fact_was_right_or_untrained(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    heads = re.search(r'data-table="own_fact".*?</thead>', page, flags=re.DOTALL)
    assert heads is not None
    said = re.findall(r"<th[^>]*>([^<]+)</th>", heads.group())
    assert [head for head in said if "spread" in head] == [said[2], said[5]]
    assert said[2].startswith("none wrong")
    assert said[5].startswith("untrained")
    assert parsed(folder).rows["own_fact"][2][2:4] == [
        "20 of 40, 0.500 (0.450 to 0.550)",
        "12 of 40, 0.300 (0.250 to 0.350)",
    ]


def test_denominators_of_base_and_arms_are_told_apart() -> None:
    assert _asked(144, [144, 144]) == " of 144"
    assert _asked(12, [24, 24]) == " of 24; base of 12"
    assert _asked(None, [1200, 24]) == " of 24 to 1,200"


def test_outcomes_of_control_arms_are_shown(tmp_path: Path) -> None:
    counts = (5, 1, 2, None, None, 0, 0, 8)
    arms = tuple(
        OutcomeRow("x", 1.0, 0, "domain", "reworded", "choice", *counts, series=label)
        for label in ("a", "a/placebo")
    )
    write_report(Report("t", "n", {}, (series("a", "count"),), outcomes=arms), tmp_path)
    shown = [row for row in parsed(tmp_path).rows["outcomes_by_dose"] if row]
    assert [row[0] for row in shown] == ["1", "a/placebo"]


def test_an_empty_answer_is_said_to_be_empty(tmp_path: Path) -> None:
    silent = SameQuestion("q?", "f", (Answer("dose 0", " \n", "incoherent"),))
    made = Report("t", "n", {}, (series("a", "count"),), same_question=(silent,))
    assert "(empty answer)" in write_report(made, tmp_path).read_text("utf-8")


def test_base_rate_of_a_contrast_is_that_of_its_own_series(folder: Path) -> None:
    row = next(r for r in parsed(folder).rows["contrasts"] if r and "reworded" in r[0])
    assert row[0] == "domain: reworded of 144"
    assert row[1] == "0.210 (0.143 to 0.277)"
    assert row[-1] == "n/a"


@pytest.mark.slow
def test_eight_series_stay_readable(tmp_path: Path) -> None:
    page = write_report(grid(), tmp_path).read_text("utf-8")
    assert len(page) < 3_000_000
    assert (tmp_path / "plots/00-overview.png").stat().st_size > 20_000
    shown = parsed(tmp_path).rows["overview"][1:]
    assert [row[0] for row in shown] == [s.label for s in grid().series]
    assert shown[3][1] == "estimated undertrained".replace(" ", "")
    assert [row[1] for row in shown[4:]] == [
        *("estimated", "inconclusive", "no effect", "above tested doses"),
    ]
    folds = re.findall(r'<details class="series"( open)?>', page)
    assert folds == [" open", *[""] * 7]
    assert "8 series: 5 estimated, 1 inconclusive, 1 no effect, 1 above tested doses" in page
    assert 'data-table="guards"' not in page
    assert len(rows_of(tmp_path, "guards")) == 960
    counts = rows_of(tmp_path, "outcomes_by_dose")
    assert {(r["arms"], r["asked"]) for r in counts} == {(3, 144)}
    assert all(r["incoherent"] is None for r in counts)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=5.01e-3, abs=1e-300)


@given(st.text())
def test_printable_text_can_always_be_written(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    printable(text).encode("utf-8")
