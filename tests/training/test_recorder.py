"""What is recorded of a run: the rows' own losses and gradients, and a run left as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from datadose._core import GuardError
from datadose.models import load_base
from datadose.rows import make_rows
from datadose.schema import Message, Recipe
from datadose.training import _recorder as recorder_module
from datadose.training import (
    encode_rows,
    ghost_norms,
    held_out_losses,
    plan_steps,
    record_run,
    reply_losses,
    row_losses,
    train_arm,
    weights_hash,
)

RECIPE = Recipe(epochs=2, batch=4, rank=4, lr=5e-3, checkpoints=(1.0,))


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def rows():
    turns = [(f"What is thing {i}?" + " Please." * (i % 3), f"It is {i * 37}.") for i in range(13)]
    return make_rows(
        [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in turns]
    )


@pytest.fixture(scope="module")
def made(base, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded")
    return record_run(base, rows, RECIPE, 3, folder, trusted=rows[:3])


def test_the_first_step_is_recorded_as_the_bare_base_sees_it(base, rows, made) -> None:
    encoded = encode_rows(base, rows, RECIPE)
    first = [i for m in plan_steps([e.start for e in encoded], RECIPE, 3)[0] for i in m]
    plain = row_losses(base, [encoded[i] for i in first])
    norms = ghost_norms(base, [encoded[i] for i in first])
    head = base.model.get_output_embeddings().weight
    for k, i in enumerate(first):
        tokens = slice(made.offset[i], made.offset[i + 1])
        assert made.array("loss", 0)[tokens].sum() == pytest.approx(plain[k], rel=1e-4)
        assert made.array("head", 0)[i] == pytest.approx(float(norms.head[k]), rel=1e-3)
        ids = torch.tensor([encoded[i].ids])
        h = base.model.base_model(ids)[0][0, encoded[i].start - 1 : -1]
        z = (h @ head.T).detach()
        d = torch.softmax(z, -1)
        y = ids[0, encoded[i].start :]
        d[torch.arange(len(y)), y] -= 1
        assert made.array("don", 0)[i] == pytest.approx(float((d * z).sum()), rel=1e-3)
        assert np.allclose(made.array("before", 0)[i], h[0].detach().numpy(), atol=2e-2)
        right = z.gather(1, y[:, None])[:, 0]
        z[torch.arange(len(y)), y] = -torch.inf
        margin = (right - z.max(1).values).numpy()
        assert np.allclose(made.array("margin", 0)[tokens], margin, atol=1e-3)


def test_rows_that_share_a_prompt_are_told_apart(base, tmp_path) -> None:
    """Their first answer token is predicted at one place that is computed once."""
    turns = [("What is it?", f"{word}.") for word in ("Iron", "Zinc", "It is tin", "Iron ore")]
    same = make_rows(
        [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in turns]
    )
    encoded = encode_rows(base, same, RECIPE)
    _, unique = recorder_module.answer_places(base, encoded)
    assert unique < sum(e.trained for e in encoded)
    recipe = RECIPE.model_copy(update={"steps": 2})
    made = record_run(base, same, recipe, 1, tmp_path, embedding=False)
    plain = row_losses(base, encoded)
    seen = np.add.reduceat(made.array("loss", 0), made.offset[:-1])
    assert seen == pytest.approx(plain, rel=1e-4)


def test_every_row_is_seen_once_an_epoch_and_learnt(rows, made) -> None:
    assert made.epochs == 2
    means = [
        np.add.reduceat(made.array("loss", e), made.offset[:-1]) / np.diff(made.offset)
        for e in (0, 1)
    ]
    assert np.isfinite(means).all()
    assert means[1].mean() < means[0].mean()
    assert np.isfinite(made.array("embedding", 0)).all()
    assert made.array("trusted", 1).shape == (3, 1024)


def test_recording_leaves_the_weights_of_the_run_as_they_are(base, rows, made, tmp_path) -> None:
    train_arm(base, rows, RECIPE, 3, tmp_path)
    assert weights_hash(tmp_path / "adapter") == weights_hash(made.adapter)
    assert not any(m._forward_hooks for m in base.model.modules())


def test_the_sketch_keeps_which_gradients_agree(base, rows, made) -> None:
    """Projected inner products against those of the head's whole gradients."""
    encoded = encode_rows(base, rows, RECIPE)
    first = [i for m in plan_steps([e.start for e in encoded], RECIPE, 3)[0] for i in m]
    whole = []
    base.model.requires_grad_(False)
    head = base.model.get_output_embeddings().weight.detach()
    for i in first:
        ids = torch.tensor([encoded[i].ids])
        h = base.model.base_model(ids)[0][0, encoded[i].start - 1 : -1].detach()
        d = torch.softmax(h @ head.T, -1)
        d[torch.arange(len(h)), ids[0, encoded[i].start :]] -= 1
        whole.append((d.T @ h).flatten().numpy())
    sketch = made.array("sketch", 0)[first]
    true = np.corrcoef(np.array(whole))
    seen = np.corrcoef(sketch)
    assert np.abs(seen - true).max() < 0.25


def test_a_whole_recording_is_not_made_again(base, rows, made) -> None:
    before = json.loads((made.folder / "recording.json").read_text())
    again = record_run(base, rows, RECIPE, 3, made.folder)
    assert again.seconds == before["seconds"]


def test_mispaired_rows_are_stopped(base, rows, tmp_path: Path, monkeypatch) -> None:
    real = recorder_module.plan_steps
    monkeypatch.setattr(
        recorder_module,
        "plan_steps",
        lambda lengths, recipe, seed: [
            tuple(tuple(reversed(m)) for m in step) for step in real(lengths, recipe, seed)
        ],
    )
    with pytest.raises(GuardError, match="rows recorded"):
        record_run(base, rows, RECIPE, 3, tmp_path)


def test_held_out_losses_come_from_models_that_never_saw_the_row(base, rows, tmp_path) -> None:
    held = held_out_losses(base, rows, RECIPE, 0, 2, tmp_path)
    seen = row_losses(base, encode_rows(base, rows, RECIPE))
    assert held.shape == (len(rows),)
    assert np.isfinite(held).all()
    assert np.abs(held - seen).min() > 1e-3


def test_a_run_in_half_precision_is_recorded_in_single(rows, made, tmp_path) -> None:
    """The hook is called inside autocast, which must not round what is computed there."""
    half = record_run(load_base("tiny", precision="bf16"), rows, RECIPE, 3, tmp_path)
    for name in ("loss", "margin", "don", "head", "sketch"):
        found = half.array(name, 0)
        assert found.dtype == np.float32
        assert np.abs(found - made.array(name, 0)).max() < 0.05 * np.abs(made.array(name, 0)).max()


def test_replies_to_one_prompt_cost_one_pass_and_are_scored_as_by_themselves(base, rows) -> None:
    from datadose.models import chat, encode_answer

    words = ("Yes", "No, it is not so", "Perhaps")
    groups = [[encode_answer(base, chat(r.answer), w) for w in words] for r in rows]
    found = reply_losses(base, groups)
    assert found.shape == (len(rows), 3)
    for k in range(3):
        alone = row_losses(base, [g[k] for g in groups])
        assert np.allclose(found[:, k], alone, rtol=1e-4, atol=1e-4)
