"""Tuned weights on a base that stays loaded: LoRA or all of them, put on and taken off."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadose._core import GuardError, InputError
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
    """The base with a new LoRA adapter on it, drawn from `seed`; the base is bare again after.

    Raises InputError where the recipe's targets name no module of the base.
    """
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
    try:
        with _quiet():
            wrapped = get_peft_model(base.model, config)
    except ValueError as error:
        if not recipe.targets:
            raise
        raise InputError(
            f"no module of {base.name} fits the targets {', '.join(recipe.targets)}",
            where="train.targets",
            next_step="name linear modules such as q_proj, or leave targets out for all of them",
        ) from error
    try:
        yield wrapped
    finally:
        _take_off(base, wrapped)


def load_adapter(module: Any, folder: Path) -> None:
    """Put the weights of the LoRA adapter in `folder` into the one that `module` bears.

    Raises GuardError where they are not the same weights by name and shape.
    """
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    file = folder / "adapter_model.safetensors"
    found = load_file(file) if file.is_file() else {}
    own = get_peft_model_state_dict(module) if hasattr(module, "peft_config") else {}
    shapes = {name: tuple(p.shape) for name, p in own.items()}
    if not found or shapes != {name: tuple(p.shape) for name, p in found.items()}:
        raise GuardError(
            "adapter to go on from",
            "it is no adapter of the same rank and targets",
            where=str(folder),
            next_step="take the adapter of a run with the same model and recipe",
        )
    with torch.no_grad():
        for name, p in own.items():
            p.copy_(found[name])


@contextlib.contextmanager
def saved_adapter(base: BaseModel, folder: Path, *, merge: bool = True) -> Iterator[Any]:
    """The base with the checkpoint in `folder` on it; bit for bit the bare base on leaving.

    An adapter is merged into the base's weights if `merge`, and these are put back from a copy,
    not by subtraction. A full fine-tune stands in their place, whatever `merge` says. Raises
    GuardError where the checkpoint is not one of this base.
    """
    if not (folder / "adapter_config.json").is_file():
        with _saved_full(base, folder):
            yield base.model
        return
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


@contextlib.contextmanager
def _saved_full(base: BaseModel, folder: Path) -> Iterator[None]:
    from safetensors.torch import load_file

    found: dict[str, Any] = {}
    for file in sorted(folder.glob("model*.safetensors")):
        found |= load_file(file, device=base.device)
    own = dict(base.model.named_parameters())
    shapes = {name: tuple(p.shape) for name, p in base.model.state_dict().items()}
    odd = sorted(own.keys() - found.keys())
    odd += [name for name, value in found.items() if shapes.get(name) != tuple(value.shape)]
    if odd:
        raise GuardError(
            "adapter at test",
            f"{len(odd)} weights are not those of {base.name}: {', '.join(odd[:3])}",
            where=str(folder),
            next_step="delete this arm's folder and run again",
        )
    kept = {name: p.data for name, p in own.items()}
    try:
        for name, p in own.items():
            p.data = found[name].to(p.dtype)
        yield
    finally:
        for name, p in own.items():
            p.data = kept[name]


def _take_off(base: BaseModel, wrapped: Any) -> None:
    base.model = wrapped.unload()
    base.model.requires_grad_(False)
    base.model.eval()
    if hasattr(base.model, "peft_config"):
        del base.model.peft_config
