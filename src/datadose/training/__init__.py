"""Turn rows into a fine-tuned model."""

from datadose.training._batches import learning_rate, plan_steps, total_steps
from datadose.training._ghost import Norms, ghost_norms
from datadose.training._local import (
    HAZARD,
    TRAINER_VERSION,
    OnEvent,
    Trained,
    batch_loss,
    checkpoint_name,
    encode_rows,
    fingerprint_ids,
    train_arm,
    weights_hash,
)
from datadose.training._recorder import (
    Recording,
    held_out_losses,
    load_recording,
    record_run,
    reply_losses,
    row_losses,
    token_losses,
)
from datadose.training._stream import Scores, load_scores, score_rows
from datadose.training._trace import by_length

__all__ = [
    "HAZARD",
    "TRAINER_VERSION",
    "Norms",
    "OnEvent",
    "Recording",
    "Scores",
    "Trained",
    "batch_loss",
    "by_length",
    "checkpoint_name",
    "encode_rows",
    "fingerprint_ids",
    "ghost_norms",
    "held_out_losses",
    "learning_rate",
    "load_recording",
    "load_scores",
    "plan_steps",
    "record_run",
    "reply_losses",
    "row_losses",
    "score_rows",
    "token_losses",
    "total_steps",
    "train_arm",
    "weights_hash",
]
