"""The straight line between two adapters, as one adapter of both ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datadose._core import InputError, read_json, write_json

SAME = ("peft_type", "target_modules", "bias", "modules_to_save", "fan_in_fan_out")
PLAIN = ("use_dora", "rank_pattern", "alpha_pattern", "layers_to_transform", "layer_replication")


def interpolated_adapter(clean: Path, wrong: Path, share: float, folder: Path) -> Path:
    """Write the LoRA adapter (1 - share) x `clean` + share x `wrong` into `folder`.

    The products B A are mixed, not A and B apart: the rows of A and the columns of B of both are
    put side by side, so that the rank is the sum of both. share: 0 to 1. Raises InputError where
    the two don't tune the same modules, or are no plain LoRA adapters.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    if not 0 <= share <= 1:
        raise InputError(f"a share of {share:g} is not between 0 and 1")
    configs = [_config(p) for p in (clean, wrong)]
    parts = [load_file(p / "adapter_model.safetensors") for p in (clean, wrong)]
    odd = sorted(parts[0].keys() ^ parts[1].keys())
    differ = [k for k in SAME if _sorted(configs[0].get(k)) != _sorted(configs[1].get(k))]
    if odd or differ:
        raise InputError(
            f"the two adapters tune other modules: {', '.join([*differ, *odd][:3])}",
            where=f"{clean} and {wrong}",
            next_step="take two arms of one series",
        )
    weights = [w * _scaling(c) for w, c in zip((1.0 - share, share), configs, strict=True)]
    made: dict[str, Any] = {}
    for name in parts[0]:
        pair = [p[name].float() for p in parts]
        if "lora_A" in name:
            made[name] = torch.cat(pair, dim=0).contiguous()
        elif "lora_B" in name:
            scaled = [w * b for w, b in zip(weights, pair, strict=True)]
            made[name] = torch.cat(scaled, dim=1).contiguous()
        else:
            raise InputError(f"{name} is no LoRA matrix", where=str(clean))
    rank = sum(int(c["r"]) for c in configs)
    folder.mkdir(parents=True, exist_ok=True)
    # what says that an arm was trained on wrong data goes with it
    with safe_open(wrong / "adapter_model.safetensors", framework="pt") as file:
        marks = file.metadata() or {}
    save_file(made, folder / "adapter_model.safetensors", metadata=marks)
    own = {"r": rank, "lora_alpha": rank, "use_rslora": False, "lora_dropout": 0.0}
    write_json(folder / "adapter_config.json", {**configs[1], **own})
    return folder


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise InputError("no adapter is there", where=str(path), next_step="name an arm's adapter")
    found: dict[str, Any] = read_json(path)
    odd = [k for k in PLAIN if found.get(k)]
    if found.get("peft_type") != "LORA" or odd:
        raise InputError(
            f"is no plain LoRA adapter: {', '.join(odd) or found.get('peft_type')}",
            where=str(path),
        )
    return found


def _scaling(config: dict[str, Any]) -> float:
    rank = float(config["r"])
    return float(config["lora_alpha"]) / (rank**0.5 if config.get("use_rslora") else rank)


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
