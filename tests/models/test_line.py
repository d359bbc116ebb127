"""The line between two adapters: its ends are the adapters, its middle is the mean change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datadose._core import InputError
from datadose.models import fresh_adapter, interpolated_adapter, load_base, saved_adapter
from datadose.schema import Recipe


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def save(base, folder: Path, seed: int, **recipe: object) -> Path:
    with fresh_adapter(base, Recipe(rank=2, **recipe), seed) as model:
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(seed))
        model.save_pretrained(folder)
    return folder


def weights(base, folder: Path) -> dict[str, torch.Tensor]:
    with saved_adapter(base, folder) as model:
        return {
            name: module.base_layer.weight.detach().clone()
            for name, module in model.named_modules()
            if hasattr(module, "lora_A") and hasattr(module, "base_layer")
        }


def test_the_line_runs_through_both_ends_and_the_mean(base, tmp_path) -> None:
    clean = save(base, tmp_path / "clean", 0)
    wrong = save(base, tmp_path / "wrong", 1, alpha=8.0, rslora=True)
    a, b = weights(base, clean), weights(base, wrong)
    assert a
    for share in (0.0, 0.25, 1.0):
        found = weights(base, interpolated_adapter(clean, wrong, share, tmp_path / f"t{share}"))
        for name, value in found.items():
            torch.testing.assert_close(value, (1 - share) * a[name] + share * b[name])
    some = next(iter(a))
    assert not torch.allclose(a[some], b[some])


def test_what_is_no_pair_of_adapters_is_told(base, tmp_path) -> None:
    clean = save(base, tmp_path / "clean", 0)
    other = save(base, tmp_path / "other", 1, targets=("q_proj",))
    with pytest.raises(InputError, match="other modules"):
        interpolated_adapter(clean, other, 0.5, tmp_path / "out")
    with pytest.raises(InputError, match="no adapter is there"):
        interpolated_adapter(clean, tmp_path / "absent", 0.5, tmp_path / "out")
    with pytest.raises(InputError, match="not between 0 and 1"):
        interpolated_adapter(clean, clean, 1.5, tmp_path / "out")
    config = clean / "adapter_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "use_dora": True}))
    with pytest.raises(InputError, match="no plain LoRA"):
        interpolated_adapter(clean, clean, 0.5, tmp_path / "out")
