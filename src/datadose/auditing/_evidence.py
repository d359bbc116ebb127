"""All that a detector may see of rows: their texts, and what a recording holds of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from datadose._core import Registry
from datadose.schema import Row
from datadose.training import Recording

if TYPE_CHECKING:
    import numpy as np

detector: Registry[Callable[..., Any]] = Registry("detector")


class NotMeasuredError(Exception):
    """A detector lacks what it needs; the message says what would give it."""


@dataclass(frozen=True)
class Evidence:
    """N rows and one recorded run over them. No truth, no labels, no paths.

    `asked` holds what was asked of the model besides: `alone` [N], a row's summed answer loss
    under a contentless prompt; `yes` [N], log-odds that the tuned model calls the answer right;
    `held_out` [N], the summed answer loss under models that never saw the row; `in_context` and
    `untuned` [n], laid out as the recording is, the untuned model's loss of every answer token
    after rows like its own and without them; `alike` [N], how like those are (`most_alike`).
    """

    rows: Sequence[Row]
    recording: Recording
    asked: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def tokens(self) -> np.ndarray:
        """Answer tokens of each row, [N], end token included."""
        import numpy as np

        return np.diff(self.recording.offset)

    def mean(self, name: str, epoch: int) -> np.ndarray:
        """A per-token array of one epoch averaged over each row's tokens, [N]."""
        import numpy as np

        total = np.add.reduceat(self.recording.array(name, epoch), self.recording.offset[:-1])
        return np.asarray(total / self.tokens, dtype=float)

    def row(self, name: str, epoch: int) -> np.ndarray:
        """A per-row array of one epoch, in float64."""
        import numpy as np

        if not self.recording.has(name, epoch):
            raise NotMeasuredError(f"{name} was not recorded")
        return np.asarray(self.recording.array(name, epoch), dtype=float)

    def need(self, name: str, way: str) -> np.ndarray:
        """What was asked besides, or NotMeasuredError that says how to get it."""
        if name not in self.asked:
            raise NotMeasuredError(way)
        return self.asked[name]


def timed(name: str) -> bool:
    """Whether a detector can look at any epoch: it then has a parameter `epoch`."""
    import inspect

    return "epoch" in inspect.signature(detector.get(name)).parameters


def ranks(values: np.ndarray) -> np.ndarray:
    """Mid-ranks scaled to the open interval (0, 1); NaN ranks in the middle."""
    import numpy as np
    from scipy.stats import rankdata

    filled = np.where(np.isfinite(values), values, np.nanmedian(values[np.isfinite(values)]))
    found: np.ndarray = (rankdata(filled) - 0.5) / len(filled)
    return found


def settled(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values [N] drawn towards their weighted mean by as much weight as a row has on average.

    A row without weight, of which nothing is known, is in the middle: neither supported nor
    contradicted.
    """
    most = weight.max()
    if not most:
        return values
    weight = weight / most  # only their ratios count, and tiny ones would lose theirs in a sum
    usual = weight.mean()
    middle = (weight * values).sum() / weight.sum()
    found: np.ndarray = (weight * values + usual * middle) / (weight + usual)
    return found
