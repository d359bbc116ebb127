"""Dose-response: fits, thresholds, statuses. Knows nothing of language models."""

from datadose.curves._analyse import analyse
from datadose.curves._difference import Difference, difference
from datadose.curves._fits import crossing, isotonic, null_fact, null_plurality
from datadose.curves._public import read_table, thresholds
from datadose.curves._types import Analysis, Curve, Point, Spec, Status, Threshold
from datadose.curves._words import as_record, sentence

__all__ = [
    "Analysis",
    "Curve",
    "Difference",
    "Point",
    "Spec",
    "Status",
    "Threshold",
    "analyse",
    "as_record",
    "crossing",
    "difference",
    "isotonic",
    "null_fact",
    "null_plurality",
    "read_table",
    "sentence",
    "thresholds",
]
