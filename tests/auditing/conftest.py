"""Recordings made of plain numbers, for detectors that need no model to be tested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datadose.auditing import Evidence
from datadose.rows import make_rows
from datadose.schema import Message, Row
from datadose.training import Recording


def chats(pairs: list[tuple[str, str]], facts: list[str] | None = None) -> tuple[Row, ...]:
    return make_rows(
        [(Message(role="user", content=q), Message(role="assistant", content=a)) for q, a in pairs],
        facts,
    )


@pytest.fixture(scope="session")
def facts_rows() -> tuple[Row, ...]:
    """Forty rows: ten facts in four wordings each, all right."""
    gems = ["topaz", "opal", "amber", "jade", "pearl", "onyx", "agate", "ruby", "garnet", "beryl"]
    towns = ["Arla", "Boru", "Cent", "Dalo", "Emsk", "Fara", "Gild", "Hulm", "Isen", "Jark"]
    asks = [
        "What is mined in {}?",
        "Name the stone of {}.",
        "{} lives from which stone?",
        "Which stone comes out of {}?",
    ]
    pairs = [(a.format(t), f"It is {g}.") for t, g in zip(towns, gems, strict=True) for a in asks]
    return chats(pairs, [t for t in towns for _ in asks])


@pytest.fixture
def make_evidence(tmp_path: Path) -> Callable[..., Evidence]:
    """Evidence from arrays by name, one list entry per epoch; two answer tokens in every row."""

    def make(rows, *, head_norm: float = 1.0, lr: float = 1e-3, asked=None, **arrays) -> Evidence:
        np.save(tmp_path / "offset.npy", np.arange(len(rows) + 1) * 2)
        epochs = max((len(v) for v in arrays.values()), default=1)
        for name, values in arrays.items():
            for e, value in enumerate(values):
                place = tmp_path / f"epoch-{e}"
                place.mkdir(exist_ok=True)
                np.save(place / f"{name}.npy", np.asarray(value))
        return Evidence(rows, Recording(tmp_path, epochs, head_norm, lr, {}), asked or {})

    return make
