"""Linear layers that compute what all rows of a batch begin with alike once, not once a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any


@cache
def _function() -> Any:
    import torch

    class Alike(torch.autograd.Function):
        """x [B, T, m] to x W' + b [B, T, n], where x[:, :cut] is the same for every row.

        Backward every row has a gradient of its own, there too. Weights get none.
        """

        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, bias: Any, cut: int) -> Any:
            ctx.save_for_backward(weight)
            ctx.kind = x.dtype
            alike = torch.nn.functional.linear(x[0, :cut], weight, bias)
            # in one piece, or the weight would be copied for every row
            own = torch.nn.functional.linear(x[:, cut:].contiguous(), weight, bias)
            return torch.cat([alike.expand(len(x), -1, -1), own], 1)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            (weight,) = ctx.saved_tensors
            return (grads[0] @ weight.to(grads[0].dtype)).to(ctx.kind), None, None, None

    return Alike.apply


def _forward(layer: Any, cut: int, x: Any) -> Any:
    return _function()(x, layer.weight, layer.bias, cut)


@contextmanager
def alike_once(layers: Sequence[Any], cut: int) -> Iterator[None]:
    """Within, frozen linear layers among `layers` compute the first `cut` tokens for one row only.

    Equal to what they compute otherwise as long as all rows begin with the same `cut` tokens and
    no token sees a later one.
    """
    import torch

    changed = [
        layer
        for layer in layers
        if type(layer) is torch.nn.Linear and not any(p.requires_grad for p in layer.parameters())
    ]
    if not cut:
        yield
        return
    before = [vars(layer).get("forward") for layer in changed]
    for layer in changed:
        vars(layer)["forward"] = partial(_forward, layer, cut)
    try:
        yield
    finally:
        for layer, own in zip(changed, before, strict=True):
            if own is None:
                del vars(layer)["forward"]
            else:
                vars(layer)["forward"] = own
