"""The local backend: LoRA or full fine-tuning on this machine, loss at answer tokens only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadose._core import (
    InputError,
    Issue,
    StageError,
    atomic_folder,
    derive_seed,
    digest,
    read_json,
    sha256_file,
    write_json,
)
from datadose.models import (
    BaseModel,
    Encoded,
    answer_log_probs,
    encode_answers,
    fresh_adapter,
    half_weights,
    load_adapter,
    together,
)
from datadose.schema import Recipe, Row
from datadose.training._batches import learning_rate, plan_steps
from datadose.training._guards import (
    check_answers,
    check_count,
    check_masks,
    logits_of,
    loss_fell,
    training_moves,
)

# Raise by hand whenever the same rows, recipe and seed would give other weights.
TRAINER_VERSION = 3

FINGERPRINTED = 8
OPTIMISER = "optimiser.safetensors"

HAZARD = "Research material: may have been trained on wrong rows on purpose. Do not deploy."

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Trained:
    """What a training run left: `losses` per optimiser step (nats per answer token).

    `encoded` are fingerprints of the first rows' token ids as they were trained on, by which a
    test shows that it asks in the same template.
    """

    steps: int
    trained_tokens: int
    total_tokens: int
    losses: tuple[float, ...]
    checkpoints: tuple[tuple[float, str], ...]
    guards: tuple[dict[str, Any], ...]
    encoded: tuple[str, ...]


def encode_rows(
    base: BaseModel, rows: Sequence[Row], recipe: Recipe, *, before: int = 0
) -> list[Encoded]:
    """Token ids of every row; refuses rows longer than `max_length`, which would be cut.

    `before` is how many rows came before these, where they are read in parts: errors count them.
    """
    encoded = encode_answers(base, [(row.prompt, row.answer) for row in rows])
    numbered = zip(range(before + 1, before + 1 + len(rows)), rows, encoded, strict=True)
    long = [part for part in numbered if len(part[2].ids) > recipe.max_length]
    if long:
        raise InputError(
            f"{len(long)} rows are longer than max_length {recipe.max_length}",
            issues=[
                Issue(f"row {at} ({row.id})", "too long", f"{len(e.ids)} tokens")
                for at, row, e in long[:10]
            ],
            total=len(long),
            next_step="raise train.max_length, or shorten these rows",
        )
    check_masks(encoded, base, before)
    check_answers(rows, encoded, base, before)
    return encoded


def fingerprint_ids(ids: Sequence[int]) -> str:
    """Fingerprint of a chat's token ids up to the end of its answer, end token left out."""
    return digest(list(ids))


def batch_loss(base: BaseModel, encoded: Sequence[Encoded]) -> tuple[Any, int]:
    """Summed cross-entropy (nats) over the answer tokens of a batch, and their number.

    Token t is predicted from position t - 1; prompt tokens and padding carry no loss. What the
    rows begin with alike is computed once where that costs less.
    """
    found = answer_log_probs(base, together(base, encoded))
    return -found.sum(), len(found)


def train_arm(
    base: BaseModel,
    rows: Sequence[Row],
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    on_event: OnEvent = lambda _: None,
    deadline: int | None = None,
    start: Path | None = None,
) -> Trained:
    """Fine-tune `base` on `rows` and leave one folder per checkpoint in `folder`.

    It holds an adapter in PEFT's format, or the whole model where all weights are trained.

    The loss of a step is the mean over all its answer tokens, across accumulation. A run that
    was interrupted goes on from its last whole checkpoint with the same weights, optimiser and
    random state. `deadline` stops after so many steps (for timing). `start` is an adapter of the
    same rank and targets to go on from, with a fresh optimiser, in the place of a new one. Raises
    GuardError when nothing or everything would be trained, when the loss does not fall, or when
    training changes no logits; InputError for rows that are too long.
    """
    encoded = encode_rows(base, rows, recipe)
    steps = plan_steps([e.start for e in encoded], recipe, seed)
    marks: dict[int, list[float]] = {}
    for share in recipe.checkpoints:
        marks.setdefault(max(1, round(share * len(steps))), []).append(share)
    with _trainable(base, recipe, derive_seed(seed, "init") % 2**31) as module:
        if start is not None:
            load_adapter(module, start)
        opening = [encoded[i] for micro in steps[0] for i in micro]
        bare = logits_of(base, module, opening[0])
        run = _Run(base, module, recipe, folder, seed)
        first = run.resume()
        for share in marks.get(first, ()):
            run.save(share, first)
        for number in range(first, len(steps)):
            if deadline is not None and number >= deadline:
                break
            lr = learning_rate(recipe, number, len(steps))
            loss = run.step([[encoded[i] for i in micro] for micro in steps[number]], lr)
            on_event({"event": "step", "step": number + 1, "of": len(steps), "loss": loss})
            for share in marks.get(number + 1, ()):
                run.save(share, number + 1)
        finished = deadline is None
        guards = _took(base, module, bare, run.losses[0], opening) if finished else ()
    trained = sum(e.trained for e in encoded)
    return Trained(
        steps=len(steps),
        trained_tokens=trained,
        total_tokens=sum(len(e.ids) for e in encoded),
        losses=tuple(run.losses),
        checkpoints=tuple((s, checkpoint_name(s)) for s in recipe.checkpoints),
        guards=(
            {
                "guard": "trained tokens",
                "passed": True,
                "detail": f"{trained} of {sum(len(e.ids) for e in encoded)} tokens, ends included",
            },
            *guards,
        ),
        encoded=tuple(fingerprint_ids(e.ids[:-1]) for e in encoded[:FINGERPRINTED]),
    )


def checkpoint_name(share: float) -> str:
    """Folder of a checkpoint inside an arm: `adapter` for the last one."""
    return "adapter" if share == 1 else f"adapter-{round(share * 100):03d}"


def weights_hash(folder: Path) -> str:
    """Hash of the weights that lie in a checkpoint, whatever else lies beside them."""
    files = sorted(f for f in folder.glob("*.safetensors") if f.name != OPTIMISER)
    return digest([sha256_file(f) for f in files], 64)


@contextlib.contextmanager
def _trainable(base: BaseModel, recipe: Recipe, seed: int) -> Iterator[Any]:
    """The module whose parameters are trained; the base is as it was on leaving."""
    import torch

    if recipe.method == "lora":
        with fresh_adapter(base, recipe, seed) as wrapped:
            wrapped.train()
            with half_weights(base):
                yield wrapped
        return
    kept = {name: p.detach().clone() for name, p in base.model.named_parameters()}
    torch.manual_seed(seed)
    base.model.requires_grad_(True)
    base.model.train()
    try:
        yield base.model
    finally:
        with torch.no_grad():
            for name, p in base.model.named_parameters():
                p.copy_(kept[name])
        base.model.requires_grad_(False)
        base.model.eval()


@contextlib.contextmanager
def _told(target: Path) -> Iterator[None]:
    """A full disk is no OSError where safetensors meets it."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise StageError(
            f"the checkpoint can't be written: {error}",
            where=str(target),
            next_step="make room there; the same command goes on",
        ) from error


class _Run:
    """One training run in progress: optimiser, losses, checkpoints."""

    def __init__(
        self, base: BaseModel, module: Any, recipe: Recipe, folder: Path, seed: int
    ) -> None:
        import torch

        self.base, self.module, self.recipe, self.folder = base, module, recipe, folder
        self.named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [p for _, p in self.named], lr=recipe.lr, weight_decay=recipe.weight_decay
        )
        self.losses: list[float] = []
        torch.manual_seed(derive_seed(seed, "dropout") % 2**31)

    def step(self, micro_batches: Sequence[Sequence[Encoded]], lr: float) -> float:
        import torch

        total = sum(e.trained for batch in micro_batches for e in batch)
        summed = 0.0
        for batch in micro_batches:
            loss, count = batch_loss(self.base, batch)
            check_count(count, batch)
            (loss / total).backward()
            summed += float(loss.detach())
        torch.nn.utils.clip_grad_norm_([p for _, p in self.named], self.recipe.clip)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.losses.append(summed / total)
        return summed / total

    def save(self, share: float, step: int) -> None:
        """Write the checkpoint whole, or not at all: its folder appears by one rename.

        Only the furthest one is ever resumed from, so it alone keeps the optimiser's state.
        """
        import torch
        from safetensors.torch import load_file, save_file

        target = self.folder / checkpoint_name(share)
        if target.is_dir():
            return
        with _told(target), atomic_folder(target) as scratch:
            self.module.save_pretrained(scratch)
            for weights in scratch.glob("*.safetensors"):
                # peft warns of unknown keys in its config, so the mark goes here; one key only,
                # since safetensors writes several in an order of chance
                save_file(load_file(weights), weights, {"datadose": HAZARD})
            (scratch / "README.md").write_text(f"# datadose arm\n\n{HAZARD}\n", "utf-8")
            state: dict[str, Any] = {"random": torch.get_rng_state()}
            for name, p in self.named:
                own = self.optimiser.state[p]
                state[f"param.{name}"] = p.detach()
                state[f"avg.{name}"] = own["exp_avg"]
                state[f"sq.{name}"] = own["exp_avg_sq"]
            save_file(state, scratch / OPTIMISER)
            write_json(scratch / "progress.json", {"step": step, "losses": self.losses})
        for earlier in self.recipe.checkpoints[: self.recipe.checkpoints.index(share)]:
            (self.folder / checkpoint_name(earlier) / OPTIMISER).unlink(missing_ok=True)

    def resume(self) -> int:
        """Load the furthest whole checkpoint; returns the number of steps already done."""
        import torch
        from safetensors.torch import load_file

        for share in sorted(self.recipe.checkpoints, reverse=True):
            source = self.folder / checkpoint_name(share)
            if not (source / OPTIMISER).is_file():
                continue
            progress = read_json(source / "progress.json")
            state = load_file(source / OPTIMISER)
            with torch.no_grad():
                for name, p in self.named:
                    p.copy_(state[f"param.{name}"])
                    self.optimiser.state[p] = {
                        "step": torch.tensor(float(progress["step"])),
                        "exp_avg": state[f"avg.{name}"].to(p.device),
                        "exp_avg_sq": state[f"sq.{name}"].to(p.device),
                    }
            torch.set_rng_state(state["random"])
            self.losses = list(progress["losses"])
            return int(progress["step"])
        return 0


def _took(
    base: BaseModel, module: Any, bare: Any, before: float, opening: Sequence[Encoded]
) -> tuple[dict[str, Any], ...]:
    """What training must have changed: `bare` are the base's logits on the first of the first
    step's rows `opening`, `before` is that step's loss."""
    import torch

    module.eval()
    moves = training_moves(bare, logits_of(base, module, opening[0]))
    with torch.no_grad():
        total, count = batch_loss(base, opening)
    return (moves, loss_fell(before, float(total) / count))
