"""The page for every reader: no sight needed, contrast, a real browser."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest


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
