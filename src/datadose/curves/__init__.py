"""Dose-response: fits, thresholds, statuses. Knows nothing of language models."""

from datadose.curves._agreement import Accuracy, Share, accuracy, clustered_share, exact_limits
from datadose.curves._analyse import analyse, analyse_block
from datadose.curves._assume import Assumed, assume
from datadose.curves._blocks import Block, to_block
from datadose.curves._claims import Claim, adjust, claims, holm
from datadose.curves._corrected import CorrectedRate, JudgedCounts, correct_rates
from datadose.curves._difference import Difference, difference
from datadose.curves._fits import crossing, isotonic, null_fact, null_plurality
from datadose.curves._judged_table import judged_counts
from datadose.curves._means import Means, arm_means
from datadose.curves._model_limits import model_drop, model_limits
from datadose.curves._models import ModelFit, fit_model, model_benchmark
from datadose.curves._next import START_SEEDS, Step, next_arms
from datadose.curves._power import CurvePower, Power, adaptive, fixed, power
from datadose.curves._profile import Limits, Profile, band, profile, ratio_limits, turn_limits
from datadose.curves._public import adjusted, analyse_table, next_doses, read_table, thresholds
from datadose.curves._read import repeated_lines
from datadose.curves._recovered import Recovered, recovered
from datadose.curves._sight import Aim
from datadose.curves._simulate import Lab, World
from datadose.curves._steps import SEEDS, STEPS
from datadose.curves._types import Analysis, Contrast, Curve, Point, Spec, Status, Threshold
from datadose.curves._words import as_record, sentence

__all__ = [
    "SEEDS",
    "START_SEEDS",
    "STEPS",
    "Accuracy",
    "Aim",
    "Analysis",
    "Assumed",
    "Block",
    "Claim",
    "Contrast",
    "CorrectedRate",
    "Curve",
    "CurvePower",
    "Difference",
    "JudgedCounts",
    "Lab",
    "Limits",
    "Means",
    "ModelFit",
    "Point",
    "Power",
    "Profile",
    "Recovered",
    "Share",
    "Spec",
    "Status",
    "Step",
    "Threshold",
    "World",
    "accuracy",
    "adaptive",
    "adjust",
    "adjusted",
    "analyse",
    "analyse_block",
    "analyse_table",
    "arm_means",
    "as_record",
    "assume",
    "band",
    "claims",
    "clustered_share",
    "correct_rates",
    "crossing",
    "difference",
    "exact_limits",
    "fit_model",
    "fixed",
    "holm",
    "isotonic",
    "judged_counts",
    "model_benchmark",
    "model_drop",
    "model_limits",
    "next_arms",
    "next_doses",
    "null_fact",
    "null_plurality",
    "power",
    "profile",
    "ratio_limits",
    "read_table",
    "recovered",
    "repeated_lines",
    "sentence",
    "thresholds",
    "to_block",
    "turn_limits",
]
