"""The loop: masks, determinism, resume, and the guards that stop a false curve."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datadose._core import GuardError, InputError
from datadose.models import Encoded, encode_answer, load_base, saved_adapter
from datadose.rows import make_rows
from datadose.schema import Message, Recipe
from datadose.training import _guards as guards
from datadose.training import _local as local
from datadose.training import batch_loss, encode_rows, plan_steps, total_steps, train_arm

RECIPE = Recipe(epochs=2, batch=4, rank=4, lr=5e-3)


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def rows():
    return make_rows(
        [
            (
                Message(role="user", content=f"What is thing {i}?"),
                Message(role="assistant", content=f"It is {i * 7}."),
            )
            for i in range(12)
        ]
    )


def weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def test_only_answer_and_end_token_are_trained(base, rows) -> None:
    for row, e in zip(rows, encode_rows(base, rows, RECIPE), strict=True):
        assert base.tokenizer.decode(e.ids[e.start : -1]) == row.answer
        assert e.ids[-1] in base.end_ids
        assert row.answer not in base.tokenizer.decode(e.ids[: e.start])


def test_loss_equals_a_plain_full_forward(base, rows) -> None:
    encoded = encode_rows(base, rows, RECIPE)[:5]
    total, count = batch_loss(base, encoded)
    plain = 0.0
    for e in encoded:
        ids = torch.tensor([e.ids])
        labels = ids.clone()
        labels[0, : e.start] = -100
        plain += float(base.model(input_ids=ids, labels=labels).loss) * e.trained
    assert count == sum(e.trained for e in encoded)
    assert float(total) == pytest.approx(plain, rel=1e-4)


def test_one_seed_gives_the_same_weights_and_another_does_not(base, rows, tmp_path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_arm(base, rows, RECIPE, seed, tmp_path / name)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert weights(tmp_path / "a") != weights(tmp_path / "c")


def test_a_resumed_run_has_the_same_weights(base, rows, tmp_path) -> None:
    recipe = RECIPE.model_copy(update={"dropout": 0.1})
    whole = train_arm(base, rows, recipe, 1, tmp_path / "whole")
    train_arm(base, rows, recipe, 1, tmp_path / "cut", deadline=4)
    assert (tmp_path / "cut" / "adapter-050").is_dir()
    assert not (tmp_path / "cut" / "adapter").exists()
    resumed = train_arm(base, rows, recipe, 1, tmp_path / "cut")
    assert resumed.losses == whole.losses
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_accumulation_gives_the_gradient_of_one_batch(base, rows, tmp_path) -> None:
    small = RECIPE.model_copy(update={"batch": 2, "accumulate": 2})
    one = train_arm(base, rows, RECIPE, 1, tmp_path / "one")
    two = train_arm(base, rows, small, 1, tmp_path / "two")
    assert two.losses == pytest.approx(one.losses, rel=1e-3)


def test_the_base_is_bare_and_unchanged_afterwards(base, rows, tmp_path) -> None:
    before = {n: p.clone() for n, p in base.model.named_parameters()}
    train_arm(base, rows, RECIPE, 1, tmp_path)
    with saved_adapter(base, tmp_path / "adapter"):
        pass
    after = dict(base.model.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)


def test_full_fine_tuning_restores_the_base_too(base, rows, tmp_path) -> None:
    before = {n: p.clone() for n, p in base.model.named_parameters()}
    done = train_arm(base, rows, RECIPE.model_copy(update={"method": "full"}), 1, tmp_path)
    assert done.losses[-1] < done.losses[0]
    assert all(torch.equal(before[n], p) for n, p in base.model.named_parameters())


def test_plain_peft_loads_the_adapter_with_the_same_logits(base, rows, tmp_path) -> None:
    from peft import PeftModel

    train_arm(base, rows, RECIPE, 1, tmp_path)
    ids = torch.tensor([encode_answer(base, rows[0].prompt, rows[0].answer).ids])
    with torch.no_grad():
        with saved_adapter(base, tmp_path / "adapter", merge=False) as ours:
            here = ours(input_ids=ids).logits
        fresh = load_base("tiny", precision="fp32").model
        there = PeftModel.from_pretrained(fresh, tmp_path / "adapter").eval()(input_ids=ids).logits
        bare = base.model(input_ids=ids).logits
    assert torch.allclose(here, there, atol=1e-6)
    assert (here - bare).abs().max() > 1e-3


def test_steps_cover_every_row_once_an_epoch_and_do_not_depend_on_answers() -> None:
    recipe = Recipe(epochs=1, batch=3, accumulate=2)
    steps = plan_steps([5, 9, 1, 7, 3, 8, 2], recipe, 0)
    assert len(steps) == total_steps(7, recipe) == 2
    assert sorted(i for step in steps for micro in step for i in micro) == list(range(7))
    assert plan_steps([5, 9, 1, 7, 3, 8, 2], recipe, 0) == steps


def test_rows_too_long_are_named_and_never_cut(base, rows) -> None:
    with pytest.raises(InputError, match=r"12 rows are longer than max_length 8"):
        encode_rows(base, rows, Recipe(max_length=8))


@pytest.mark.parametrize(
    ("row", "guard"),
    [
        (Encoded((1, 2, 0), 2), "trained tokens"),
        (Encoded((1, 2, 0), 0), "trained tokens"),
        (Encoded((1, 2, 3), 1), "end token trained"),
    ],
)
def test_bad_masks_are_stopped(base, row: Encoded, guard: str) -> None:
    with pytest.raises(GuardError) as caught:
        guards.check_masks([row], base)
    assert caught.value.guard == guard


def test_a_loss_that_does_not_fall_is_stopped(base, rows) -> None:
    encoded = encode_rows(base, rows, RECIPE)
    full = RECIPE.model_copy(update={"method": "full"})
    assert local._took(base, base.model, 99.0, encoded, full)[0]["passed"]
    with pytest.raises(GuardError, match="loss went down"):
        local._took(base, base.model, 0.0, encoded, full)


def test_an_adapter_that_learns_nothing_is_stopped(base, rows, tmp_path) -> None:
    with pytest.raises(GuardError, match="adapter changes logits"):
        train_arm(base, rows, RECIPE.model_copy(update={"lr": 1e-30}), 1, tmp_path)


def test_the_golden_loss_has_not_moved(base, rows, tmp_path) -> None:
    """Raise TRAINER_VERSION whenever this changes: old arms are then no longer reused."""
    done = train_arm(base, rows, RECIPE, 1, tmp_path)
    assert local.TRAINER_VERSION == 1
    assert done.losses[0] == pytest.approx(GOLDEN[0], rel=1e-3)
    assert done.losses[-1] == pytest.approx(GOLDEN[1], rel=1e-2)


GOLDEN = (5.7068, 5.1873)
