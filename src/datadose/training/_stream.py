"""Gradient scores of rows that come one after another: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import InputError, StageError, read_json, write_json
from datadose.models import BaseModel, half_weights
from datadose.schema import Recipe, Row
from datadose.training._ghost import EMBEDDING, HEAD, INNER, PARTS, ghost_norms
from datadose.training._local import OnEvent, encode_rows
from datadose.training._trace import by_length

if TYPE_CHECKING:
    import numpy as np

CHUNK = 2048
DONE = "scores.json"
KIND = "<f8"
COLUMNS = {HEAD: ("head",), EMBEDDING: ("embedding", "cross"), INNER: ("inner",)}


@dataclass(frozen=True)
class Scores:
    """Columns over `rows` rows in the order they came, one file each in `folder`.

    `loss` and `tokens`, and by the parts asked for `head`, `embedding`, `cross`, `inner`, as in
    `Norms`: squared norms of the gradient of a row's summed answer loss.
    """

    folder: Path
    rows: int
    columns: tuple[str, ...]

    def array(self, name: str) -> np.ndarray:
        """A column [rows] in float64, mapped from disk. Raises KeyError for one not there."""
        import numpy as np

        if name not in self.columns:
            raise KeyError(f"{name!r} is none of {', '.join(self.columns)}")
        return np.memmap(self.folder / f"{name}.f8", dtype=KIND, mode="r", shape=(self.rows,))


def score_rows(
    base: BaseModel,
    rows: Iterable[Row],
    recipe: Recipe,
    folder: Path,
    *,
    parts: Sequence[str] = (HEAD,),
    on_event: OnEvent = lambda _: None,
) -> Scores:
    """Gradient norms of every row under the model as it stands, written to `folder` as they come.

    Only `CHUNK` rows are held at a time, which are put in batches of like lengths. `parts` as for
    `ghost_norms`. Whatever scores `folder` held are written anew. Raises InputError where there
    are no rows or one is longer than the recipe's `max_length`, GuardError for a row that training
    would refuse, StageError for an unknown part.
    """
    import numpy as np

    if unknown := set(parts) - set(PARTS):
        raise StageError(f"no part is called {sorted(unknown)}: take from {', '.join(PARTS)}")
    columns = (
        "loss",
        "tokens",
        *(name for part in PARTS if part in parts for name in COLUMNS[part]),
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DONE).unlink(missing_ok=True)
    stream, done = iter(rows), 0
    with ExitStack() as stack:
        stack.enter_context(half_weights(base))
        files = {c: stack.enter_context((folder / f"{c}.f8").open("wb")) for c in columns}
        while chunk := list(islice(stream, CHUNK)):
            encoded = encode_rows(base, chunk, recipe, before=done)
            found = {name: np.empty(len(chunk), dtype=KIND) for name in columns}
            found["tokens"][:] = [e.trained for e in encoded]
            for places in by_length(encoded):
                norms: Any = ghost_norms(base, [encoded[i] for i in places], parts)
                for name in columns:
                    if name != "tokens":
                        found[name][places] = getattr(norms, name).cpu().numpy()
            for name, file in files.items():
                file.write(found[name].tobytes())
            done += len(chunk)
            on_event({"event": "scored", "rows": done})
    if not done:
        raise InputError("there are no rows to score", next_step="give at least one row")
    write_json(folder / DONE, {"rows": done, "columns": list(columns), "weights": base.weights})
    return load_scores(folder)


def load_scores(folder: Path) -> Scores:
    """The whole scores in `folder`; raises InputError where there are none."""
    told = read_json(folder / DONE)
    return Scores(folder, int(told["rows"]), tuple(told["columns"]))
