"""How detectors do on the rows whose truth is known: real errors, not planted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datadose.auditing._calibrate import Measured, Z
from datadose.auditing._measures import auroc, auroc_error
from datadose.auditing._share import FEW

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class OnKnown:
    """A detector's AUROC, with two-sided 95% limits, on labelled and checked rows.

    `denied`: it detects planted errors and not these. Its limits here hold 0.5, and it falls short
    of its AUROC on planted rows by more than both errors (95%) explain.
    """

    auroc: float
    lower: float
    upper: float
    denied: bool


def on_known(
    columns: Mapping[str, np.ndarray], known: Mapping[int, bool], table: Sequence[Measured]
) -> dict[str, OnKnown]:
    """Each measured detector's column [N] on the rows whose truth is `known`, by place.

    Empty where fewer than FEW of them are wrong or right. The figures are those of all rows if the
    known ones were drawn from all, as an audit draws them along the order of suspicion; no detector
    is chosen by them, so that they stay a test of the choice.
    """
    import numpy as np

    places = sorted(known)
    wrong = np.array([known[i] for i in places], dtype=bool)
    if min(int(wrong.sum()), int((~wrong).sum())) < FEW:
        return {}
    return {m.name: _held(columns[m.name][places], wrong, m) for m in table if m.name in columns}


def _held(column: np.ndarray, wrong: np.ndarray, measured: Measured) -> OnKnown:
    value = auroc(column, wrong)
    error = auroc_error(value, int(wrong.sum()), int((~wrong).sum()))
    low, high = max(0.0, value - Z * error), min(1.0, value + Z * error)
    denied = False
    if measured.auroc is not None and measured.lower is not None and measured.lower > 0.5:
        planted = (measured.auroc - measured.lower) / Z
        denied = low <= 0.5 and measured.auroc - value > Z * (error**2 + planted**2) ** 0.5
    return OnKnown(value, low, high, denied)
