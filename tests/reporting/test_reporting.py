"""The report: equal bytes, escaped text, one set of numbers everywhere."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import pytest
from _example import SCRIPT, example, series
from hypothesis import given
from hypothesis import strategies as st

from datadose.reporting import (
    OutcomeRow,
    Report,
    SeriesReport,
    headline,
    plot_curves,
    print_thresholds,
    thresholds_text,
    write_report,
)
from datadose.reporting._tables import number, printable


class Tables(HTMLParser):
    """Cells of every table of the page, by the table's name."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self.name = ""
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.name = dict(attrs).get("data-table") or ""
        if tag == "tr":
            self.rows.setdefault(self.name, []).append([])
        if tag == "td":
            self.rows[self.name][-1].append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.rows[self.name][-1][-1] += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report")
    write_report(example(), made)
    return made


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
    assert len([name for name in files(folder) if name.endswith(".png")]) == 3


def test_plots_without_pyplot() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import datadose.reporting as r; "
        "assert 'matplotlib' not in sys.modules and 'jinja2' not in sys.modules; "
        "from _example import domain; r.plot_curves(domain()); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], check=True)


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
    page = Tables()
    page.feed((folder / "report.html").read_text("utf-8"))
    shown = [row for row in page.rows["thresholds"] if row]
    rows = json.loads((folder / "tables/thresholds.json").read_text("utf-8"))["rows"]
    with (folder / "tables/thresholds.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert len(rows) == len(lines) == len(shown) == 11
    terminal = thresholds_text(example()).splitlines()[1:]
    names = [name for name in lines[0] if name != "series"]
    for row, line, cells, words in zip(rows, lines, shown, terminal, strict=True):
        seen = dict(zip(names, cells, strict=True))
        for name in ("estimate", "lower", "upper", "percent_correct"):
            value = row[name]
            assert line[name] == ("n/a" if value is None else repr(value))
            assert seen[name] == ("n/a" if value is None else number(value))
            assert name == "percent_correct" or seen[name] in words
        for name in ("response", "threshold", "status"):
            assert row[name] == line[name] == seen[name]
            assert row[name] in words


def test_no_estimate_without_both_limits(folder: Path) -> None:
    rows = json.loads((folder / "tables/thresholds.json").read_text("utf-8"))["rows"]
    unbounded = [r for r in rows if r["lower"] is None or r["upper"] is None]
    assert len(unbounded) == 5
    assert all(r["estimate"] is None and r["percent_correct"] is None for r in unbounded)


def test_sections_in_order(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    wanted = "curves thresholds contrasts same-question doses own-fact outcomes checkpoints"
    assert re.findall(r'<section id="([\w-]+)"', page) == [
        *wanted.split(),
        *("guards", "reproduce", "words"),
    ]
    assert page.index('id="headline"') < page.index('class="warnings"') < page.index("<section")


def test_ids_are_unique_over_all_plots(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_headline_names_what_it_holds_for() -> None:
    said = headline(example())
    for part in ("SmolLM2", "96 rows", "48 steps"):
        assert part in said
    assert "rank 16" in said
    assert "health/9f2c1a" in said
    assert "conditional on this seed" in said
    assert re.search(r"21.* \(15.* to 30", said)


def test_headline_of_a_count_axis_counts_rows() -> None:
    said = headline(dataclasses.replace(example(), series=(series("a", "count"),)))
    for part in ("85.4 wrong rows", "60.0", "120", "SmolLM2", "96 rows", "48 steps", "rank 16"):
        assert part in said


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("above tested doses", "end at 1"),
        ("below tested doses", "0.25"),
        ("worse at dose 0", "already worse at dose 0"),
        ("no effect", "no effect"),
        ("instrument dead", "positive control did not move"),
        ("not defined", "not defined"),
        ("inconclusive", "support no number"),
    ],
)
def test_headline_without_a_number(status: str, words: str) -> None:
    made = series()
    analysis = made.main
    changed = tuple(
        dataclasses.replace(t, status=status, lower=None, upper=None) for t in analysis.thresholds
    )
    changed_series = dataclasses.replace(
        made, analyses=(("domain: reworded", dataclasses.replace(analysis, thresholds=changed)),)
    )
    said = headline(dataclasses.replace(example(), series=(changed_series,)))
    assert words in said
    assert "0.213" not in said


def test_stale_plots_go_and_other_files_stay(tmp_path: Path) -> None:
    write_report(example(), tmp_path)
    (tmp_path / "plots/mine.png").write_bytes(b"x")
    write_report(dataclasses.replace(example(), series=(series(),)), tmp_path)
    assert sorted(p.name[:4] for p in (tmp_path / "plots").iterdir()) == ["01-h", "02-h", "mine"]


def test_an_empty_report_has_its_page(tmp_path: Path) -> None:
    page = write_report(Report("t", "n", {}, ()), tmp_path).read_text("utf-8")
    assert "No primary threshold was computed." in page
    assert thresholds_text(Report("t", "n", {}, ())).count("\n") == 1


def test_plot_shows_both_readings_and_a_count_axis() -> None:
    share = plot_curves(series().main, series().nulls)
    assert {c.get_xlabel() for c in share.axes[0].child_axes} == {"% correct"}
    labels = share.legends[0].get_texts()
    assert {"measured", "base model", "clean (dose 0)", "null: plurality vote"} <= {
        t.get_text() for t in labels
    }
    count = plot_curves(series("a", "count").main)
    assert count.axes[0].get_xscale() == "symlog"


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


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_keep_three_digits(value: float) -> None:
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=5.01e-3, abs=1e-300)


@given(st.text())
def test_printable_text_can_always_be_written(text: str) -> None:
    assert printable(printable(text)) == printable(text)
    printable(text).encode("utf-8")


@pytest.mark.slow
def test_report_in_a_browser(folder: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing, and CI must have it")
        pytest.skip("chromium is not installed")
    quiet = ("gpu", "quic", "background-networking", "component-update", "sync")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--no-first-run", "--enable-logging=stderr"),
            *(f"--disable-{name}" for name in quiet),
            *(f"--user-data-dir={tmp_path}", "--dump-dom", (folder / "report.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.count("<svg") == 3
    assert done.stdout.count("<path") > 30
    assert "CONSOLE" not in done.stderr
    assert "<script" not in done.stdout
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;" in done.stdout
    assert "<title>Health: how much can be wrong?</title>" in done.stdout
