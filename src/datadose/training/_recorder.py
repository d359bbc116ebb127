"""Follows a training run and keeps, per row and epoch, what detectors need."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import GuardError, generator, read_json, write_json
from datadose.models import BaseModel, Encoded, Trie, answer_log_probs, saved_adapter, together
from datadose.schema import Recipe, Row
from datadose.training._batches import plan_steps
from datadose.training._ghost import EMBEDDING, HEAD, ghost_norms
from datadose.training._local import OnEvent, encode_rows, train_arm
from datadose.training._trace import SKETCH, Seen, Sketcher, by_length, look, look_at_rows

if TYPE_CHECKING:
    import numpy as np

PER_TOKEN = ("loss", "margin")
PER_ROW = ("don", "head", "before", "sketch")
LOSS_GAP = 0.02
DONE = "recording.json"


@dataclass(frozen=True)
class Recording:
    """What a run left in `folder`; arrays are mapped from disk, not read into memory.

    `epochs` passes over N rows, each row seen just before its own update. `offset` [N + 1] bounds
    each row's answer tokens. `head_norm` is the Frobenius norm of the output head. `seconds`:
    `training` all of the run, `recording` and `passes` what of it was spent on recording.
    """

    folder: Path
    epochs: int
    head_norm: float
    lr: float
    seconds: dict[str, float]

    @cached_property
    def offset(self) -> np.ndarray:
        import numpy as np

        found: np.ndarray = np.load(self.folder / "offset.npy")
        return found

    def array(self, name: str, epoch: int) -> np.ndarray:
        """`loss`, `margin` [tokens]; `don`, `head` [N]; `before`, `sketch` [N, ...]; `embedding`,
        `cross` [N] (after the first epoch only); `trusted` [k, SKETCH^2]. NaN where a row was not
        seen in this epoch."""
        import numpy as np

        found: np.ndarray = np.load(self.folder / f"epoch-{epoch}" / f"{name}.npy", mmap_mode="r")
        return found

    def has(self, name: str, epoch: int) -> bool:
        """Whether such an array was recorded."""
        return (self.folder / f"epoch-{epoch}" / f"{name}.npy").is_file()

    @property
    def adapter(self) -> Path:
        """The checkpoint that the run ended with."""
        return self.folder / "run" / "adapter"


@dataclass
class _Recorder:
    """Pairs every call of the output head with the rows that made it."""

    base: BaseModel
    encoded: Sequence[Encoded]
    folder: Path
    micro: Iterator[tuple[int, tuple[int, ...]]]
    sketcher: Sketcher
    muted: bool = False
    spent: float = 0.0
    summed: float = 0.0
    counted: int = 0
    files: dict[tuple[str, int], Any] = field(default_factory=dict)

    def hook(self, module: Any, given: Any, out: Any) -> None:
        import torch

        if self.muted or not torch.is_grad_enabled():
            return
        began = time.perf_counter()
        epoch, rows = next(self.micro)
        batch = [self.encoded[i] for i in rows]
        index, unique = answer_places(self.base, batch)
        if out.dim() != 2 or out.shape[0] != unique:
            raise GuardError(
                "rows recorded",
                f"the head saw {tuple(out.shape)}, these rows are scored at {unique} places",
                next_step="report this as an error of datadose: nothing was kept",
            )
        counts = [e.trained for e in batch]
        at = torch.tensor(index, device=out.device)
        targets = torch.tensor([t for e in batch for t in e.ids[e.start :]], device=out.device)
        seen = look(given[0][at], out[at], counts, targets, self.sketcher)
        self.keep(epoch, rows, seen)
        self.summed += float(seen.loss.double().sum())
        self.counted += len(seen.loss)
        self.spent += time.perf_counter() - began

    def check_step(self, loss: float) -> None:
        """The rows' losses must add up to the step's, or rows and losses were mispaired."""
        own = self.summed / max(1, self.counted)
        self.summed, self.counted = 0.0, 0
        if not abs(own - loss) <= LOSS_GAP * max(1.0, abs(loss)):
            raise GuardError(
                "rows recorded",
                f"rows add up to a loss of {own:.4f}, the step's was {loss:.4f}",
                next_step="report this as an error of datadose: nothing was kept",
            )

    def keep(self, epoch: int, rows: Sequence[int], seen: Seen) -> None:
        for name in PER_TOKEN:
            file, values, at = self.file(name, epoch), getattr(seen, name).numpy(), 0
            for i in rows:
                size = self.encoded[i].trained
                file[self.offset[i] : self.offset[i] + size] = values[at : at + size]
                at += size
        for name in PER_ROW:
            self.file(name, epoch)[list(rows)] = getattr(seen, name).numpy()

    @cached_property
    def offset(self) -> np.ndarray:
        import numpy as np

        return np.concatenate([[0], np.cumsum([e.trained for e in self.encoded])])

    def file(self, name: str, epoch: int) -> Any:
        import numpy as np

        if (name, epoch) not in self.files:
            rows = len(self.encoded)
            width = {"before": (self.sketcher.right.shape[0],), "sketch": (SKETCH * SKETCH,)}
            shape = (int(self.offset[-1]),) if name in PER_TOKEN else (rows, *width.get(name, ()))
            kind = np.float16 if name == "before" else np.float32
            path = self.folder / f"epoch-{epoch}" / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            made = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
            made[:] = np.nan
            self.files[name, epoch] = made
        return self.files[name, epoch]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Own passes in the midst of training: dropout off, the hook silent."""
        was, self.muted = self.base.model.training, True
        self.base.model.eval()
        try:
            yield
        finally:
            self.base.model.train(was)
            self.muted = False

    def embedding_norms(self, epoch: int) -> None:
        """Gradient norms of the embedding for every row, by one backward pass per batch."""
        for places in by_length(self.encoded):
            norms = ghost_norms(self.base, [self.encoded[i] for i in places], [HEAD, EMBEDDING])
            for name, values in (("embedding", norms.embedding), ("cross", norms.cross)):
                self.file(name, epoch)[places] = values.cpu().numpy()

    def trusted(self, epoch: int, encoded: Sequence[Encoded]) -> None:
        """The trusted rows' head gradients at the end of an epoch."""
        import numpy as np

        found = [
            look_at_rows(self.base, [encoded[i] for i in places], self.sketcher).sketch.numpy()
            for places in by_length(encoded)
        ]
        np.save(self.folder / f"epoch-{epoch}" / "trusted.npy", np.concatenate(found))


def answer_places(base: BaseModel, batch: Sequence[Encoded]) -> tuple[list[int], int]:
    """Which of the head's inputs, in their order, predicts each answer token of a training batch.

    By row and token; and how many inputs there are. Rows that begin alike share places where
    `together` lays them out as one trie.
    """
    spots = []
    for k, group in enumerate(together(base, batch)):
        for path, e in zip(Trie([e.ids[:-1] for e in group]).paths, group, strict=True):
            spots += [(k, node) for node in path[e.start - 1 :]]
    order = {spot: i for i, spot in enumerate(sorted(set(spots)))}
    return [order[spot] for spot in spots], len(order)


def record_run(
    base: BaseModel,
    rows: Sequence[Row],
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    trusted: Sequence[Row] = (),
    embedding: bool = True,
    on_event: OnEvent = lambda _: None,
) -> Recording:
    """Fine-tune on `rows` and record every row, once an epoch, from the training pass itself.

    Nothing is computed twice: the output head's inputs and logits are read as they go by, so the
    weights are those of `train_arm` without a recorder. Only `embedding` (gradient norms of the
    input embedding, for GrADS, after the first epoch) and `trusted` rows (after every epoch) take
    passes of their own. A folder that holds a whole recording is returned as it is. Raises
    GuardError where rows and losses don't pair.
    """
    import numpy as np

    if (folder / DONE).is_file():
        return load_recording(folder)
    recipe = recipe.model_copy(update={"checkpoints": (1.0,)})
    encoded = encode_rows(base, rows, recipe)
    steps = plan_steps([e.start for e in encoded], recipe, seed)
    per_epoch = -(-len(encoded) // (recipe.batch * recipe.accumulate))
    known = encode_rows(base, trusted, recipe) if trusted else []
    head = base.model.get_output_embeddings()
    recorder = _Recorder(
        base=base,
        encoded=encoded,
        folder=folder,
        micro=iter([(s // per_epoch, m) for s, step in enumerate(steps) for m in step]),
        sketcher=Sketcher(head.weight.shape[0], head.weight.shape[1], base.device),
    )
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "offset.npy", recorder.offset)
    passes = 0.0

    def after(event: dict[str, Any]) -> None:
        nonlocal passes
        recorder.check_step(event["loss"])
        done = event["step"]
        if done % per_epoch == 0:
            began = time.perf_counter()
            with recorder.aside():
                if embedding and done == per_epoch:
                    recorder.embedding_norms(0)
                if known:
                    recorder.trusted(done // per_epoch - 1, known)
            passes += time.perf_counter() - began
        on_event(event)

    began = time.perf_counter()
    handle = head.register_forward_hook(recorder.hook)
    try:
        train_arm(base, rows, recipe, seed, folder / "run", on_event=after)
    finally:
        handle.remove()
    for file in recorder.files.values():
        file.flush()
    write_json(
        folder / DONE,
        {
            "epochs": -(-len(steps) // per_epoch),
            "head_norm": float(head.weight.detach().double().norm()),
            "lr": recipe.lr,
            "seconds": {
                "training": time.perf_counter() - began,
                "recording": recorder.spent,
                "passes": passes,
            },
        },
    )
    return load_recording(folder)


def load_recording(folder: Path) -> Recording:
    """The whole recording in `folder`; raises InputError where there is none."""
    return Recording(folder=folder, **read_json(folder / DONE))


def token_losses(base: BaseModel, encoded: Sequence[Encoded]) -> np.ndarray:
    """Loss (nats) [n] of all answer tokens, row after row, under the model as it stands."""
    import numpy as np
    import torch

    found: list[np.ndarray] = [np.zeros(0)] * len(encoded)
    for places in by_length(encoded):
        batch = [encoded[i] for i in places]
        with torch.no_grad():
            losses = -answer_log_probs(base, [[e] for e in batch]).cpu()
        for i, part in zip(places, losses.split([e.trained for e in batch]), strict=True):
            found[i] = part.double().numpy()
    return np.concatenate(found)


def row_losses(base: BaseModel, encoded: Sequence[Encoded]) -> np.ndarray:
    """Summed answer loss (nats) [N] of every row under the model as it stands."""
    import numpy as np

    first = np.cumsum([0, *(e.trained for e in encoded[:-1])])
    return np.asarray(np.add.reduceat(token_losses(base, encoded), first))


def reply_losses(base: BaseModel, replies: Sequence[Sequence[Encoded]]) -> np.ndarray:
    """Summed loss (nats) [N, k] of k replies to each of N prompts, which is passed through once."""
    import numpy as np
    import torch

    found = np.zeros((len(replies), len(replies[0])))
    longest = [max(group, key=lambda e: len(e.ids)) for group in replies]
    for places in by_length(longest):
        groups = [replies[i] for i in places]
        with torch.no_grad():
            losses = -answer_log_probs(base, groups).cpu()
        sizes = [e.trained for group in groups for e in group]
        sums = [float(part.double().sum()) for part in losses.split(sizes)]
        found[places] = np.asarray(sums).reshape(len(places), -1)
    return found


def held_out_losses(
    base: BaseModel,
    rows: Sequence[Row],
    recipe: Recipe,
    seed: int,
    folds: int,
    folder: Path,
    *,
    on_event: OnEvent = lambda _: None,
) -> np.ndarray:
    """Summed answer loss [N] of every row under a model that was trained on the other folds.

    Rows are dealt to `folds` (at least 2) parts by `seed`. Each model is trained from the base on
    what is left, with the same recipe.
    """
    import numpy as np

    part = generator(seed, "folds").permutation(len(rows)) % folds
    encoded = encode_rows(base, rows, recipe)
    recipe = recipe.model_copy(update={"checkpoints": (1.0,)})
    found = np.zeros(len(rows))
    for k in range(folds):
        inside = np.flatnonzero(part != k).tolist()
        out = np.flatnonzero(part == k).tolist()
        place = folder / f"fold-{k}"
        train_arm(base, [rows[i] for i in inside], recipe, seed, place, on_event=on_event)
        with saved_adapter(base, place / "adapter"):
            found[out] = row_losses(base, [encoded[i] for i in out])
    return found
