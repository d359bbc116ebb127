"""From rows of which some are wrong to rows to train on: nothing lost, every fate told."""

from datadose.cleaning._certain import Known, known_answers
from datadose.cleaning._corrector import Corrector, Proposal, propose, train_corrector
from datadose.cleaning._decisions import FATES, Decision, Fate, settle, word_diff
from datadose.cleaning._duplicates import DROP, Drop, Twin, drop_repeats, find_twins
from datadose.cleaning._form import form_rule, tidy_form
from datadose.cleaning._gate import Gate
from datadose.cleaning._pairs import FEWEST as FEWEST_TRUSTED
from datadose.cleaning._pairs import Pair, make_pairs
from datadose.cleaning._preserve import changed_facts
from datadose.cleaning._prune import BY, By, Quota, prune, quota
from datadose.cleaning._reference import Passage, Retriever, read_reference
from datadose.cleaning._rewriter import (
    better_form,
    damage,
    damaged,
    pair_good,
    rewrite,
    train_rewriter,
)

__all__ = [
    "BY",
    "DROP",
    "FATES",
    "FEWEST_TRUSTED",
    "By",
    "Corrector",
    "Decision",
    "Drop",
    "Fate",
    "Gate",
    "Known",
    "Pair",
    "Passage",
    "Proposal",
    "Quota",
    "Retriever",
    "Twin",
    "better_form",
    "changed_facts",
    "damage",
    "damaged",
    "drop_repeats",
    "find_twins",
    "form_rule",
    "known_answers",
    "make_pairs",
    "pair_good",
    "propose",
    "prune",
    "quota",
    "read_reference",
    "rewrite",
    "settle",
    "tidy_form",
    "train_corrector",
    "train_rewriter",
    "word_diff",
]
