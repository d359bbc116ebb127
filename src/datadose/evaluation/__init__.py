"""Ask a model the probes and score what it answers."""

from datadose.evaluation._choices import (
    SCORER_VERSION,
    Prior,
    ask_choices,
    asked_ids,
    choice_tokens,
    contentless,
    log_likelihoods,
)
from datadose.evaluation._generate import ask_open, check_answer, check_code, extract_code, generate

__all__ = [
    "SCORER_VERSION",
    "Prior",
    "ask_choices",
    "ask_open",
    "asked_ids",
    "check_answer",
    "check_code",
    "choice_tokens",
    "contentless",
    "extract_code",
    "generate",
    "log_likelihoods",
]
