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
from typing import Any

import matplotlib
import pytest
from _example import SCRIPT, example, grid, series, unpaired
from hypothesis import given
from hypothesis import strategies as st

from datadose.curves import Analysis, Point, Spec, as_record
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
    plot_curves,
    print_thresholds,
    thresholds_text,
    write_report,
)
from datadose.reporting._tables import number, printable
from datadose.reporting._views import _asked


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
    assert len([name for name in files(folder) if name.endswith(".png")]) == 8


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
    both = dataclasses.replace(example(), series=(series("a", "count"), series("b", "count")))
    write_report(both, tmp_path)
    assert (tmp_path / "plots/00-overview.png").exists()
    (tmp_path / "plots/mine.png").write_bytes(b"x")
    write_report(dataclasses.replace(example(), series=(series("a", "count"),)), tmp_path)
    assert sorted(p.name[:4] for p in (tmp_path / "plots").iterdir()) == [
        "01-a",
        "mine",
    ]


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


def test_every_plot_and_table_can_be_read_without_seeing_it(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    plots = re.findall(
        r"<svg [^>]*>\s*<title id=[^>]+>([^<]+)</title><desc id=[^>]+>([^<]+)</desc>", page
    )
    assert len(plots) == page.count("<svg ") == 9
    assert page.count('role="img" aria-labelledby=') == 9
    assert all(title and len(text) > 40 for title, text in plots)
    assert "Benchmark dose, 10%: estimated, 0.213 (0.150 to 0.300)" in plots[0][1]
    bodies = re.findall(r"<tbody>(.*?)</tbody>", page, flags=re.DOTALL)
    assert all(body.count("<tr>") == body.count('<th scope="row"') for body in bodies)
    assert page.count("<caption>") == len(bodies) > 10
    assert not re.search(r"<th(?![^>]*scope=)[ >]", page)


def test_text_stands_out_from_its_paper_in_light_and_in_dark(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in page.split("@media", 2)[:2]
    ]
    for colours in themes:
        for ink, paper in (
            *((ink, "paper") for ink in ("ink", "soft", "accent", "bad")),
            *((ink, "card") for ink in ("ink", "soft", "accent")),
            ("warn", "warn-paper"),
        ):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2.2 defines it, of two colours as #rrggbb."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_png_carries_no_date_and_no_software(folder: Path) -> None:
    for path in (folder / "plots").glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content
        assert b"tIME" not in content


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
    assert done.stdout.count("<svg") == 9
    assert done.stdout.count("<path") > 30
    assert "CONSOLE" not in done.stderr
    assert "<script" not in done.stdout
    assert "&lt;script&gt;document.title='owned'&lt;/script&gt;" in done.stdout
    assert "<title>Health: how much can be wrong?</title>" in done.stdout


def test_the_axis_of_a_score_holds_all_its_points_and_little_else() -> None:
    spec = Spec("alignment", "down", scale="continuous", unit=100.0)
    points = tuple(Point(d, v, v - 3, v + 3, 0, 20, 3) for d, v in ((0.0, 90.0), (1.0, -40.0)))
    figure = plot_curves(Analysis(spec, points, None, (), ()), ylabel="score")
    low, high = figure.axes[0].get_ylim()
    assert low == pytest.approx(-43 - 0.05 * 136)
    assert high == pytest.approx(93 + 0.05 * 136)
