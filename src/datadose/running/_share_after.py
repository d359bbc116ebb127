"""The wrong share of what cleaning left, from the labels that the audit had."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from datadose import auditing
from datadose._core import read_json
from datadose.auditing import Share
from datadose.cleaning import Decision
from datadose.schema import Row

UNKNOWN = "it needs labels of the audit's own draw (--label 60) and its chosen detector"


def drawn_labels(audit: Path, rows: Sequence[Row]) -> auditing.Labelled | None:
    """The labels that an audit's folder holds, each with its chance to be drawn; None without."""
    labels, plan = audit / "labels.csv", audit / "sample.json"
    if not labels.is_file() or not plan.is_file():
        return None
    done = auditing.read_labels(labels, [r.id for r in rows]).labels
    kept = read_json(plan)
    return auditing.part_of_draw(done, kept["ids"], kept["probability"])


def share_after(
    rows: Sequence[Row],
    decisions: Sequence[Decision],
    suspicion: Sequence[float],
    labelled: auditing.Labelled | None,
    checked: Collection[str] = (),
) -> Share:
    """The wrong share of the rows that `decisions` left, [N] in the order of `rows`.

    suspicion: [N], 0 to 1, that rows were pruned by. checked: ids that were checked before rows to
    label were drawn; what is left of them is taken for right. The labels say how many are wrong
    among the rows that no suspicion dropped, those that were found wrong among them; these are
    then taken out. Unsure rows are right in the lower limit and wrong in the upper one. Every
    number is None without labels, or with none among those rows.
    """
    import numpy as np

    none = Share(None, None, None, auditing.LEVEL, "none", note=UNKNOWN)
    known = labelled.labels if labelled is not None else {}
    left = sum(d.fate != "dropped" for d in decisions)
    why = [d.reason.partition(":")[0] for d in decisions]
    top = min((suspicion[i] for i, w in enumerate(why) if w == "suspicious"), default=2.0)
    inside = [
        i
        for i, d in enumerate(decisions)
        if (suspicion[i] < top or why[i].startswith("protected"))
        and d.id not in checked
        and not why[i].startswith("repeats")
    ]
    sample = [i for i in inside if rows[i].id in known]
    unsure = sum(known[rows[i].id] == "unsure" for i in sample)
    if labelled is None or not left or unsure == len(sample):
        return none
    place = {i: k for k, i in enumerate(inside)}
    gone = sum(decisions[i].fate in ("dropped", "corrected") for i in inside)

    def estimate(as_wrong: bool | None) -> Share:
        used = [i for i in sample if known[rows[i].id] != "unsure" or as_wrong is not None]
        found = auditing.wrong_share(
            np.array([suspicion[i] for i in inside]),
            [place[i] for i in used],
            [known[rows[i].id] == "wrong" or (known[rows[i].id] == "unsure" and bool(as_wrong))
             for i in used],
            [labelled.probability[rows[i].id] for i in used],
        )  # fmt: skip

        def rest(x: float | None) -> float | None:
            return None if x is None else min(1.0, max(0.0, (x * len(inside) - gone) / left))

        return replace(
            found,
            estimate=rest(found.estimate),
            lower=rest(found.lower),
            upper=rest(found.upper),
        )

    found = estimate(None)
    if unsure:
        found = replace(found, lower=estimate(False).lower, upper=estimate(True).upper)
    return replace(found, note="from the labels among rows that were not dropped as suspicious")
