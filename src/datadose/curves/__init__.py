"""Dose-response: fits, thresholds, statuses. Knows nothing of language models."""

from datadose.curves._agreement import Accuracy, Share, accuracy, clustered_share, exact_limits
from datadose.curves._analyse import analyse, analyse_block
from datadose.curves._blocks import Block, to_block
from datadose.curves._claims import Claim, adjust, claims, holm
from datadose.curves._corrected import CorrectedRate, JudgedCounts, correct_rates
from datadose.curves._difference import Difference, difference
from datadose.curves._fits import crossing, isotonic, null_fact, null_plurality
from datadose.curves._judged_table import judged_counts
from datadose.curves._means import Means, arm_means
from datadose.curves._model_limits import model_limits
from datadose.curves._models import ModelFit, fit_model, model_benchmark
from datadose.curves._profile import Limits, Profile, band, profile, ratio_limits, turn_limits
from datadose.curves._public import adjusted, analyse_table, read_table, thresholds
from datadose.curves._types import Analysis, Contrast, Curve, Point, Spec, Status, Threshold
from datadose.curves._words import as_record, sentence

__all__ = [
    "Accuracy",
    "Analysis",
    "Block",
    "Claim",
    "Contrast",
    "CorrectedRate",
    "Curve",
    "Difference",
    "JudgedCounts",
    "Limits",
    "Means",
    "ModelFit",
    "Point",
    "Profile",
    "Share",
    "Spec",
    "Status",
    "Threshold",
    "accuracy",
    "adjust",
    "adjusted",
    "analyse",
    "analyse_block",
    "analyse_table",
    "arm_means",
    "as_record",
    "band",
    "claims",
    "clustered_share",
    "correct_rates",
    "crossing",
    "difference",
    "exact_limits",
    "fit_model",
    "holm",
    "isotonic",
    "judged_counts",
    "model_benchmark",
    "model_limits",
    "null_fact",
    "null_plurality",
    "profile",
    "ratio_limits",
    "read_table",
    "sentence",
    "thresholds",
    "to_block",
    "turn_limits",
]
