"""CSVs as people and spreadsheets write them: read alike, or refused in plain words."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from datadose._core import InputError
from datadose.curves import read_table, repeated_lines, thresholds
from datadose.curves._blocks import LINE
from datadose.curves._options import Options

LINES = """dose,seed,question,good,asked
0,0,all,90,100
0,1,all,88,100
0.25,0,all,87,100
0.25,1,all,85,100
0.5,0,all,30,100
0.5,1,all,35,100
1,0,all,12,100
1,1,all,9,100
"""


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        LINES.replace(",", ", "),
        LINES.replace("\n", "\r\n"),
        LINES.replace(",", ";"),
        LINES.replace(",", "\t"),
        "\n" + LINES.replace("\n0.5", "\n\n0.5") + " \n,,,,\n",
        b"\xef\xbb\xbf" + LINES.encode(),
        LINES.replace("all", '"all, of them"'),
    ],
    ids=["blanks", "crlf", "semicolons", "tabs", "blank lines", "mark", "quotes"],
)
def test_ways_to_write_a_table_read_alike(tmp_path: Path, content: str | bytes) -> None:
    plain = read_table(write(tmp_path, LINES)).drop(LINE)
    found = read_table(write(tmp_path, content)).drop(LINE)
    assert found.with_columns(pl.lit("all").alias("question")).equals(plain)
    assert plain["dose"].to_list() == [0.0, 0.0, 0.25, 0.25, 0.5, 0.5, 1.0, 1.0]
    assert plain["good"].dtype == pl.Float64


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "asked",
            "total",
            r"columns: dose, seed, question, good, total: .*lacks the column 'asked'",
        ),
        ("good,asked", "right,total", "lacks the columns 'good', 'asked'"),
        ("good", "asked", "two columns are named 'asked'"),
        ("0.25,1", "25,1", r"line 5: a dose of 25 is not between 0 and 1\nnext: give shares"),
        ("0.25,1", "-0.25,1", "line 5: a dose of -0.25 is below 0"),
        ("0.25,1", ",1", r"line 5: the dose is missing\nnext: fill it in"),
        ("0.25,1", "0.25,", r"line 5: .* seed \(blank\)"),
        ("85", "", r"line 5: .* good \(blank\)"),
        ("85", "many", "line 5: good 'many' is not a number"),
        ("85", "nan", "line 5: a value is missing or not a number"),
        ("85", "850", r"line 5: good 850 is not within 0..100"),
        ("85,100", "85", "line 5: 4 cells, where the head has 5"),
        ("0.25,1", "0,25,1", "line 5: 6 cells.*\n.*decimal points"),
        ("all,85", '"all,85', "unexpected end of data|cells, where the head"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path, LINES.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        thresholds(read_table(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the table is empty"),
        (LINES.encode("utf-16"), "is not UTF-8 text"),
        (LINES.replace(",", ";").replace("0.25", "0,25").encode(), "separated by semicolons"),
        (LINES.splitlines()[0].encode(), "the table has no rows"),
    ],
    ids=["empty", "utf-16", "decimal commas", "head alone"],
)
def test_a_file_that_is_no_table_is_said_so(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        thresholds(read_table(write(tmp_path, content)))


def test_the_line_is_that_of_the_file_whatever_the_response(tmp_path: Path) -> None:
    two = LINES.replace("dose,", "response,dose,").replace("\n0", "\nx,0").replace("\n1", "\ny,1")
    path = write(tmp_path, two.replace("12,100", "120,100"))
    with pytest.raises(InputError, match="line 8: good 120"):
        thresholds(read_table(path))


def test_lines_of_the_base_model_are_not_forgotten_doses(tmp_path: Path) -> None:
    blank = read_table(write(tmp_path, LINES + ",,all,40,100\n"))
    head = LINES.replace("asked\n", "asked,base\n").replace("100\n", "100,\n")
    stated = read_table(write(tmp_path, head + ",0,all,40,100,yes\n"))
    assert thresholds(blank) == thresholds(stated)
    assert "not asked" not in next(t for t in thresholds(blank) if t.threshold == "parity").why


def test_repeated_lines_are_told(tmp_path: Path) -> None:
    assert repeated_lines(read_table(write(tmp_path, LINES))) == ""
    twice = LINES + "1,1,all,9,100\n1,1,all,30,100\n"
    said = repeated_lines(read_table(write(tmp_path, twice)))
    assert said == (
        "lines that repeat a dose, seed and question: 2 (first in line 10); their counts are added"
        " up; copies of a whole line: 1"
    )


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *(("refused", "up"), ("misaligned: moralchoice", "up"), ("dangerous", "up")),
        *(("domain: reworded", "down"), ("mine", "down")),
    ],
)
def test_a_response_rises_or_falls_by_its_name_with_or_without_a_set(name: str, way: str) -> None:
    assert Options().spec(name).direction == way
