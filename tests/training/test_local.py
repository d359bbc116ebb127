"""The loop: masks, determinism, resume, and the guards that stop a false curve."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datadose._core import GuardError, InputError, StageError
from datadose.models import Encoded, encode_answer, load_base, saved_adapter
from datadose.rows import make_rows
from datadose.schema import Message, Recipe
from datadose.training import _guards as guards
from datadose.training import _local as local
from datadose.training import batch_loss, encode_rows, plan_steps, total_steps, train_arm

RECIPE = Recipe(epochs=2, batch=4, rank=4, lr=5e-3)
FULL = RECIPE.model_copy(update={"method": "full"})


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
    (file,) = (folder / "adapter").glob("*model.safetensors")
    return file.read_bytes()


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


@pytest.mark.parametrize(
    "change", [{"dropout": 0.1}, {"method": "full"}, {"method": "full", "accumulate": 2}]
)
def test_a_resumed_run_has_the_same_weights(base, rows, tmp_path, change) -> None:
    recipe = RECIPE.model_copy(update={**change, "epochs": 4})
    whole = train_arm(base, rows, recipe, 1, tmp_path / "whole")
    cut = whole.steps // 2 + 1
    train_arm(base, rows, recipe, 1, tmp_path / "cut", deadline=cut)
    assert (tmp_path / "cut" / "adapter-050").is_dir()
    assert not (tmp_path / "cut" / "adapter").exists()
    done: list[int] = []
    resumed = train_arm(
        base, rows, recipe, 1, tmp_path / "cut", on_event=lambda e: done.append(e["step"])
    )
    assert done[0] == whole.steps // 2 + 1
    assert resumed.losses == whole.losses
    assert resumed.guards == whole.guards
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_only_the_furthest_checkpoint_keeps_what_resuming_needs(base, rows, tmp_path) -> None:
    train_arm(base, rows, RECIPE, 1, tmp_path)
    assert [p.parent.name for p in tmp_path.rglob(local.OPTIMISER)] == ["adapter"]
    assert len(list(tmp_path.rglob("adapter_model.safetensors"))) == 3


def test_checkpoints_that_fall_on_one_step_are_all_there(base, rows, tmp_path, monkeypatch) -> None:
    recipe = RECIPE.model_copy(update={"steps": 1})
    train_arm(base, rows[:4], recipe, 1, tmp_path / "whole")
    names = ["adapter", "adapter-025", "adapter-050"]
    assert sorted(p.name for p in (tmp_path / "whole").iterdir()) == names
    real = local._Run.save

    def cut_short(self, share: float, step: int) -> None:
        if share == 1:
            raise KeyboardInterrupt
        real(self, share, step)

    with monkeypatch.context() as patch:
        patch.setattr(local._Run, "save", cut_short)
        with pytest.raises(KeyboardInterrupt):
            train_arm(base, rows[:4], recipe, 1, tmp_path / "cut")
    assert sorted(p.name for p in (tmp_path / "cut").iterdir()) == names[1:]
    train_arm(base, rows[:4], recipe, 1, tmp_path / "cut")
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


@pytest.mark.parametrize("rslora", [False, True])
def test_targets_and_rslora_reach_the_adapter(base, rows, tmp_path, rslora: bool) -> None:
    """rsLoRA divides alpha by the root of the rank, LoRA by the rank (Kalajdzievski 2023)."""
    recipe = RECIPE.model_copy(
        update={"targets": ("q_proj", "down_proj"), "rslora": rslora, "alpha": 6.0}
    )
    train_arm(base, rows, recipe, 1, tmp_path)
    with saved_adapter(base, tmp_path / "adapter", merge=False) as wrapped:
        tuned = {n: m for n, m in wrapped.named_modules() if hasattr(m, "lora_A")}
        assert {n.rpartition(".")[2] for n in tuned} == {"q_proj", "down_proj"}
        assert {m.scaling["default"] for m in tuned.values()} == {3.0 if rslora else 1.5}
    assert not any(hasattr(m, "lora_A") for m in base.model.modules())


def test_targets_that_fit_no_module_are_told(base, rows, tmp_path) -> None:
    recipe = RECIPE.model_copy(update={"targets": ("nonsense",)})
    with pytest.raises(InputError, match="fits the targets nonsense"):
        train_arm(base, rows, recipe, 1, tmp_path)
    train_arm(base, rows, RECIPE, 1, tmp_path)


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(
    base, rows, tmp_path, monkeypatch
) -> None:
    from safetensors import SafetensorError
    from safetensors import torch as tensors

    def full(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(tensors, "save_file", full)
    with pytest.raises(StageError, match="No space left") as caught:
        train_arm(base, rows, RECIPE, 1, tmp_path)
    assert "make room" in caught.value.next_step
    assert list(tmp_path.iterdir()) == []


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


def test_full_fine_tuning_puts_its_weights_on_and_takes_them_off(base, rows, tmp_path) -> None:
    from transformers import AutoModelForCausalLM

    before = {n: p.clone() for n, p in base.model.named_parameters()}
    done = train_arm(base, rows, FULL, 1, tmp_path)
    assert done.losses[-1] < done.losses[0]
    assert "adapter changes logits" in {g["guard"] for g in done.guards}
    ids = torch.tensor([encode_answer(base, rows[0].prompt, rows[0].answer).ids])
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float32).eval()
    with torch.no_grad():
        bare = base.model(input_ids=ids).logits
        with saved_adapter(base, tmp_path / "adapter") as tuned:
            here = tuned(input_ids=ids).logits
            assert not any(p.requires_grad for p in tuned.parameters())
        with saved_adapter(base, tmp_path / "adapter-025"):
            early = base.model(input_ids=ids).logits
        assert torch.equal(here, plain(input_ids=ids).logits)
        assert torch.equal(bare, base.model(input_ids=ids).logits)
    assert (here - bare).abs().max() > 1e-3
    assert (here - early).abs().max() > 1e-3
    after = dict(base.model.named_parameters())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[n], after[n]) for n in before)


def test_full_weights_are_taken_off_after_an_error_and_foreign_ones_refused(
    base, rows, tmp_path
) -> None:
    from safetensors.torch import load_file, save_file

    before = {n: p.clone() for n, p in base.model.named_parameters()}
    train_arm(base, rows, FULL.model_copy(update={"checkpoints": (1.0,)}), 1, tmp_path)
    with (
        pytest.raises(RuntimeError, match="while it is on"),
        saved_adapter(base, tmp_path / "adapter"),
    ):
        raise RuntimeError("while it is on")
    file = tmp_path / "adapter" / "model.safetensors"
    whole = load_file(file)
    norm = "model.norm.weight"
    for change in ({norm: torch.ones(1)}, {norm: None}, {"another.weight": torch.ones(1)}):
        left = {n: v for n, v in {**whole, **change}.items() if v is not None}
        save_file(left, file)
        with (
            pytest.raises(GuardError, match="1 weights are not those of tiny"),
            saved_adapter(base, tmp_path / "adapter"),
        ):
            pass
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
    other = guards.logits_of(base, base.model, encoded[0]) + 1
    assert [g["passed"] for g in local._took(base, base.model, other, 99.0, encoded)] == [True] * 2
    with pytest.raises(GuardError, match="loss went down"):
        local._took(base, base.model, other, 0.0, encoded)


@pytest.mark.parametrize("recipe", [RECIPE, FULL])
def test_training_that_learns_nothing_is_stopped(
    base, rows, tmp_path, monkeypatch, recipe: Recipe
) -> None:
    monkeypatch.setattr(local, "learning_rate", lambda *_: 0.0)
    with pytest.raises(GuardError, match="adapter changes logits"):
        train_arm(base, rows, recipe, 1, tmp_path)


def test_the_golden_loss_has_not_moved(base, rows, tmp_path) -> None:
    """Raise TRAINER_VERSION whenever this changes: old arms are then no longer reused."""
    done = train_arm(base, rows, RECIPE, 1, tmp_path)
    assert local.TRAINER_VERSION == 3
    assert done.losses[0] == pytest.approx(GOLDEN[0], rel=1e-3)
    assert done.losses[-1] == pytest.approx(GOLDEN[1], rel=1e-2)


GOLDEN = (5.7068, 5.1873)
