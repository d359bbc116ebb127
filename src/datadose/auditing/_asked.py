"""What is asked besides: answers without their prompt, the tuned model's own verdict, and answers
after rows like their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from datadose._core import GuardError
from datadose.auditing._evidence import Evidence
from datadose.auditing._fence import fenced
from datadose.auditing._in_context import likeness_shown, most_alike, with_examples
from datadose.models import BaseModel, chat, encode_answer, half_weights, saved_adapter
from datadose.schema import Recipe, Row
from datadose.training import (
    OnEvent,
    Recording,
    encode_rows,
    held_out_losses,
    reply_losses,
    row_losses,
    token_losses,
)

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
    examples: int,
    on_event: OnEvent = lambda _: None,
) -> Evidence:
    """The recording joined with what the model was asked and, with `folds`, held-out losses, with
    `examples`, losses after so many rows most like each one.

    What is finished stays in `folder` and is not asked again.
    """
    # raise a file's number with any change of what is asked for it
    asked = _kept(folder / "asked-2.npz", lambda: ask_model(base, rows, recording))
    if folds:

        def held_out() -> np.ndarray:
            place = folder / "folds"
            return held_out_losses(base, rows, recipe, seed, folds, place, on_event=on_event)

        asked |= _kept(folder / f"held-out-{folds}.npz", lambda: {"held_out": held_out()})
    if examples:

        def in_context() -> dict[str, np.ndarray]:
            places, likeness = most_alike(rows, examples)
            shown = with_examples(base, rows, places, recipe.max_length)
            check_layout(base, [e.trained for e in shown], recording)
            alone = encode_rows(base, rows, recipe)
            with half_weights(base):
                return {
                    "in_context": token_losses(base, shown),
                    "untuned": token_losses(base, alone),
                    "alike": likeness_shown(likeness, shown, alone),
                }

        asked |= _kept(folder / f"in-context-2-{examples}.npz", in_context)
    return Evidence(tuple(rows), recording, asked)


def check_layout(base: BaseModel, trained: Sequence[int], recording: Recording) -> None:
    """Raises GuardError unless each row has as many answer tokens after examples as when it was
    recorded: losses would be read as those of other rows."""
    import numpy as np

    other = np.flatnonzero(np.diff(recording.offset) != np.asarray(trained))
    if len(other):
        raise GuardError(
            "answer tokens after examples",
            f"{len(other)} answers have other tokens than alone, the first in row {other[0] + 1}",
            where=base.name,
            next_step="give --examples 0: the chat template changes later turns",
        )


def _kept(file: Path, ask: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays in `file`, asked for and put there if they are not."""
    import numpy as np

    if not file.is_file():
        # whole or not at all: a file cut off by a kill would be taken up by the next call
        part = file.with_suffix(".part.npz")
        np.savez(part, allow_pickle=False, **ask())
        part.replace(file)
    with np.load(file) as kept:
        return dict(kept)
