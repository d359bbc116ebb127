"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# the tiny model is faster on one thread, and several test processes do not fight for cores
os.environ.setdefault("OMP_NUM_THREADS", "1")

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; skips where it is absent."""
    folder = Path(os.environ.get("DATADOSE_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip("public data sets are absent: set DATADOSE_DATA to their folder")
    return folder
