"""LoRA adapters on a base that stays loaded: put on, train, save, load, take off."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadose._core import GuardError
from datadose.models._load import BaseModel
from datadose.schema import Recipe


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Peft asks transformers for a property that is going away; not the user's to mend."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


@contextlib.contextmanager
def fresh_adapter(base: BaseModel, recipe: Recipe, seed: int) -> Iterator[Any]:
    """The base with a new LoRA adapter on it, drawn from `seed`; the base is bare again after."""
    import torch
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        use_rslora=recipe.rslora,
        target_modules=list(recipe.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    with _quiet():
        wrapped = get_peft_model(base.model, config)
    try:
        yield wrapped
    finally:
        _take_off(base, wrapped)


@contextlib.contextmanager
def saved_adapter(base: BaseModel, folder: Path, *, merge: bool = True) -> Iterator[Any]:
    """The base with the adapter saved in `folder`, merged into its weights if `merge`.

    Merged weights are put back bit for bit on leaving, from a copy, not by subtraction.
    """
    from peft import PeftModel

    with _quiet():
        wrapped = PeftModel.from_pretrained(base.model, folder, is_trainable=False)
    wrapped.eval()
    kept: dict[str, Any] = {}
    try:
        if merge:
            for name, module in wrapped.named_modules():
                if hasattr(module, "lora_A") and hasattr(module, "base_layer"):
                    kept[name] = module.base_layer.weight.detach().clone()
            if not kept:
                raise GuardError(
                    "adapter changes logits", "it targets no module", where=str(folder)
                )
            wrapped.merge_adapter()
        yield wrapped
    finally:
        if kept:
            wrapped.unmerge_adapter()
            for name, module in wrapped.named_modules():
                if name in kept:
                    module.base_layer.weight.data.copy_(kept[name])
        _take_off(base, wrapped)


def _take_off(base: BaseModel, wrapped: Any) -> None:
    base.model = wrapped.unload()
    base.model.requires_grad_(False)
    base.model.eval()
    if hasattr(base.model, "peft_config"):
        del base.model.peft_config
