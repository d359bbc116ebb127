"""Which rows are wrong, and how many."""

from datadose.auditing._sample import Sample, draw_sample, inclusion
from datadose.auditing._share import Share, exact_limits, labels_alone, score_limits, wrong_share

__all__ = [
    "Sample",
    "Share",
    "draw_sample",
    "exact_limits",
    "inclusion",
    "labels_alone",
    "score_limits",
    "wrong_share",
]
