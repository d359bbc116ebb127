"""Which rows a person is asked to label: a systematic sample along the suspicion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from datadose._core import UsageError, generator

if TYPE_CHECKING:
    import numpy as np

MOST_TILT = 0.9


@dataclass(frozen=True)
class Sample:
    """Row places in the order in which they are to be labelled, and each one's chance to be drawn.

    `probability[i]` (over 0, at most 1) belongs to `place[i]`. The order is random, so that any
    first part of it is a sample too, with chances in proportion.
    """

    place: tuple[int, ...]
    probability: tuple[float, ...]

    def first(self, count: int) -> Sample:
        """The sample that was drawn if only the first `count` rows were labelled."""
        share = count / len(self.place)
        return Sample(self.place[:count], tuple(p * share for p in self.probability[:count]))


def inclusion(suspicion: np.ndarray, size: int, *, tilt: float = 0.0) -> np.ndarray:
    """Chances [N] that sum to `size`: equal at tilt 0, larger where the truth is open with a tilt.

    Openness is sqrt(f (1 - f)) of the suspicion f, 0 to 1, which is the best allocation
    (Neyman 1934) where f is the chance that the row is wrong. A tilt of at most 0.9 keeps every
    chance above a tenth of an equal one, up to what capping at 1 moves, so that a suspicion that
    is wrong about its rows costs width and never coverage.
    """
    import numpy as np

    f = np.clip(np.asarray(suspicion, dtype=float), 0.0, 1.0)
    total = len(f)
    if not 1 <= size <= total:
        raise UsageError(
            f"{size} rows can't be drawn from {total}", next_step=f"ask for 1 to {total} labels"
        )
    if not 0 <= tilt <= MOST_TILT:
        raise UsageError(f"a tilt of {tilt:g} is not between 0 and {MOST_TILT}")
    open_ = np.sqrt(f * (1 - f))
    wanted = (1 - tilt) / total + tilt * open_ / max(float(open_.sum()), 1e-12)
    if not open_.any():
        wanted = np.full(total, 1 / total)
    sure = np.zeros(total, dtype=bool)
    while True:
        left = size - int(sure.sum())
        chance = np.where(sure, 1.0, 0.0)
        if left > 0:
            chance[~sure] = wanted[~sure] / wanted[~sure].sum() * left
        over = ~sure & (chance >= 1.0)
        if not over.any():
            return np.minimum(chance, 1.0)
        sure |= over


def draw_sample(suspicion: np.ndarray, size: int, *, tilt: float = 0.0, seed: int = 0) -> Sample:
    """`size` rows drawn systematically, with `inclusion` chances, along the order of suspicion.

    One random start, then every step of one chance (Madow 1949): the sample's suspicions spread
    as those of all rows do, which a useless suspicion can't spoil, since ties and order are then
    as good as random. Raises UsageError where there are fewer rows than `size`.
    """
    import numpy as np

    chance = inclusion(suspicion, size, tilt=tilt)
    rng = generator(seed, "labels")
    order = np.lexsort((rng.random(len(chance)), np.asarray(suspicion, dtype=float)))
    edges = np.cumsum(chance[order])
    marks = rng.random() + np.arange(size)
    spots = np.minimum(np.searchsorted(edges, marks, side="right"), len(order) - 1)
    drawn = order[spots][rng.permutation(size)]
    return Sample(tuple(drawn.tolist()), tuple(chance[drawn].tolist()))
