"""What a head's inputs and outputs tell of every row: losses, margins, gradients, states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datadose.models import BaseModel, Encoded, autocast
from datadose.training._head import errors, lay_out, packed_norms, row_sums, states_of

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
        h = hidden.detach().float()
        losses, d = errors(logits.detach(), targets)
        z = logits.detach().float()
        places = torch.arange(len(targets), device=device)
        right = z[places, targets]
        others = z.clone()
        others[places, targets] = -torch.inf
        best = others.max(1).values
        # d is softmax less one at the right token
        soft = torch.einsum("nv,nv->n", d, z)
        outer = (d @ sketcher.left)[:, :, None] * (h @ sketcher.right)[:, None, :]
        lengths = torch.tensor(counts)
        first = (torch.cumsum(lengths, 0) - lengths).to(z.device)
        return Seen(
            loss=losses.cpu(),
            margin=(right - best).cpu(),
            don=row_sums(soft, counts).cpu(),
            head=packed_norms(h, d, counts).float().clamp_min(0).cpu(),
            before=h[first].cpu(),
            sketch=row_sums(outer.flatten(1), counts).cpu(),
        )


def look_at_rows(base: BaseModel, encoded: Sequence[Encoded], sketcher: Sketcher) -> Seen:
    """One forward pass over a batch of rows and what its head tells of them."""
    import torch

    batch = lay_out(base, encoded)
    with torch.no_grad(), autocast(base):
        hidden = states_of(base, batch, share=True)
        logits = base.model.get_output_embeddings()(hidden)
    return look(hidden, logits, batch.counts, batch.targets, sketcher)


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
