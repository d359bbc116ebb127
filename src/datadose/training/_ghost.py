"""Norms of per-sample gradients from one backward pass of the whole batch, never row by row.

For a linear layer with inputs a_t and output gradients d_t of one sample,
|sum_t d_t a_t'|^2 = sum_{t,s} (a_t . a_s)(d_t . d_s) (Goodfellow 2015; Li et al. 2022, "ghost
clipping"). Gradients of a sample are those of its loss *summed* over its answer tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from datadose._core import StageError
from datadose.models import BaseModel, Encoded, autocast, pad

HEAD, EMBEDDING, INNER = "head", "embedding", "inner"
PARTS = (HEAD, EMBEDDING, INNER)


@dataclass(frozen=True)
class Norms:
    """Squared gradient norms of a batch, each [B] in float64.

    `head` is the output head and `embedding` the input embedding, each by itself; `cross` is what
    their sum adds where they are one tied matrix (twice the inner product), else 0; `inner` is
    every other layer. `total` is the squared norm of the whole gradient over the parts asked for.
    """

    loss: Any
    head: Any
    embedding: Any
    cross: Any
    inner: Any

    @property
    def total(self) -> Any:
        return self.head + self.embedding + self.cross + self.inner


@dataclass
class _Seen:
    """What hooks saw: each layer's input, the gradient of its output, and where graphs begin."""

    inputs: list[tuple[Any, Any]] = field(default_factory=list)
    grads: dict[int, Any] = field(default_factory=dict)
    roots: list[Any] = field(default_factory=list)


def gram_norms(inputs: Any, grads: Any) -> Any:
    """|sum_t d_t a_t'|^2 of every sample, [B], from a [B, T, m] and d [B, T, n].

    By T x T products or by the gradients themselves, whichever takes fewer operations.
    """
    width, m, n = inputs.shape[1], inputs.shape[2], grads.shape[2]
    if width * (m + n) <= m * n:
        return ((inputs @ inputs.mT) * (grads @ grads.mT)).sum((1, 2)).double()
    return (grads.mT @ inputs).square().sum((1, 2)).double()


def embedding_norms(ids: Any, grads: Any) -> Any:
    """sum_{t,s} [x_t = x_s] d_t . d_s of every sample, [B], from ids [B, T], d [B, T, n]."""
    same = ids[:, :, None] == ids[:, None, :]
    return ((grads @ grads.mT) * same).sum((1, 2)).double()


def tied_cross(ids: Any, grads: Any, hidden: Any, head_grads: Any) -> Any:
    """2 sum_{t,s} d_t[x_s] (h_t . e_s) of every sample, [B]: what tying adds.

    ids [B, T], e = grads [B, T, m] at the embedding's output, h = hidden [B, A, m] into the head,
    d = head_grads [B, A, V] at its output.
    """
    picked = head_grads.gather(2, ids[:, None, :].expand(-1, head_grads.shape[1], -1))
    return 2 * (picked * (hidden @ grads.mT)).sum((1, 2)).double()


def ghost_norms(base: BaseModel, encoded: Sequence[Encoded], parts: Sequence[str] = PARTS) -> Norms:
    """Squared gradient norms of each row's summed answer loss, with respect to all weights.

    `parts` among head, embedding, inner. With `head` alone nothing is computed backward. Weights
    count whether they are frozen or not. Raises StageError for a layer with weights that is none
    of linear, embedding, RMS or layer norm, or that runs more than once in a pass.
    """
    import torch

    model = base.model
    trunk, head = model.base_model, model.get_output_embeddings()
    table = model.get_input_embeddings()
    tied = head.weight is table.weight
    backward = EMBEDDING in parts or INNER in parts
    ids, mask = pad([e.ids for e in encoded], base.pad_id, base.device)
    answers = max(e.trained for e in encoded)
    place = torch.zeros((len(encoded), answers), dtype=torch.long)
    real = torch.zeros((len(encoded), answers), dtype=torch.bool)
    for i, e in enumerate(encoded):
        place[i, : e.trained] = torch.arange(e.start - 1, len(e.ids) - 1)
        real[i, : e.trained] = True
    place, real = place.to(base.device), real.to(base.device)
    targets = ids.gather(1, place + 1)
    layers = [m for n, m in trunk.named_modules() if INNER in parts and _owns(m) and m is not table]
    seen = _Seen()
    with torch.set_grad_enabled(backward), autocast(base), _watched(seen, layers, table, backward):
        states = trunk(input_ids=ids, attention_mask=mask.long(), use_cache=False)[0]
        hidden = states.gather(1, place[:, :, None].expand(-1, -1, states.shape[2]))
        logits = head(hidden)
        logits = logits if logits.dtype == torch.float64 else logits.float()
        chosen = torch.log_softmax(logits, -1).gather(2, targets[:, :, None])[..., 0]
        loss = -(chosen * real).sum(1)
        if backward:
            # towards the embeddings' outputs only: no weight's gradient is ever formed
            torch.autograd.grad(loss.sum(), seen.roots)
    with torch.no_grad():
        zero = torch.zeros(len(encoded), dtype=torch.float64, device=ids.device)
        d = torch.softmax(logits.detach(), -1)
        d.scatter_add_(2, targets[:, :, None], -torch.ones_like(targets, dtype=d.dtype)[..., None])
        d *= real[:, :, None]
        h = hidden.detach().to(d.dtype)
        top = _linear(h, d, head) if HEAD in parts else zero
        low = crossed = inner = zero
        if EMBEDDING in parts:
            e = _looked_up(table, ids, seen.grads[id(table)].to(d.dtype))
            low = embedding_norms(ids, e)
            if tied and HEAD in parts:
                crossed = tied_cross(ids, e, h, d)
        for layer, given in seen.inputs:
            inner = inner + _layer(layer, given, seen.grads[id(layer)])
    return Norms(loss.detach().double(), top, low, crossed, inner)


def _owns(module: Any) -> bool:
    return next(module.parameters(recurse=False), None) is not None


@contextmanager
def _watched(seen: _Seen, layers: Sequence[Any], table: Any, backward: bool) -> Iterator[None]:
    """Hooks that keep each layer's input and the gradient at its output, taken off on leaving."""
    import torch

    def keep(layer: Any, given: Any, out: Any) -> Any:
        if any(layer is known for known, _ in seen.inputs):
            raise StageError(f"a layer runs twice in a pass: {type(layer).__name__}")
        if layer is not table:
            seen.inputs.append((layer, given[0].detach()))
        if isinstance(layer, torch.nn.Embedding):
            out = out.detach().requires_grad_()
            seen.roots.append(out)
        out.register_hook(lambda grad: seen.grads.__setitem__(id(layer), grad.detach()))
        return out

    hooks = [layer.register_forward_hook(keep) for layer in (*layers, table) if backward]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _linear(inputs: Any, grads: Any, layer: Any) -> Any:
    found = gram_norms(inputs, grads)
    if getattr(layer, "bias", None) is not None:
        found = found + grads.sum(1).square().sum(1).double()
    return found


def _looked_up(table: Any, ids: Any, grads: Any) -> Any:
    """Gradients at an embedding's output that reach its weights: none at `padding_idx`.

    Many models pad with the token that ends a turn, so that it occurs within rows as well.
    """
    if table.padding_idx is None:
        return grads
    return grads * (ids != table.padding_idx)[:, :, None]


def _layer(layer: Any, given: Any, grads: Any) -> Any:
    """Squared gradient norm of one layer's own weights, [B]."""
    import torch

    wide = torch.promote_types(grads.dtype, torch.float32)
    given, grads = given.to(wide), grads.to(wide)
    if isinstance(layer, torch.nn.Linear):
        return _linear(given, grads, layer)
    name = type(layer).__name__
    if name.endswith("RMSNorm"):
        eps = getattr(layer, "variance_epsilon", getattr(layer, "eps", None))
        if eps is not None and layer.weight.shape == given.shape[-1:]:
            scaled = given * torch.rsqrt(given.square().mean(-1, keepdim=True) + eps)
            return (grads * scaled).sum(1).square().sum(1).double()
    if isinstance(layer, torch.nn.LayerNorm):
        plain = torch.nn.functional.layer_norm(given, layer.normalized_shape, eps=layer.eps)
        found = (grads * plain).sum(1).square().sum(1).double()
        if layer.bias is not None:
            found = found + grads.sum(1).square().sum(1).double()
        return found
    if isinstance(layer, torch.nn.Embedding):
        spots = given.expand(grads.shape[0], -1)
        return embedding_norms(spots, _looked_up(layer, spots, grads))
    raise StageError(
        f"no gradient identity is known for a layer of kind {name}",
        next_step="leave out `inner`: head and embedding norms need none",
    )
