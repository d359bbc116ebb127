"""Ask a model the probes and score what it answers."""

from datadose.evaluation._choices import ask_choices, log_likelihoods
from datadose.evaluation._generate import ask_open, check_answer, generate

__all__ = ["ask_choices", "ask_open", "check_answer", "generate", "log_likelihoods"]
