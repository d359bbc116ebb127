"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; skips where it is absent."""
    folder = Path(os.environ.get("DATADOSE_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip("public data sets are absent: set DATADOSE_DATA to their folder")
    return folder
