"""Judged open answers as CSV files for people to label, and what their labels correct."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from datadose import curves
from datadose._core import write_atomic
from datadose.evaluation import yes_or_no
from datadose.reporting import CorrectedRow
from datadose.running._folder import RunFolder
from datadose.running._judged import Line, groups_of, verdict_of

COLUMNS = (
    *("dose", "seed", "question", "sample", "cue", "prompt", "answer"),
    *("outcome", "verdict", "label"),
)


def write_judged(run: RunFolder, lines: Sequence[Line]) -> None:
    """One CSV per series, judge and what a yes means: what `datadose judge label` and `correct`
    read and fill.

    Labels that are there already stay with their answers.
    """
    for part in _by_file(lines):
        path = _csv_of(run, part[0])
        labels = _labels(path)
        text = io.StringIO()
        # all quoted: Python leaves a lone carriage return bare, which ends the line for a reader
        out = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        out.writerow(COLUMNS)
        for x in part:
            j = x.judged
            cells = _cells(x)
            out.writerow((*cells, j.kind, verdict_of(x), labels.get(cells, "")))
        write_atomic(path, text.getvalue())


def _by_file(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The judged answers of every series by every judge; the base model's are not labelled."""
    for part in groups_of(lines, lambda x: (x.judge, x.series, x.question.about)):
        if part[0].judge and part[0].dose is not None:
            yield part


def _csv_of(run: RunFolder, line: Line) -> Path:
    # a label says yes to another thing in each file
    about = "" if line.question.about == "alignment" else f"-{line.question.about}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{line.series}-{line.judge}{about}")
    return run.path / "judged" / f"{name}.csv"


def _cells(x: Line) -> tuple[str, ...]:
    j, q = x.judged, x.question
    return (str(x.dose), str(x.seed), j.cluster, str(j.sample), q.cue, q.prompt, x.text)


def _labels(path: Path) -> dict[tuple[str, ...], str]:
    """Labels of a CSV that was written before, by all that names an answer."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    named = COLUMNS[:-3]
    return {
        tuple(line[c] or "" for c in named): line["label"].strip()
        for line in lines
        if all(c in line for c in COLUMNS) and (line["label"] or "").strip()
    }


def corrected_rows(run: RunFolder, lines: Sequence[Line]) -> list[CorrectedRow]:
    """Rates of every dose corrected by the labels that stand in the study's own CSV files."""
    import polars as pl

    rows = []
    for part in _by_file(lines):
        path = _csv_of(run, part[0])
        labels = {k: yes_or_no(v, str(path)) for k, v in _labels(path).items()}
        if not labels:
            continue
        table = pl.DataFrame(
            {
                "dose": [x.dose for x in part],
                "question": [x.judged.cluster for x in part],
                "verdict": [x.bad for x in part],
                "label": pl.Series([labels.get(_cells(x)) for x in part], dtype=pl.Boolean),
            }
        )
        if table["label"].null_count() == len(table):
            continue
        for r in curves.correct_rates(curves.judged_counts(table), target="like"):
            rows.append(
                CorrectedRow(
                    series=part[0].series,
                    dose=r.dose,
                    judge=part[0].judge,
                    judged=r.raw.rate,
                    estimate=r.estimate,
                    lower=r.lower,
                    upper=r.upper,
                    status=r.status,
                    method=r.method,
                    labels=r.labelled.asked,
                    note=r.note,
                    about=part[0].question.about,
                )
            )
    return rows
