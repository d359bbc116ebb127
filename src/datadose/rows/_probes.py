"""Read probes from a file, and say everything that is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from datadose._core import InputError, Issue
from datadose.rows._formats import shorten
from datadose.rows._lines import read_records
from datadose.schema import Probe


def read_probes(path: Path, *, limit_errors: int = 20) -> tuple[Probe, ...]:
    """Probes from JSONL or a JSON list: id, response, relation, kind, prompt, fact, options.

    Raises InputError that lists up to `limit_errors` bad places with line, field and value.
    """
    found: list[Probe] = []
    issues: list[Issue] = []
    lines: dict[str, int] = {}
    for line, record in read_records(Path(path)):
        if isinstance(record, Issue):
            issues.append(record)
            continue
        try:
            probe = Probe.model_validate(record)
        except ValidationError as error:
            issues += [_issue(f"{path}:{line}", e, record) for e in error.errors()]
            continue
        first = lines.setdefault(probe.id, line)
        if first != line:
            where = f"{path}:{line}: id"
            issues.append(Issue(where, f"stands already in line {first}", shorten(probe.id)))
        if probe.relation != "untrained" and probe.fact is None:
            where = f"{path}:{line}: fact"
            issues.append(Issue(where, f"a {probe.relation} probe must name its fact"))
        found.append(probe)
    if issues or not found:
        raise InputError(
            f"{len(issues)} bad places in these probes" if issues else "has no probes",
            where=str(path),
            issues=issues[:limit_errors],
            total=len(issues),
            next_step="docs/rows.md says what a probe holds; mend these lines and run again",
        )
    return tuple(found)


def _issue(where: str, error: Any, record: Any) -> Issue:
    field = ".".join(map(str, error["loc"])) or "probe"
    what = {"missing": "is missing", "extra_forbidden": "unknown key"}.get(
        error["type"], error["msg"].removeprefix("Value error, ")
    )
    missing = error["type"] == "missing" and isinstance(record, dict)
    seen = sorted(map(str, record)) if missing else error.get("input")
    return Issue(f"{where}: {field}", what, shorten(seen))
