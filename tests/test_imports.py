"""Who may import whom, and what a light import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import datadose

SOURCE = Path(datadose.__file__).parent
ROOMS = (
    *("curves", "models", "sandbox", "rows", "corruption", "domains", "training", "evaluation"),
    *("auditing", "cleaning", "repairing", "tracing", "reporting", "gating", "running", "cli"),
)
UPPER = ["rows", "models", "sandbox", "domains", "corruption", "training", "evaluation"]
MAY_IMPORT: dict[str, set[str]] = {
    "_core": set(),
    "schema": {"_core"},
    "curves": set(),
    "models": set(),
    "sandbox": set(),
    "rows": set(),
    "corruption": {"rows", "models", "sandbox"},
    "domains": {"rows", "sandbox"},
    "training": {"rows", "models"},
    "evaluation": {"rows", "models", "sandbox", "domains"},
    "auditing": {*UPPER, "curves"},
    "cleaning": {*UPPER, "curves", "auditing"},
    "repairing": {*UPPER, "curves", "auditing", "cleaning"},
    "tracing": {*UPPER, "curves", "auditing", "cleaning", "repairing"},
    "reporting": {"curves"},
    "gating": {"curves"},
    "running": {*ROOMS} - {"cli"},
    "cli": set(ROOMS),
}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "datadose":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("datadose."):
            found.add((node.module or "").split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("datadose.")}
    return found


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_go_one_way(room: str) -> None:
    place = SOURCE / room
    files = list(place.rglob("*.py")) if place.is_dir() else [SOURCE / f"{room}.py"]
    allowed = MAY_IMPORT[room] | {room, "_core", "schema"}
    for path in files:
        if path.is_file():
            assert _imports(path) <= allowed, path


def test_every_room_is_in_the_table() -> None:
    rooms = {p.name for p in SOURCE.iterdir() if p.is_dir() and any(p.glob("*.py"))}
    assert rooms <= set(MAY_IMPORT)


def test_public_names_are_sorted_and_exist() -> None:
    assert datadose.__all__ == sorted(datadose.__all__)
    for name in datadose.__all__:
        assert getattr(datadose, name) is not None
        assert name not in MAY_IMPORT


def test_help_needs_no_heavy_import() -> None:
    heavy = ["torch", "transformers", "polars", "scipy", "numpy", "matplotlib", "pydantic"]
    code = f"import sys; import datadose.cli._app;print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
