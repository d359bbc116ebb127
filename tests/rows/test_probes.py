"""Probe files: read, or every mistake told with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datadose._core import InputError
from datadose.rows import read_probes

GOOD: dict[str, Any] = {
    "id": "p1",
    "response": "domain",
    "relation": "reworded",
    "kind": "choice",
    "prompt": "What?",
    "fact": "f",
    "options": [{"text": "a", "role": "correct"}, {"text": "b", "role": "subtle"}],
}


def _write(path: Path, records: list[Any]) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_probes_are_read_in_order(tmp_path: Path) -> None:
    path = _write(tmp_path / "p.jsonl", [GOOD, {**GOOD, "id": "p2"}])
    assert [p.id for p in read_probes(path)] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"options": GOOD["options"][:1]}, "two options or more"),
        ({"kind": "essay"}, "kind"),
        ({"fact": None}, "must name its fact"),
        ({"promt": "x"}, "unknown key"),
        ({"id": "p1"}, "stands already in line 1"),
    ],
)
def test_a_bad_probe_is_told_with_its_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = _write(tmp_path / "p.jsonl", [GOOD, {**GOOD, "id": "p2", **change}])
    with pytest.raises(InputError) as error:
        read_probes(path)
    assert f"{path}:2" in str(error.value)
    assert message in str(error.value)
    assert "next:" in str(error.value)
