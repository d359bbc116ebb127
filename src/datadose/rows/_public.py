"""The public data sets that the project knows: where they come from, and that they are those.

None of them is part of the project. `data_sets.json` holds, for each, its licence, repository
and commit, and the sha256 of its files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from datadose._core import InputError, UsageError, atomic_folder, sha256_file

State = Literal["here", "partly here", "changed", "absent"]


@dataclass(frozen=True)
class DataSet:
    """A public data set; `files` maps the path of each file in its folder to its sha256."""

    name: str
    title: str
    licence: str
    repository: str
    commit: str
    files: dict[str, str]


@lru_cache(maxsize=1)
def data_sets() -> dict[str, DataSet]:
    """All data sets that the project knows, by name."""
    text = resources.files("datadose.rows").joinpath("data_sets.json").read_text("utf-8")
    return {name: DataSet(name, **fields) for name, fields in json.loads(text).items()}


def data_set(name: str) -> DataSet:
    """The data set called `name`; raises UsageError that lists the names there are."""
    known = data_sets()
    if name not in known:
        raise UsageError(
            f"no data set is called {name!r}", next_step=f"choose from: {', '.join(known)}"
        )
    return known[name]


def find_file(data_set_name: str, name: str, folder: Path) -> Path:
    """The file `name` of a data set in `folder`, in a folder of the data set's name there, or by
    its last part alone; its sha256 is checked. Raises InputError where it is absent or another.
    """
    path = _place(data_set_name, name, folder)
    if path is None:
        raise InputError(
            f"no file {name} of {data_set_name} in this folder",
            where=str(folder),
            next_step="give the folder that holds the data set",
        )
    try:
        seen = sha256_file(path)
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    wanted = data_set(data_set_name).files[name]
    if seen != wanted:
        raise InputError(
            f"is not the known {name} of {data_set_name}: sha256 {seen[:12]}...,"
            f" not {wanted[:12]}...",
            where=str(path),
            next_step="get the published file again",
        )
    return path


def _place(data_set_name: str, name: str, folder: Path) -> Path | None:
    places = (folder / name, folder / data_set_name / name, folder / Path(name).name)
    return next((p for p in places if p.is_file()), None)


def check_data_set(name: str, folder: Path) -> tuple[State, tuple[str, ...]]:
    """Whether a data set lies in `folder`, and which of its files are absent or changed."""
    wanted = data_set(name)
    places = {file: _place(name, file, folder) for file in wanted.files}
    found = {file: path for file, path in places.items() if path is not None}
    changed = [f for f, path in found.items() if sha256_file(path) != wanted.files[f]]
    if changed:
        return "changed", tuple(changed)
    absent = [file for file in wanted.files if file not in found]
    if not absent:
        return "here", ()
    return ("partly here", tuple(absent)) if found else ("absent", tuple(absent))


def place_data_set(name: str, source: Path, folder: Path) -> Path:
    """Copy a data set from the folder `source` to `folder`/`name`, its files checked.

    Raises InputError where a file is absent or another; then nothing is copied.
    """
    wanted = data_set(name)
    target = folder / name
    found = {file: find_file(name, file, source) for file in wanted.files}
    if target.exists():
        state, files = check_data_set(name, target)
        if state == "here":
            return target
        raise InputError(
            f"is there already and {state}: {', '.join(files[:3])}",
            where=str(target),
            next_step="move it away, or choose another folder",
        )
    with atomic_folder(target) as scratch:
        for file, path in found.items():
            (scratch / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, scratch / file)
    return target


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file whose hash has been checked."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
