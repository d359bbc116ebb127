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
from datadose.evaluation._decode import generate_ids
from datadose.evaluation._generate import ask_open, check_answer, check_code, extract_code, generate
from datadose.evaluation._rates import pass_at_k, rate_interval
from datadose.evaluation._tasks import (
    Answered,
    Form,
    ask_tasks,
    option_prior,
    put,
    summarise,
    summarise_counts,
)

__all__ = [
    "SCORER_VERSION",
    "Answered",
    "Form",
    "Prior",
    "ask_choices",
    "ask_open",
    "ask_tasks",
    "asked_ids",
    "check_answer",
    "check_code",
    "choice_tokens",
    "contentless",
    "extract_code",
    "generate",
    "generate_ids",
    "log_likelihoods",
    "option_prior",
    "pass_at_k",
    "put",
    "rate_interval",
    "summarise",
    "summarise_counts",
]
