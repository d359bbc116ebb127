"""Training that goes on from an adapter, with another set of rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from datadose._core import GuardError
from datadose.models import load_base
from datadose.rows import make_rows
from datadose.schema import Message, Recipe
from datadose.training import train_arm


def test_training_goes_on_from_an_adapter_of_the_same_shape(tmp_path: Path) -> None:
    base = load_base("tiny")
    rows = make_rows(
        [(Message(role="user", content=f"{i}?"), Message(role="assistant", content=f"It is {i}."))
         for i in range(8)]
    )  # fmt: skip
    recipe = Recipe(lr=5e-3, batch=4, steps=4, checkpoints=(1.0,))
    train_arm(base, rows, recipe, 0, tmp_path / "first")
    start = tmp_path / "first" / "adapter"
    small = recipe.model_copy(update={"lr": 1e-5, "steps": 1})
    train_arm(base, rows, small, 0, tmp_path / "on", start=start)
    before, after = (
        load_file(p / "adapter_model.safetensors") for p in (start, tmp_path / "on" / "adapter")
    )
    moved = [float((before[n] - after[n]).abs().max()) for n in before]
    assert 0 < max(moved) < 1e-4
    # a new adapter begins elsewhere
    train_arm(base, rows, small, 0, tmp_path / "fresh")
    fresh = load_file(tmp_path / "fresh" / "adapter" / "adapter_model.safetensors")
    assert max(float((before[n] - fresh[n]).abs().max()) for n in before) > 1e-3
    other = small.model_copy(update={"rank": 8})
    with pytest.raises(GuardError, match="same rank and targets"):
        train_arm(base, rows, other, 0, tmp_path / "other", start=start)
