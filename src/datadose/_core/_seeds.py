"""One seed, many independent streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datadose._core._hashing import digest

if TYPE_CHECKING:
    import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` of `seed`; the same on every machine."""
    return int(digest([seed, *names], 16), 16) >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator for the stream `names` of `seed`."""
    import numpy as np

    return np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))
