"""Guards of training: what would be trained, what was trained, and whether it took."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

from datadose._core import GuardError
from datadose.models import BaseModel, Encoded, autocast, logits_at, pad
from datadose.schema import Row


def check_masks(encoded: Sequence[Encoded], base: BaseModel, before: int = 0) -> None:
    """Every row must have a prompt, an answer of some tokens, and an end token after it."""
    for i, row in enumerate(encoded):
        if row.trained < 2:
            raise GuardError(
                "trained tokens",
                f"row {before + i + 1} has no answer token to train",
                next_step="give this row an answer",
            )
        if row.start < 1:
            raise GuardError(
                "trained tokens",
                f"row {before + i + 1} has no prompt: all tokens trained",
                next_step="give this row a prompt",
            )
        if row.ids[-1] not in base.end_ids:
            raise GuardError(
                "end token trained",
                f"row {before + i + 1} does not end with an end token",
                where=base.name,
                next_step="set the model's eos_token to the token that ends a turn",
            )


def check_answers(
    rows: Sequence[Row], encoded: Sequence[Encoded], base: BaseModel, before: int = 0
) -> None:
    """The trained tokens, read back, must be the row's answer: no prompt in it, nothing cut."""
    for i, (row, e) in enumerate(zip(rows, encoded, strict=True)):
        ids = list(e.ids[e.start : -1])
        text = base.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        if not _bare(text).startswith(_bare(row.answer)):
            raise GuardError(
                "prompt tokens trained",
                f"row {before + i + 1} would be trained on {text[:60]!r},"
                f" its answer is {row.answer[:60]!r}",
                where=base.name,
                next_step="take the template's own marks out of this row, if it holds any",
            )


def _bare(text: str) -> str:
    """Text without what tokenizers may change: spaces, and how letters are composed."""
    return unicodedata.normalize("NFKC", "".join(text.split()))


def check_count(count: int, batch: Sequence[Encoded]) -> None:
    """The loss of a batch must be taken over its answer tokens, all of them and no other."""
    wanted = sum(e.trained for e in batch)
    if count != wanted:
        raise GuardError(
            "trained tokens",
            f"the loss was taken over {count} tokens, the answers of this batch have {wanted}",
            next_step="report this as an error of datadose: nothing was kept",
        )


def logits_of(base: BaseModel, module: Any, row: Encoded) -> Any:
    """Logits [T, V] over a whole row of the model as it stands, dropout off."""
    import torch

    was = module.training
    module.eval()
    ids, mask = pad([row.ids], base.pad_id, base.device)
    with torch.no_grad(), autocast(base):
        logits = logits_at(base, ids, mask, mask)
    module.train(was)
    return logits


def training_moves(bare: Any, tuned: Any) -> dict[str, Any]:
    """Training must change the logits [T, V] of a row that was trained on."""
    gap = float((bare - tuned).abs().max())
    if not gap > 0:
        raise GuardError(
            "adapter changes logits",
            "training changed no logit at all: nothing was trained",
            next_step="raise train.lr, or look at train.targets",
        )
    return {"guard": "adapter changes logits", "passed": True, "detail": f"by up to {gap:.3g}"}


def loss_fell(before: float, after: float) -> dict[str, Any]:
    """The rows of the first step, whose loss was taken before any update, must be easier now."""
    if not after < before:
        raise GuardError(
            "loss went down",
            f"the first step's rows had a loss of {before:.3f}, after training {after:.3f}",
            next_step="lower or raise train.lr, or train for more epochs",
        )
    return {"guard": "loss went down", "passed": True, "detail": f"{before:.3f} to {after:.3f}"}
