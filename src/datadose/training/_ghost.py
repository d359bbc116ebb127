"""Norms of per-sample gradients from one backward pass of the whole batch, never row by row.

For a linear layer with inputs a_t and output gradients d_t of one sample,
|sum_t d_t a_t'|^2 = sum_{t,s} (a_t . a_s)(d_t . d_s) (Goodfellow 2015; Li et al. 2022, "ghost
clipping"). Gradients of a sample are those of its loss *summed* over its answer tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from datadose._core import StageError
from datadose.models import BaseModel, Encoded, autocast
from datadose.training._alike import alike_once
from datadose.training._head import (
    Batch,
    by_products,
    errors,
    gram_norms,
    lay_out,
    packed_norms,
    pieces,
    row_sums,
    states_of,
    worth_sharing,
)

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
    """What hooks add up while gradients pass, and where graphs begin."""

    inner: Any = 0
    table: Any = None
    layers: set[int] = field(default_factory=set)
    inputs: dict[int, _Input] = field(default_factory=dict)
    roots: list[Any] = field(default_factory=list)


@dataclass
class _Input:
    """The input [B, T, m] of one or several layers, and its T x T products once one needs them.

    Held from the forward pass until the last of its `users` has had its gradient.
    """

    values: Any
    users: int = 0
    products: Any = None

    def gram(self) -> Any:
        if self.products is None:
            wide = self.values.to(_wide(self.values))
            self.products = wide @ wide.mT
        return self.products


def embedding_norms(ids: Any, grads: Any) -> Any:
    """sum_{t,s} [x_t = x_s] d_t . d_s of every sample, [B], from ids [B, T], d [B, T, n]."""
    same = ids[:, :, None] == ids[:, None, :]
    return ((grads @ grads.mT) * same).sum((1, 2)).double()


def tied_cross(picked: Any, hidden: Any, grads: Any, counts: Sequence[int]) -> Any:
    """2 sum_{t,s} d_t[x_s] (h_t . e_s) of every sample, [B]: what tying adds.

    picked [n, T] = d_t[x_s], the head's output gradients at the row's own input tokens; h = hidden
    [n, m] into the head; e = grads [B, T, m] at the embedding's output.
    """
    import torch

    rows = zip(picked.split(counts), hidden.split(counts), grads, strict=True)
    return torch.stack([2 * (p * (h @ e.mT)).sum().double() for p, h, e in rows])


def ghost_norms(base: BaseModel, encoded: Sequence[Encoded], parts: Sequence[str] = PARTS) -> Norms:
    """Squared gradient norms of each row's summed answer loss, with respect to all weights.

    `parts` among head, embedding, inner. With `head` alone nothing is computed backward. What all
    rows begin with alike is computed once, forward. The logits of a batch are never held whole.
    Weights count whether they are frozen or not. Raises StageError for a layer with weights that is
    none of linear, embedding, RMS or layer norm, or that runs more than once in a pass.
    """
    import torch

    model = base.model
    trunk, head = model.base_model, model.get_output_embeddings()
    table = model.get_input_embeddings()
    backward = EMBEDDING in parts or INNER in parts
    crossing = EMBEDDING in parts and HEAD in parts and head.weight is table.weight
    batch = lay_out(base, encoded)
    layers = [m for n, m in trunk.named_modules() if INNER in parts and _owns(m) and m is not table]
    seen = _Seen()
    with _watched(seen, layers, table, backward):
        cut = worth_sharing(base, batch) if backward else 0
        with torch.set_grad_enabled(backward), alike_once(list(trunk.modules()), cut):
            hidden = states_of(base, batch, share=not backward)
        top = _through_head(base, hidden.detach(), batch, HEAD in parts, backward, crossing)
        if backward:
            # towards the embeddings' outputs only: no weight's gradient is ever formed
            torch.autograd.grad(hidden, seen.roots, top.back)
    with torch.no_grad():
        zero = torch.zeros(len(encoded), dtype=torch.float64, device=batch.ids.device)
        low = crossed = zero
        if EMBEDDING in parts:
            e = _looked_up(table, batch.ids, seen.table.to(_wide(seen.table)))
            low = embedding_norms(batch.ids, e)
            if crossing:
                h = hidden.detach().to(e.dtype)
                crossed = tied_cross(top.picked, h, e, batch.counts)
    return Norms(top.loss, top.norm, low, crossed, zero + seen.inner)


@dataclass(frozen=True)
class _Top:
    """loss, norm [B]; back [n, d], the gradient at the head's input; picked [n, T], see above."""

    loss: Any
    norm: Any
    back: Any
    picked: Any


def _through_head(
    base: BaseModel, hidden: Any, batch: Batch, norms: bool, backward: bool, crossing: bool
) -> _Top:
    """Forward and backward through the head alone, in pieces of whole rows."""
    import torch

    head = base.model.get_output_embeddings()
    loss, norm, back, picked = [], [], [], []
    for row, row_end, at, end in pieces(
        batch.counts, base.model.config.get_text_config().vocab_size
    ):
        counts = batch.counts[row:row_end]
        with torch.set_grad_enabled(backward), autocast(base):
            leaf = hidden[at:end].requires_grad_(backward)
            logits = head(leaf)
        with torch.no_grad():
            losses, d = errors(logits.detach(), batch.targets[at:end])
            loss.append(row_sums(losses, counts).double())
            if norms:
                norm.append(packed_norms(leaf.detach().to(d.dtype), d, counts))
                if getattr(head, "bias", None) is not None:
                    norm[-1] = norm[-1] + row_sums(d, counts).square().sum(1).double()
            if crossing:
                owner = batch.spots[at:end] // batch.ids.shape[1]
                picked.append(d.gather(1, batch.ids[owner]))
        if backward:
            back += torch.autograd.grad(logits, leaf, d.to(logits.dtype))
    none = torch.zeros(len(batch.counts), dtype=torch.float64, device=batch.ids.device)
    return _Top(
        torch.cat(loss),
        torch.cat(norm) if norms else none,
        torch.cat(back) if backward else None,
        torch.cat(picked) if crossing else None,
    )


def _owns(module: Any) -> bool:
    return next(module.parameters(recurse=False), None) is not None


def _wide(values: Any) -> Any:
    import torch

    return torch.promote_types(values.dtype, torch.float32)


@contextmanager
def _watched(seen: _Seen, layers: Sequence[Any], table: Any, backward: bool) -> Iterator[None]:
    """Hooks that add up each layer's norm as the gradient of its output passes; off on leaving."""
    import torch

    def keep(layer: Any, given: Any, out: Any) -> Any:
        if id(layer) in seen.layers:
            raise StageError(f"a layer runs twice in a pass: {type(layer).__name__}")
        seen.layers.add(id(layer))
        if isinstance(layer, torch.nn.Embedding):
            out = out.detach().requires_grad_()
            seen.roots.append(out)
        if layer is table:
            out.register_hook(lambda grad: setattr(seen, "table", grad))
            return out
        norm = _identity(layer)
        # held whole, since a freed tensor's id may be given to the next one
        source = seen.inputs.setdefault(id(given[0]), _Input(given[0]))
        source.users += 1

        def add(grad: Any) -> None:
            with torch.no_grad():
                seen.inner = seen.inner + norm(source, grad.to(_wide(grad)))
            source.users -= 1
            if not source.users:
                source.values = source.products = None

        out.register_hook(add)
        return out

    hooks = [layer.register_forward_hook(keep) for layer in (*layers, table) if backward]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _looked_up(table: Any, ids: Any, grads: Any) -> Any:
    """Gradients at an embedding's output that reach its weights: none at `padding_idx`.

    Many models pad with the token that ends a turn, so that it occurs within rows as well.
    """
    if table.padding_idx is None:
        return grads
    return grads * (ids != table.padding_idx)[:, :, None]


def _identity(layer: Any) -> Callable[[_Input, Any], Any]:
    """How a layer's input and the gradient [B, T, n] at its output give its own norm, [B]."""
    import torch

    if isinstance(layer, torch.nn.Linear):
        return lambda source, grads: _linear(layer, source, grads)
    name = type(layer).__name__
    if name.endswith("RMSNorm"):
        eps = getattr(layer, "variance_epsilon", getattr(layer, "eps", None))
        if eps is not None and layer.weight.dim() == 1:
            return lambda source, grads: _rms_norm(eps, source, grads)
    if isinstance(layer, torch.nn.LayerNorm):
        return lambda source, grads: _layer_norm(layer, source, grads)
    if isinstance(layer, torch.nn.Embedding):
        return lambda source, grads: _embedding(layer, source, grads)
    raise StageError(
        f"no gradient identity is known for a layer of kind {name}",
        next_step="leave out `inner`: head and embedding norms need none",
    )


def _linear(layer: Any, source: _Input, grads: Any) -> Any:
    width, m, n = grads.shape[1], source.values.shape[2], grads.shape[2]
    if by_products(width, m, n):
        found = (source.gram() * (grads @ grads.mT)).sum((1, 2)).double()
    else:
        found = gram_norms(source.values.to(grads.dtype), grads)
    if layer.bias is not None:
        found = found + grads.sum(1).square().sum(1).double()
    return found


def _rms_norm(eps: float, source: _Input, grads: Any) -> Any:
    import torch

    given = source.values.to(grads.dtype)
    scaled = torch.nn.functional.rms_norm(given, given.shape[-1:], eps=eps)
    return (grads * scaled).sum(1).square().sum(1).double()


def _layer_norm(layer: Any, source: _Input, grads: Any) -> Any:
    import torch

    given = source.values.to(grads.dtype)
    plain = torch.nn.functional.layer_norm(given, layer.normalized_shape, eps=layer.eps)
    found = (grads * plain).sum(1).square().sum(1).double()
    if layer.bias is not None:
        found = found + grads.sum(1).square().sum(1).double()
    return found


def _embedding(layer: Any, source: _Input, grads: Any) -> Any:
    spots = source.values.expand(grads.shape[0], -1)
    return embedding_norms(spots, _looked_up(layer, spots, grads))
