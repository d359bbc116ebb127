"""The wrong share of an audit: what was checked is counted, the rest estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from datadose import auditing
from datadose.auditing import Calibration, Labelled, Share
from datadose.schema import Row

if TYPE_CHECKING:
    import numpy as np


def estimate_share(
    rows: tuple[Row, ...],
    suspicion: np.ndarray,
    checked: Mapping[str, bool],
    known: Labelled,
    calibration: Calibration,
    labeller_error: float = 0.0,
) -> Share:
    """The wrong share of all rows: what was checked is counted, the rest is estimated.

    Rows whose labels are unsure are left out of the estimate; its lower limit takes them for
    right, its upper one for wrong. Without labels: the model-based share, whose lower limit is
    what was found wrong by checks alone.
    """
    import numpy as np

    total = len(rows)
    rest = [i for i, r in enumerate(rows) if r.id not in checked]
    wrong = sum(checked.values())
    if not rest:
        return Share(
            wrong / total, wrong / total, wrong / total, auditing.LEVEL, "every row labelled",
            note="every row was checked",
        )  # fmt: skip
    place = {rows[i].id: k for k, i in enumerate(rest)}
    names = [n for n in known.labels if n in place]
    if names:
        f = np.asarray(suspicion)[rest]
        equal = min(1.0, len(names) / len(rest))

        def estimate(unsure: bool | None) -> Share:
            used = [n for n in names if known.labels[n] != "unsure" or unsure is not None]
            return auditing.wrong_share(
                f,
                [place[n] for n in used],
                [known.labels[n] == "wrong" or (known.labels[n] == "unsure" and bool(unsure))
                 for n in used],
                [known.probability.get(n, equal) for n in used],
                labeller_error=labeller_error,
            )  # fmt: skip

        unsure = sum(known.labels[n] == "unsure" for n in names)
        if unsure < len(names):
            found = estimate(None)
            if unsure:
                low, high = estimate(False).lower, estimate(True).upper
                note = f"{unsure} labels are unsure: right in the lower limit, wrong in the upper"
                note = f"{note}; {found.note}" if found.note else note
                found = replace(found, lower=low, upper=high, note=note)
            return _scaled(found, wrong, len(rest), total)
    if calibration.prior is None:
        return Share(
            None, None, None, auditing.LEVEL, "none",
            note="no detector tells planted errors from other rows; label some rows",
        )  # fmt: skip
    middle, high = calibration.prior
    found = Share(
        middle, 0.0, high, auditing.LEVEL, "model-based",
        note="from the scores alone: it holds only if real errors look like planted ones",
    )  # fmt: skip
    return _scaled(found, wrong, len(rest), total)


def _scaled(share: Share, wrong: int, rest: int, total: int) -> Share:
    def whole(x: float | None) -> float | None:
        return None if x is None else (wrong + rest * x) / total

    return replace(
        share, estimate=whole(share.estimate), lower=whole(share.lower), upper=whole(share.upper)
    )
