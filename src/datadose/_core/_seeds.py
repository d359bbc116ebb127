"""One seed, many independent streams."""

from __future__ import annotations

import numpy as np

from datadose._core._hashing import digest


def derive_seed(seed: int, *names: str | int) -> int:
    """A 63-bit seed for the stream `names` of `seed`; the same on every machine."""
    return int(digest([seed, *names], 16), 16) >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator for the stream `names` of `seed`."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))
