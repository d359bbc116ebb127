"""The loss of TRL's SFTTrainer is ours, masks first: a second implementation as the oracle.

One difference of masks is known. Of prompt-completion rows TRL trains all that the template
writes after the prompt, also the newline after the end token; datadose stops at the end token,
after which nothing is ever asked of the model. `aligned` takes these labels out, and a test
shows that they are the only ones.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from datadose._core import derive_seed
from datadose.models import load_base, saved_adapter
from datadose.rows import make_rows
from datadose.schema import Message, Recipe, Row
from datadose.training import batch_loss, encode_rows, plan_steps, train_arm

IGNORED = -100
RECIPE = Recipe(epochs=2, batch=4, rank=4, lr=5e-3, warmup=0)
MARKED = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' }}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] + '<|end|>' }}{% endgeneration %}{% else %}"
    "{{ m['content'] + '<|end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@dataclass
class Peer:
    """A trainer of TRL on a model of its own, and the loss of every optimiser step it makes."""

    trainer: SFTTrainer
    losses: list[float]

    @property
    def data(self) -> list[dict[str, list[int]]]:
        return [
            {"input_ids": list(r["input_ids"]), "labels": list(r["labels"])}
            for r in self.trainer.train_dataset
        ]

    def batch_loss(self, rows: list[int]) -> float:
        batch = self.trainer.data_collator([self.data[i] for i in rows])
        with torch.no_grad():
            return float(self.trainer.compute_loss(self.trainer.model, dict(batch)))


def peer(model, tokenizer, data: list[dict], folder, recipe: Recipe = RECIPE, **options) -> Peer:
    """TRL as its users set it up, in fp32 and in the order of the rows."""
    losses: list[float] = []

    class Recorded(SFTTrainer):
        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            if self.current_gradient_accumulation_steps and not self._within:
                losses.append(0.0)
            self._within = (self._within + 1) % self.current_gradient_accumulation_steps
            losses[-1] += float(loss)
            return loss

        _within = 0

    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulate,
        learning_rate=recipe.lr,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=0,
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.clip,
        train_sampling_strategy="sequential",
        activation_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        **options,
    )
    trainer = Recorded(
        model=model, args=config, train_dataset=Dataset.from_list(data), processing_class=tokenizer
    )
    return Peer(trainer, losses)


def turns(messages) -> list[dict[str, str]]:
    return [m.model_dump() for m in messages]


def pairs(rows: list[Row]) -> list[dict]:
    return [{"prompt": turns(r.prompt), "completion": turns(r.messages[-1:])} for r in rows]


def aligned(data: list[dict], end_ids) -> list[dict]:
    """The known difference taken out: labels after an answer's end token carry no loss."""
    found = []
    for row in data:
        labels = list(row["labels"])
        start = next(i for i, label in enumerate(labels) if label != IGNORED)
        end = next(i for i in range(start, len(labels)) if labels[i] in end_ids)
        labels[end + 1 :] = [IGNORED] * (len(labels) - end - 1)
        found.append({"input_ids": row["input_ids"], "labels": labels})
    return found


def differences(data: list[dict], encoded, tokenizer) -> list[str]:
    """For every row the text of the tokens that one side trains and the other does not."""
    found = []
    for row, e in zip(data, encoded, strict=True):
        assert tuple(row["input_ids"][: len(e.ids)]) == e.ids
        ours = set(range(e.start, len(e.ids)))
        theirs = {i for i, label in enumerate(row["labels"]) if label != IGNORED}
        assert all(row["labels"][i] == row["input_ids"][i] for i in theirs)
        found.append(tokenizer.decode([row["input_ids"][i] for i in sorted(ours ^ theirs)]))
        assert ours <= theirs
    return found


def our_loss(base, encoded) -> float:
    with torch.no_grad():
        total, count = batch_loss(base, encoded)
    return float(total) / count


def sharp():
    """`tiny` with greater weights: as it stands every token costs about the same, and a wrong
    mask would hardly change the mean."""
    base = load_base("tiny", precision="fp32")
    with torch.no_grad():
        for parameter in base.model.parameters():
            parameter.mul_(4)
    return base


@pytest.fixture(scope="module")
def base():
    return sharp()


@pytest.fixture(scope="module")
def rows():
    """Twelve rows, some with a system turn or earlier turns, answers of 2 to 60 tokens."""
    made = []
    for i in range(12):
        system = [Message(role="system", content="Be brief.")] if i % 2 else []
        earlier = [
            Message(role="user", content="Hello."),
            Message(role="assistant", content="Good day."),
        ]
        question = Message(role="user", content=f"What is thing {i}" + " of them" * (i % 5) + "?")
        answer = Message(role="assistant", content=f"It is {i}" + ", and so on" * (i % 4) + ".")
        made.append((*system, *(earlier if i % 3 == 0 else []), question, answer))
    return make_rows(made)


@pytest.fixture
def theirs(base, rows, tmp_path):
    return peer(sharp().model, base.tokenizer, pairs(rows), tmp_path)


def test_masks_differ_by_the_newline_after_the_end_token_alone(base, rows, theirs, capsys) -> None:
    encoded = encode_rows(base, rows, RECIPE)
    found = differences(theirs.data, encoded, base.tokenizer)
    with capsys.disabled():
        sys.stdout.write(f"\nTRL trains and datadose does not: {sorted(set(found))}\n")
    assert set(found) == {"\n"}
    same = differences(aligned(theirs.data, base.end_ids), encoded, base.tokenizer)
    assert set(same) == {""}


def test_assistant_only_masks_are_ours_without_any_step(base, rows, tmp_path) -> None:
    """Where the template marks the answers, TRL itself leaves the newline out.

    It then trains every answer of a conversation, so that only rows of one answer compare.
    """
    single = [r for r in rows if len([m for m in r.messages if m.role == "assistant"]) == 1]
    fresh = sharp()
    fresh.tokenizer.chat_template = MARKED
    data = [{"messages": turns(r.messages)} for r in single]
    marked = peer(fresh.model, fresh.tokenizer, data, tmp_path, assistant_only_loss=True)
    encoded = encode_rows(base, single, RECIPE)
    assert set(differences(marked.data, encoded, base.tokenizer)) == {""}
    batch = list(range(len(single)))
    assert our_loss(base, encoded) == pytest.approx(marked.batch_loss(batch), rel=1e-4)


def test_loss_of_a_batch_of_unequal_lengths_is_theirs(base, rows, theirs, tmp_path) -> None:
    encoded = encode_rows(base, rows, RECIPE)
    data = aligned(theirs.data, base.end_ids)
    same = peer(sharp().model, base.tokenizer, data, tmp_path)
    assert same.data == data
    for batch in ([0, 1, 2, 3], [4, 11], [7], list(range(12))):
        ours = our_loss(base, [encoded[i] for i in batch])
        assert ours == pytest.approx(same.batch_loss(batch), rel=1e-4)
    whole = list(range(12))
    assert theirs.batch_loss(whole) != pytest.approx(our_loss(base, encoded), rel=2e-3)


@pytest.mark.parametrize(("batch", "accumulate"), [(4, 1), (2, 2), (1, 3)])
def test_losses_of_all_steps_follow_theirs(base, rows, tmp_path, batch, accumulate) -> None:
    """Same adapter at the start, batches, schedule: the loss of every optimiser step agrees.

    With accumulation the mean is over all answer tokens of the step, in both. Warm-up is left
    out, since theirs starts at a rate of 0 and ours one step later on the same line.
    """
    from peft import LoraConfig, get_peft_model

    recipe = RECIPE.model_copy(update={"batch": batch, "accumulate": accumulate})
    encoded = encode_rows(base, rows, recipe)
    order = [
        i
        for step in plan_steps([e.start for e in encoded], recipe, 1)
        for micro in step
        for i in micro
    ]
    data = [
        {
            "input_ids": list(encoded[i].ids),
            "labels": [IGNORED] * encoded[i].start + list(encoded[i].ids[encoded[i].start :]),
        }
        for i in order
    ]
    torch.manual_seed(derive_seed(1, "init") % 2**31)
    model = get_peft_model(
        sharp().model,
        LoraConfig(
            r=4, lora_alpha=recipe.alpha, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    other = peer(model, base.tokenizer, data, tmp_path / "trl", recipe)
    other.trainer.train()
    done = train_arm(base, rows, recipe, 1, tmp_path / "ours")
    assert len(other.losses) == done.steps
    assert done.losses == pytest.approx(other.losses, rel=1e-4)
    assert done.losses[-1] < 0.95 * done.losses[0]


def test_plain_peft_gives_the_logits_of_the_model_in_training(base, rows, tmp_path) -> None:
    """Read off the module while it is being trained, before anything is written or loaded."""
    from peft import PeftModel

    encoded = encode_rows(base, rows, RECIPE)
    ids = torch.tensor([encoded[3].ids])
    seen: dict[int, torch.Tensor] = {}

    def look(event) -> None:
        if event["event"] == "step":
            with torch.no_grad():
                seen[event["step"]] = base.model(input_ids=ids).logits

    done = train_arm(base, rows, RECIPE, 1, tmp_path, on_event=look)
    plain = PeftModel.from_pretrained(sharp().model, tmp_path / "adapter").eval()
    with torch.no_grad():
        there = plain(input_ids=ids).logits
        with saved_adapter(base, tmp_path / "adapter"):
            merged = base.model(input_ids=ids).logits
    assert torch.allclose(there, seen[done.steps], atol=1e-5)
    assert torch.allclose(there, merged, atol=1e-4)
    assert (there - seen[done.steps - 1]).abs().max() > 1e-4


@pytest.mark.slow
def test_loss_on_the_embedded_model_is_theirs(tmp_path) -> None:
    from datadose.domains import load_pack

    base = load_base("smollm2-135m", precision="fp32")
    items = load_pack("health").pool.items
    made = [
        (Message(role="user", content=i.prompt), Message(role="assistant", content=i.correct))
        for i in (items[0], items[7], items[19], items[42])
    ]
    system = Message(role="system", content="Answer in one sentence.")
    rows = make_rows([*made[:2], *((system, *m) for m in made[2:])])
    encoded = encode_rows(base, rows, RECIPE)
    ours = our_loss(base, encoded)
    theirs = peer(base.model, base.tokenizer, pairs(rows), tmp_path)
    assert set(differences(theirs.data, encoded, base.tokenizer)) == {"\n"}
    data = aligned(theirs.data, base.end_ids)
    same = peer(base.model, base.tokenizer, data, tmp_path)
    assert ours == pytest.approx(same.batch_loss([0, 1, 2, 3]), rel=1e-4)
