"""From right rows to wrong ones: choices, numbers, code, noise; public benchmarks as pools."""

from datadose.corruption._benchmarks import medmcqa, truthfulqa
from datadose.corruption._choices import (
    ChoiceQuestion,
    choice_items,
    choice_probes,
    rough_tokens,
    split_questions,
    usable,
)
from datadose.corruption._code import code_mutants, tidy_code, wrong_code
from datadose.corruption._import import NAMES, ImportedPool, import_pool
from datadose.corruption._noise import shuffled
from datadose.corruption._numbers import format_value, same_value, wrong_values
from datadose.corruption._registry import corruptor
from datadose.corruption._rows import (
    Slip,
    Values,
    find_values,
    tidy_answer,
    wrong_answer,
    wrong_group,
)

__all__ = [
    "NAMES",
    "ChoiceQuestion",
    "ImportedPool",
    "Slip",
    "Values",
    "choice_items",
    "choice_probes",
    "code_mutants",
    "corruptor",
    "find_values",
    "format_value",
    "import_pool",
    "medmcqa",
    "rough_tokens",
    "same_value",
    "shuffled",
    "split_questions",
    "tidy_answer",
    "tidy_code",
    "truthfulqa",
    "usable",
    "wrong_answer",
    "wrong_code",
    "wrong_group",
    "wrong_values",
]
