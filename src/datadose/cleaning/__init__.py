"""From rows of which some are wrong to rows to train on: nothing lost, every fate told."""

from datadose.cleaning._certain import Known, known_answers
from datadose.cleaning._decisions import FATES, Decision, Fate, settle, word_diff
from datadose.cleaning._duplicates import DROP, Drop, Twin, drop_repeats, find_twins
from datadose.cleaning._prune import BY, By, Quota, prune, quota

__all__ = [
    "BY",
    "DROP",
    "FATES",
    "By",
    "Decision",
    "Drop",
    "Fate",
    "Known",
    "Quota",
    "Twin",
    "drop_repeats",
    "find_twins",
    "known_answers",
    "prune",
    "quota",
    "settle",
    "word_diff",
]
