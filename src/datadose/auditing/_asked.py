"""What is asked of the tuned model besides: answers without their prompt, and its own verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from datadose.auditing._evidence import Evidence
from datadose.auditing._fence import fenced
from datadose.models import BaseModel, chat, encode_answer, half_weights, saved_adapter
from datadose.schema import Recipe, Row
from datadose.training import OnEvent, Recording, held_out_losses, reply_losses, row_losses

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

CONTENTLESS = "?"
VERDICT = (
    "Question:\n{question}\n\nProposed answer:\n{answer}\n\n"
    "Is the proposed answer correct? Reply with yes or no."
)
SHOWN = 2000


def ask_model(base: BaseModel, rows: Sequence[Row], recording: Recording) -> dict[str, np.ndarray]:
    """`alone` and `yes` of every row [N], under the adapter that the recorded run ended with.

    The verdict's prompt has the first 2,000 characters of question and of answer, fenced.
    """
    alone = [encode_answer(base, chat(CONTENTLESS), r.answer) for r in rows]
    put = [
        chat(
            VERDICT.format(**fenced(question=r.prompt[-1].content[:SHOWN], answer=r.answer[:SHOWN]))
        )
        for r in rows
    ]
    yes = [encode_answer(base, p, "Yes") for p in put]
    no = [encode_answer(base, p, "No") for p in put]
    with saved_adapter(base, recording.adapter), half_weights(base):
        said = reply_losses(base, list(zip(yes, no, strict=True)))
        return {"alone": row_losses(base, alone), "yes": said[:, 1] - said[:, 0]}


def gather_evidence(
    base: BaseModel,
    rows: Sequence[Row],
    recording: Recording,
    recipe: Recipe,
    seed: int,
    folder: Path,
    *,
    folds: int,
    on_event: OnEvent = lambda _: None,
) -> Evidence:
    """The recording joined with what the model was asked and, with `folds`, held-out losses.

    What is finished stays in `folder` and is not asked again.
    """
    import numpy as np

    asked: dict[str, np.ndarray] = {}
    # raise the number with any change of what is asked
    file = folder / "asked-2.npz"
    if file.is_file():
        with np.load(file) as kept:
            asked = dict(kept)
    else:
        asked = ask_model(base, rows, recording)
        # whole or not at all: a file cut off by a kill would be taken up by the next call
        part = file.with_name("asked.part.npz")
        np.savez(part, allow_pickle=False, **asked)
        part.replace(file)
    held = folder / f"held-out-{folds}.npy"
    if folds and not held.is_file():
        losses = held_out_losses(
            base, rows, recipe, seed, folds, folder / "folds", on_event=on_event
        )
        part = held.with_name("held-out.part.npy")
        np.save(part, losses)
        part.replace(held)
    if folds:
        asked["held_out"] = np.load(held)
    return Evidence(tuple(rows), recording, asked)
