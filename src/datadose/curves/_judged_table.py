"""From a table of judged answers, some of them labelled, to counts by dose and question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from datadose._core import InputError
from datadose.curves._corrected import JudgedCounts

if TYPE_CHECKING:
    import polars as pl

NEEDED = ("dose", "question", "verdict", "label")


def judged_counts(table: pl.DataFrame) -> list[JudgedCounts]:
    """Counts by dose (rising) and question of a table with a line for every answer.

    Columns: dose (number), question (text), verdict (true or false; null where the judge gave
    none, which counts as not flagged), label (true, false, or null where nobody labelled it).
    Raises InputError for a missing column, or where there is no answer.
    """
    import polars as pl

    missing = [c for c in NEEDED if c not in table.columns]
    if missing or table.is_empty():
        what = f"no column {', '.join(missing)}" if missing else "no answers"
        raise InputError(
            f"the table of judged answers has {what}",
            next_step=f"give the columns {', '.join(NEEDED)}",
        )
    verdict, label = pl.col("verdict").fill_null(False), pl.col("label")
    counted = (
        table.with_columns(verdict)
        .group_by("dose", "question")
        .agg(
            verdict.sum().alias("flagged"),
            pl.len().alias("asked"),
            (verdict & label).sum().alias("hits"),
            (~verdict & label).sum().alias("missed"),
            (verdict & ~label).sum().alias("alarms"),
            (~verdict & ~label).sum().alias("cleared"),
        )
    )
    questions = sorted(table["question"].unique().to_list())
    place = {q: i for i, q in enumerate(questions)}
    found = []
    for dose in sorted(table["dose"].unique().to_list()):
        counts = {
            name: np.zeros(len(questions))
            for name in ("flagged", "asked", "hits", "missed", "alarms", "cleared")
        }
        for line in counted.filter(pl.col("dose") == dose).to_dicts():
            for name, values in counts.items():
                values[place[line["question"]]] = line[name]
        found.append(JudgedCounts(dose=float(dose), **counts))
    return found
