"""What the output head tells of rows: losses and gradients, with no autograd through the model.

A row's loss is that of its answer tokens, summed. With z_t the logits at answer token t, h_t the
head's input and y_t the right token, the gradient at the logits is d_t = softmax(z_t) - onehot(y_t)
and that of the head's weight sum_t d_t h_t'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datadose.models import BaseModel, Encoded, autocast, pad

# values of logits held at once; a row by itself may take more
LOGITS = 2**23
WORTH_SHARING = 8


@dataclass(frozen=True)
class Batch:
    """B rows padded to the right, each without its last token, which predicts nothing.

    ids, mask: [B, T]. spots [n]: where in the flattened batch answer tokens are predicted, in row
    order. targets [n]: those tokens. counts [B]: answer tokens of each row. shared: how many
    tokens all rows begin with alike, before any that predicts an answer token.
    """

    ids: Any
    mask: Any
    spots: Any
    targets: Any
    counts: tuple[int, ...]
    shared: int


def lay_out(base: BaseModel, encoded: Sequence[Encoded]) -> Batch:
    """The batch of some rows on the base's device."""
    import torch

    ids, mask = pad([e.ids[:-1] for e in encoded], base.pad_id, base.device)
    width = ids.shape[1]
    spots = [
        place
        for i, e in enumerate(encoded)
        for place in range(i * width + e.start - 1, i * width + len(e.ids) - 1)
    ]
    targets = [token for e in encoded for token in e.ids[e.start :]]
    alike = 0
    if len(encoded) > 1:
        for column in zip(*(e.ids for e in encoded), strict=False):
            if len(set(column)) > 1:
                break
            alike += 1
    return Batch(
        ids,
        mask,
        torch.tensor(spots, device=base.device),
        torch.tensor(targets, device=base.device),
        tuple(e.trained for e in encoded),
        min(alike, min(e.start for e in encoded) - 1),
    )


def causal(base: BaseModel) -> bool:
    """Whether no token sees a later one; transformers can turn a decoder into an encoder."""
    return bool(getattr(base.model.config.get_text_config(), "is_causal", True))


def worth_sharing(base: BaseModel, batch: Batch) -> int:
    """How many tokens at the start of all rows are worth computing once; 0 if too few.

    Also 0 in training, where dropout makes rows that begin alike differ.
    """
    if batch.shared < WORTH_SHARING or base.model.training or not causal(base):
        return 0
    return batch.shared


def states_of(base: BaseModel, batch: Batch, *, share: bool) -> Any:
    """The head's inputs at the batch's `spots`, [n, d].

    Rows are padded to the right, and what is causal never looks there: no mask is needed, which
    leaves attention its fastest way. With `share`, what all rows begin with is computed once, with
    no way back through it.
    """
    import torch
    from transformers import DynamicCache

    trunk = base.model.base_model
    mask = None if causal(base) else batch.mask.long()
    cut = worth_sharing(base, batch) if share else 0
    with torch.set_grad_enabled(torch.is_grad_enabled() and not share), autocast(base):
        if cut:
            known = trunk(input_ids=batch.ids[:1, :cut], use_cache=True).past_key_values
            if type(known) is DynamicCache:
                known.batch_repeat_interleave(len(batch.counts))
                found = trunk(input_ids=batch.ids[:, cut:], past_key_values=known, use_cache=True)[
                    0
                ]
                rows = batch.spots // batch.ids.shape[1]
                return found.flatten(0, 1)[batch.spots - (rows + 1) * cut]
        found = trunk(input_ids=batch.ids, attention_mask=mask, use_cache=False)[0]
    return found.flatten(0, 1)[batch.spots]


def pieces(counts: Sequence[int], words: int) -> Iterator[tuple[int, int, int, int]]:
    """Whole rows whose logits fit in `LOGITS`: first and last row, first and last answer token."""
    row = token = 0
    while row < len(counts):
        end, size = row + 1, counts[row]
        while end < len(counts) and (size + counts[end]) * words <= LOGITS:
            size += counts[end]
            end += 1
        yield row, end, token, token + size
        row, token = end, token + size


def errors(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Losses (nats) [n] and the gradient at the logits d [n, V], from logits [n, V] and targets."""
    import torch

    logits = logits if logits.dtype == torch.float64 else logits.float()
    d = torch.log_softmax(logits, 1)
    losses = -d.gather(1, targets[:, None])[:, 0]
    d = d.exp_()
    d[torch.arange(len(targets), device=d.device), targets] -= 1
    return losses, d


def by_products(width: int, m: int, n: int) -> bool:
    """Whether T x T products of T = `width` tokens cost less than the m x n gradient itself."""
    return width * (m + n) <= m * n


def gram_norms(inputs: Any, grads: Any) -> Any:
    """|sum_t d_t a_t'|^2 of every sample, [B], from a [B, T, m] and d [B, T, n].

    By T x T products or by the gradients themselves, whichever takes fewer operations.
    """
    if by_products(inputs.shape[1], inputs.shape[2], grads.shape[2]):
        return ((inputs @ inputs.mT) * (grads @ grads.mT)).sum((1, 2)).double()
    return (grads.mT @ inputs).square().sum((1, 2)).double()


def packed_norms(inputs: Any, grads: Any, counts: Sequence[int]) -> Any:
    """|sum_t d_t a_t'|^2 of every row, [B], from a [n, m] and d [n, k], row after row."""
    import torch

    pairs = zip(inputs.split(counts), grads.split(counts), strict=True)
    return torch.cat([gram_norms(a[None], d[None]) for a, d in pairs])


def row_sums(values: Any, counts: Sequence[int]) -> Any:
    """Sums [B, ...] over each row's answer tokens of values [n, ...]."""
    import torch

    lengths = torch.tensor(counts, device=values.device)
    owner = torch.repeat_interleave(torch.arange(len(counts), device=values.device), lengths)
    start = torch.zeros((len(counts), *values.shape[1:]), device=values.device, dtype=values.dtype)
    return start.index_add_(0, owner, values)
