"""The eighth silent error, truth read by a detector: nothing opens it, and who does is seen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _silent_study import STUDY, leave_results_out

from datadose.models import load_base
from datadose.running import _stages, run_study
from datadose.schema import Study


@pytest.fixture
def base() -> Any:
    return load_base("tiny", precision="fp32")


@pytest.fixture(autouse=True)
def arms_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the test that looks at a whole run, which undoes this."""
    leave_results_out(monkeypatch)


WATCHED: list[str] = []
READERS: list[str] = []


def _note_openings(event: str, args: tuple[Any, ...]) -> None:
    if not WATCHED or event != "open" or not str(args[0]).endswith("truth.jsonl"):
        return
    frame, names = sys._getframe(1), []
    while frame is not None:
        names.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
        frame = frame.f_back
    if "_stages.py:write_rows" not in names:
        READERS.append(names[0])


@pytest.fixture
def readers() -> Iterator[list[str]]:
    """Who opened a truth file, but for the stage that writes it. Hooks can't be taken off."""
    if _note_openings not in HOOKS:
        sys.addaudithook(_note_openings)
        HOOKS.append(_note_openings)
    WATCHED.append("on")
    READERS.clear()
    yield READERS
    WATCHED.clear()


HOOKS: list[Any] = []


def test_nothing_in_a_run_reads_the_truth(base, tmp_path, monkeypatch, readers) -> None:
    monkeypatch.undo()
    small = {**STUDY, "seeds": 1}
    run_study(Study.model_validate(small), tmp_path, base=base)
    assert (tmp_path / "doses.json").is_file()
    assert readers == []


def test_a_detector_that_looks_at_the_truth_is_seen(base, tmp_path, monkeypatch, readers) -> None:
    real = _stages.train_arm

    def planted(b: Any, rows: Any, recipe: Any, seed: int, folder: Path, **more: Any) -> Any:
        for path in folder.glob("*.jsonl"):
            path.read_text()
        return real(b, rows, recipe, seed, folder, **more)

    monkeypatch.setattr(_stages, "train_arm", planted)
    run_study(Study.model_validate({**STUDY, "seeds": 1}), tmp_path, base=base)
    assert len(readers) == 2


def test_no_room_but_the_rows_stage_names_the_truth() -> None:
    import datadose

    source = Path(datadose.__file__).parent
    naming = {p.relative_to(source).as_posix() for p in source.rglob("*.py") if names_truth(p)}
    assert naming == {"running/_stages.py"}


def names_truth(path: Path) -> bool:
    return "truth.jsonl" in path.read_text("utf-8")
