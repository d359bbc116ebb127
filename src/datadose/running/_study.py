"""Read a study file; every mistake in it is told with its line."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from datadose._core import InputError, Issue, plain_node
from datadose.domains import PACKS
from datadose.evaluation import HARNESS, rooted_spec
from datadose.running._open import is_file
from datadose.schema import (
    Adaptive,
    Asked,
    JudgeSpec,
    Primary,
    Recipe,
    Source,
    Study,
    StudyDesign,
)

KINDS = (Study, Source, Recipe, Asked, Primary, JudgeSpec, StudyDesign, Adaptive)


def load_study(path: Path) -> Study:
    """The study in a YAML 1.2 file, with `${NAME}` filled from the environment.

    Raises InputError with file, line and key for everything that is wrong in it.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such study file", where=str(path), next_step="datadose init") from None
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}", where=str(path), next_step="name a study file"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
            where=str(path),
            next_step="save the file as UTF-8; `datadose init` writes a study that works",
        ) from error
    try:
        tree = YAML(typ="rt").load(_fill(text, path))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(
            f"broken YAML: {error.problem}", where=f"{path}{line}", next_step="mend this line"
        ) from error
    except YAMLError as error:
        raise InputError(
            f"is not a study, and not YAML: {str(error).splitlines()[0]}",
            where=str(path),
            next_step="datadose init",
        ) from error
    if not isinstance(tree, dict):
        raise InputError("is not a study: no keys", where=str(path), next_step="datadose init")
    try:
        study = Study.model_validate(plain_node(tree))
    except ValidationError as error:
        raise InputError(
            "the study file can't be used",
            where=str(path),
            issues=[_issue(path, tree, e) for e in _deepest(error.errors())],
            next_step="mend these keys; `datadose init` writes a study that works",
        ) from error
    folder = path.parent
    asked: dict[str, Any] = {
        "open": tuple(_from(folder, q) if is_file(q) else q for q in study.ask.open)
    }
    if study.ask.data not in (None, "hub"):
        asked["data"] = _from(folder, study.ask.data or "")
    return study.model_copy(
        update={
            "rows": tuple(_rooted(source, folder) for source in study.rows),
            "ask": study.ask.model_copy(update=asked),
            "judges": tuple(_rooted_judge(j, folder) for j in study.judges),
        }
    )


def _from(folder: Path, name: str) -> str:
    return str((folder / Path(name).expanduser()).absolute())


def _rooted_judge(judge: JudgeSpec, folder: Path) -> JudgeSpec:
    """The judge with the file of its labels made absolute, after the name of its kind if any."""
    if judge.labels is None:
        return judge
    kind, colon, place = judge.labels.rpartition(":")
    return judge.model_copy(update={"labels": f"{kind}{colon}{_from(folder, place)}"})


def _rooted(source: Source, folder: Path) -> Source:
    """The source with its file names made absolute; they are given from the study file's folder.

    `probes` may name packs and lm-eval's own tasks, which stay as they are.
    """
    found: dict[str, Any] = {}
    for key in ("data", "pool", "right", "wrong", "add"):
        name = getattr(source, key)
        if name is not None and not name.startswith("hf:"):
            found[key] = str((folder / Path(name).expanduser()).absolute())
    found["probes"] = tuple(
        p
        if p in PACKS
        else rooted_spec(p, folder)
        if p.startswith(HARNESS)
        else str((folder / Path(p).expanduser()).absolute())
        for p in source.probes
    )
    return source.model_copy(update=found)


def _fill(text: str, path: Path) -> str:
    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            line = text[: match.start()].count("\n") + 1
            raise InputError(
                f"the environment variable {name} is not set",
                where=f"{path}:{line}",
                next_step=f"export {name}=FOLDER",
            )
        return os.environ[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", value, text)


def _deepest(errors: list[Any]) -> list[Any]:
    """The errors less those of a list that only says that an entry of it is wrong."""
    places = [e["loc"] for e in errors]
    return [
        e
        for e in errors
        if not any(len(p) > len(e["loc"]) and p[: len(e["loc"])] == e["loc"] for p in places)
    ]


def _issue(path: Path, tree: Any, error: Any) -> Issue:
    line, node = 1, tree
    for key in error["loc"]:
        marks = getattr(node, "lc", None)
        if marks is not None and marks.data and key in marks.data:
            line = marks.data[key][0] + 1
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            break
    name = ".".join(map(str, error["loc"])) or "study"
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        fields = [f for kind in KINDS for f in kind.model_fields]
        near = difflib.get_close_matches(str(error["loc"][-1]), fields, n=1)
        what = "unknown key" + (f", did you mean '{near[0]}'?" if near else "")
    return Issue(f"{path}:{line}: {name}", what, repr(error.get("input"))[:80])
