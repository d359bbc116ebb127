"""One written report for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest
from _example import example

from datadose.reporting import write_report


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("report")
    write_report(example(), made)
    return made
