"""What a head's inputs and outputs tell of every row: losses, margins, gradients, states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datadose.models import BaseModel, Encoded, autocast, pad

SKETCH = 32


@dataclass(frozen=True)
class Seen:
    """One pass over B rows with n answer tokens in all, T_i of them in row i; as CPU tensors.

    loss, margin: [n], nats; the right token's logit less the best other one. don: [B], the inner
    product of the head's weights with its gradient, sum_t (E_p z_t - z_t[y]) for a head without
    bias. head: [B], squared norm of the head's gradient. before: [B, d], the last hidden state
    at the last prompt token. sketch: [B, SKETCH * SKETCH], a random projection of the head's
    gradient from both sides. Gradients are those of a row's summed loss.
    """

    loss: Any
    margin: Any
    don: Any
    head: Any
    before: Any
    sketch: Any


class Sketcher:
    """Two fixed random matrices, drawn from a seed of their own, that project head gradients."""

    def __init__(self, words: int, width: int, device: str) -> None:
        import torch

        draw = torch.Generator().manual_seed(20260131)
        signs = torch.randint(0, 2, (words, SKETCH), generator=draw).float() * 2 - 1
        self.left = (signs / SKETCH**0.5).to(device)
        self.right = (torch.randn(width, SKETCH, generator=draw) / SKETCH**0.5).to(device)


def look(hidden: Any, logits: Any, counts: Sequence[int], targets: Any, sketcher: Sketcher) -> Seen:
    """Reads hidden [n, d] and logits [n, V] of rows with `counts` answer tokens each.

    The head's gradient is sum_t d_t h_t' with d_t = softmax(z_t) - onehot(y_t), so no backward
    pass is needed; its norm comes from the n x n products of d and of h.
    """
    import torch

    device = logits.device
    # called inside a forward pass, whose autocast would round products and give bf16 arrays
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        z, h = logits.detach().float(), hidden.detach().float()
        lengths = torch.tensor(counts, device=device)
        owner = torch.repeat_interleave(torch.arange(len(counts), device=device), lengths)
        right = z.gather(1, targets[:, None])[:, 0]
        top = z.topk(2, dim=1)
        best = torch.where(top.indices[:, 0] == targets, top.values[:, 1], top.values[:, 0])
        d = torch.softmax(z, dim=1)
        soft = torch.einsum("nv,nv->n", d, z) - right
        d[torch.arange(len(targets), device=device), targets] -= 1
        same = owner[:, None] == owner[None, :]
        pairs = (d @ d.T) * (h @ h.T) * same
        outer = (d @ sketcher.left)[:, :, None] * (h @ sketcher.right)[:, None, :]
        rows = len(counts)

        def summed(values: Any) -> Any:
            start = torch.zeros((rows, *values.shape[1:]), device=device, dtype=values.dtype)
            return start.index_add_(0, owner, values)

        first = torch.cumsum(lengths, 0) - lengths
        return Seen(
            loss=(torch.logsumexp(z, dim=1) - right).cpu(),
            margin=(right - best).cpu(),
            don=summed(soft).cpu(),
            head=summed(pairs.sum(1)).clamp_min(0).cpu(),
            before=h[first].cpu(),
            sketch=summed(outer.flatten(1)).cpu(),
        )


def look_at_rows(base: BaseModel, encoded: Sequence[Encoded], sketcher: Sketcher) -> Seen:
    """One forward pass over a batch of rows and what its head tells of them."""
    import torch

    ids, mask = pad([e.ids for e in encoded], base.pad_id, base.device)
    where = torch.zeros_like(mask)
    for i, e in enumerate(encoded):
        where[i, e.start - 1 : len(e.ids) - 1] = True
    targets = torch.cat([ids[i, e.start : len(e.ids)] for i, e in enumerate(encoded)])
    with torch.no_grad(), autocast(base):
        states = base.model.base_model(input_ids=ids, attention_mask=mask.long(), use_cache=False)
        hidden = states[0][where]
        logits = base.model.get_output_embeddings()(hidden)
    return look(hidden, logits, [e.trained for e in encoded], targets, sketcher)


def by_length(encoded: Sequence[Encoded], tokens: int = 1024) -> list[list[int]]:
    """Places of rows in batches of at most `tokens` padded tokens, short rows first."""
    batches: list[list[int]] = []
    width = 0
    for i in sorted(range(len(encoded)), key=lambda i: (len(encoded[i].ids), i)):
        width = len(encoded[i].ids)
        if not batches or width * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(i)
    return batches
