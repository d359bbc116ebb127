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
)

__all__ = [
    "HAZARD",
    "TRAINER_VERSION",
    "Norms",
    "OnEvent",
    "Recording",
    "Trained",
    "batch_loss",
    "checkpoint_name",
    "encode_rows",
    "fingerprint_ids",
    "ghost_norms",
    "held_out_losses",
    "learning_rate",
    "load_recording",
    "plan_steps",
    "record_run",
    "reply_losses",
    "row_losses",
    "total_steps",
    "train_arm",
    "weights_hash",
]
