"""Turn rows into a fine-tuned model."""

from datadose.training._batches import learning_rate, plan_steps, total_steps
from datadose.training._ghost import Norms, ghost_norms
from datadose.training._local import (
    HAZARD,
    TRAINER_VERSION,
    Trained,
    batch_loss,
    checkpoint_name,
    encode_rows,
    fingerprint_ids,
    train_arm,
    weights_hash,
)

__all__ = [
    "HAZARD",
    "TRAINER_VERSION",
    "Norms",
    "Trained",
    "batch_loss",
    "checkpoint_name",
    "encode_rows",
    "fingerprint_ids",
    "ghost_norms",
    "learning_rate",
    "plan_steps",
    "total_steps",
    "train_arm",
    "weights_hash",
]
