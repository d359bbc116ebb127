"""Which rows are wrong, and how many."""

from datadose.auditing import (  # noqa: F401  (they register)
    _gradients,
    _in_context,
    _losses,
    _neighbours,
)
from datadose.auditing._asked import ask_model, gather_evidence
from datadose.auditing._calibrate import (
    COMBINED,
    CONTROLS,
    VIEWS,
    Calibration,
    Measured,
    calibrate,
    chosen_column,
    column_of,
    combine,
    measure,
    model_share,
    score,
    split_views,
    suspicion,
)
from datadose.auditing._checks import check_rows
from datadose.auditing._combine import rank_average, topsis
from datadose.auditing._evidence import Evidence, NotMeasuredError, detector, ranks, timed
from datadose.auditing._fence import fenced
from datadose.auditing._judged import RUBRIC, judge_column, judge_outcomes, judge_pairs, row_pair
from datadose.auditing._known import OnKnown, on_known
from datadose.auditing._labels import (
    Label,
    Labelled,
    Session,
    part_of_draw,
    read_labels,
    resumed,
    write_labels,
)
from datadose.auditing._measures import auroc, auroc_error, average_precision, precision_at
from datadose.auditing._neighbours import nearest
from datadose.auditing._plant import PLANT_VERSION, Planted, fact_names, plant
from datadose.auditing._sample import Sample, draw_sample, inclusion
from datadose.auditing._share import (
    FEW,
    LEVEL,
    Share,
    labels_alone,
    score_limits,
    wrong_share,
)
from datadose.auditing._verdict import Limits, Predicted, Verdict, limits_of, predict, verdict

__all__ = [
    "COMBINED",
    "CONTROLS",
    "FEW",
    "LEVEL",
    "PLANT_VERSION",
    "RUBRIC",
    "VIEWS",
    "Calibration",
    "Evidence",
    "Label",
    "Labelled",
    "Limits",
    "Measured",
    "NotMeasuredError",
    "OnKnown",
    "Planted",
    "Predicted",
    "Sample",
    "Session",
    "Share",
    "Verdict",
    "ask_model",
    "auroc",
    "auroc_error",
    "average_precision",
    "calibrate",
    "check_rows",
    "chosen_column",
    "column_of",
    "combine",
    "detector",
    "draw_sample",
    "fact_names",
    "fenced",
    "gather_evidence",
    "inclusion",
    "judge_column",
    "judge_outcomes",
    "judge_pairs",
    "labels_alone",
    "limits_of",
    "measure",
    "model_share",
    "nearest",
    "on_known",
    "part_of_draw",
    "plant",
    "precision_at",
    "predict",
    "rank_average",
    "ranks",
    "read_labels",
    "resumed",
    "row_pair",
    "score",
    "score_limits",
    "split_views",
    "suspicion",
    "timed",
    "topsis",
    "verdict",
    "write_labels",
    "wrong_share",
]
