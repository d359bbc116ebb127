"""Forward passes that compute logits only where they are needed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from datadose._core import StageError
from datadose.models._load import BaseModel


@contextlib.contextmanager
def autocast(base: BaseModel) -> Iterator[None]:
    """The autocast context of the base's precision.

    Where gradients are wanted on a processor, attention stays in fp32, whose way back is several
    times faster there; losses differ from those without gradients by what rounding it makes.
    """
    import torch

    kind = base.device.split(":")[0]
    half = base.precision == "bf16"
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=half):
        if half and kind == "cpu" and torch.is_grad_enabled():
            with _wide_attention()():
                yield
        else:
            yield


@functools.cache
def _wide_attention() -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    attention = torch.nn.functional.scaled_dot_product_attention

    class WideAttention(TorchFunctionMode):
        """Scaled dot-product attention in fp32, given and giving what it would in bf16."""

        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            if func is not attention or not torch.is_autocast_enabled("cpu"):
                return func(*args, **(kwargs or {}))
            given = [_widened(a) for a in args]
            named = {k: _widened(v) for k, v in (kwargs or {}).items()}
            with torch.autocast("cpu", enabled=False):
                return func(*given, **named).to(torch.bfloat16)

    return WideAttention


def _widened(value: Any) -> Any:
    import torch

    half = isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16
    return value.float() if half else value


@contextlib.contextmanager
def half_weights(base: BaseModel) -> Iterator[None]:
    """Frozen linear weights held in bf16 while the base runs in bf16 autocast.

    Autocast would round them to the same values in every forward pass; rounding them once is
    1.6 times as fast on two cores. The fp32 tensors themselves are put back on leaving.
    """
    import torch

    if base.precision != "bf16":
        yield
        return
    head = base.model.get_output_embeddings()
    kept = []
    for module in base.model.modules():
        if isinstance(module, torch.nn.Linear) and module is not head:
            weight = module.weight
            if not weight.requires_grad and weight.dtype == torch.float32:
                kept.append((weight, weight.data))
                weight.data = weight.data.to(torch.bfloat16)
    try:
        with _half_head(head):
            yield
    finally:
        for weight, data in kept:
            weight.data = data


@contextlib.contextmanager
def _half_head(head: Any) -> Iterator[None]:
    """A frozen output head that works with bf16 weights; its own may be the embedding's, too."""
    import torch

    plain = type(head) is torch.nn.Linear and "forward" not in vars(head)
    if not plain or head.weight.requires_grad or head.weight.dtype != torch.float32:
        yield
        return
    held = head.weight.detach().to(torch.bfloat16)
    vars(head)["forward"] = functools.partial(_rounded_head, held, head.bias)
    try:
        yield
    finally:
        del vars(head)["forward"]


def _rounded_head(weight: Any, bias: Any, x: Any) -> Any:
    import torch

    with torch.autocast(x.device.type, dtype=weight.dtype):
        return torch.nn.functional.linear(x, weight, bias)


def pad(rows: Sequence[Sequence[int]], fill: int, device: str) -> tuple[Any, Any]:
    """Right-padded ids, shape [B, T], and the mask of real positions, bool [B, T]."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), fill, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = True
    return ids.to(device), mask.to(device)


def logits_at(base: BaseModel, ids: Any, mask: Any, where: Any, positions: Any = None) -> Any:
    """Logits [n, V] in fp32 at the n true places of `where` [B, T], in row order.

    `mask` is bool, [B, T] for causal attention or [B, 1, T, T] where given in full; None is
    causal attention over all.
    """
    trunk, head = base.model.base_model, base.model.get_output_embeddings()
    if trunk is base.model or head is None:
        raise StageError("the model has no separate output head", where=base.name)
    with autocast(base):
        extra = {} if positions is None else {"position_ids": positions}
        mask = mask.long() if mask is not None and mask.dim() == 2 else mask
        hidden = trunk(input_ids=ids, attention_mask=mask, use_cache=False, **extra)[0]
        return head(hidden[where]).float()


def check_head(base: BaseModel) -> float:
    """Largest difference between our logits and the model's own on a short text.

    Models that scale or cap their logits after the head would be scored falsely: StageError.
    """
    import torch

    ids, mask = pad([list(range(5, 21))], base.pad_id, base.device)
    with torch.no_grad(), autocast(base):
        own = base.model(input_ids=ids, attention_mask=mask.long()).logits.float()[0]
        ours = logits_at(base, ids, mask, mask)
    gap = float((own - ours).abs().max())
    if gap > 1e-2 * max(1.0, float(own.abs().max())):
        raise StageError(
            f"its logits are changed after the output head (by {gap:.3g}): not supported yet",
            where=base.name,
            next_step="use a model without logit scaling or soft-capping",
        )
    return gap
