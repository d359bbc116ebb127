"""Plots: both readings of the axis, no pyplot, files that say no date."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from _example import example, series

from datadose.curves import Analysis, Point, Spec
from datadose.reporting import (
    plot_curves,
    write_report,
)


def test_plots_without_pyplot() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import datadose.reporting as r; "
        "assert 'matplotlib' not in sys.modules and 'jinja2' not in sys.modules; "
        "from _example import domain; r.plot_curves(domain()); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], check=True)


def test_ids_are_unique_over_all_plots(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


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


def test_plot_shows_both_readings_and_a_count_axis() -> None:
    share = plot_curves(series().main, series().nulls)
    assert {c.get_xlabel() for c in share.axes[0].child_axes} == {"% correct"}
    labels = share.legends[0].get_texts()
    assert {"measured", "base model", "clean (dose 0)", "null: plurality vote"} <= {
        t.get_text() for t in labels
    }
    count = plot_curves(series("a", "count").main)
    assert count.axes[0].get_xscale() == "symlog"


def test_png_carries_no_date_and_no_software(folder: Path) -> None:
    for path in (folder / "plots").glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert b"tEXt" not in content
        assert b"tIME" not in content


def test_the_axis_of_a_score_holds_all_its_points_and_little_else() -> None:
    spec = Spec("alignment", "down", scale="continuous", unit=100.0)
    points = tuple(Point(d, v, v - 3, v + 3, 0, 20, 3) for d, v in ((0.0, 90.0), (1.0, -40.0)))
    figure = plot_curves(Analysis(spec, points, None, (), ()), ylabel="score")
    low, high = figure.axes[0].get_ylim()
    assert low == pytest.approx(-43 - 0.05 * 136)
    assert high == pytest.approx(93 + 0.05 * 136)
