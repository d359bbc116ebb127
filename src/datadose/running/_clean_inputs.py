"""What `clean` is told of rows besides the rows: an audit, protected ids."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadose import auditing
from datadose._core import InputError, Issue, UsageError, digest, read_json, sha256_file
from datadose.auditing import Share
from datadose.rows import fingerprint
from datadose.schema import Row

KNOWN = {
    "checked wrong": True,
    "labelled wrong": True,
    "checked right": False,
    "labelled right": False,
}
STATES = {*KNOWN, "labelled unsure", "open"}
AGAIN = "run datadose audit on these rows again, and leave its files alone"


@dataclass(frozen=True)
class Audited:
    """What an audit's folder says of N rows.

    suspicion: [N], 0 to 1, by `detector`; `detects` is False where planted errors, or rows whose
    truth is known, showed it to be near chance, `denied` where the latter did. known: ids of rows
    that were checked or labelled, and whether they are wrong. model: the base that it trained.
    mark: a digest of the files that were read.
    """

    suspicion: tuple[float, ...]
    known: dict[str, bool]
    share: Share
    detector: str
    detects: bool
    denied: bool
    not_detectable: bool
    model: str
    mark: str


def read_audit(folder: Path, rows: Sequence[Row], *, detector: str | None = None) -> Audited:
    """Read scores.csv and audit.json of an audit of exactly these rows.

    detector: another column than the chosen one; its ranks are the suspicion then, known rows
    aside. Raises InputError for an audit of other rows and for files that are not an audit's;
    UsageError for a detector that the audit did not measure.
    """
    if not folder.is_dir():
        raise InputError(
            "no such folder", where=str(folder), next_step="datadose audit ROWS --out DIR"
        )
    record, inputs = read_json(folder / "audit.json"), read_json(folder / "inputs.json")
    if not isinstance(inputs, dict) or inputs.get("rows") != fingerprint(rows):
        raise InputError(
            "this audit is of other rows",
            where=str(folder),
            next_step="give the rows that were audited, or audit these",
        )
    file = folder / "scores.csv"
    lines = _scores(file, rows)
    try:
        share = Share(**record["share"])
        chosen = record["chosen"]
        measured = {m["name"]: m["status"] for m in record["calibration"]}
        name = detector or str(chosen["name"])
        lost = record["consistent_errors"] == "not detectable"
        denied = bool(record["on_known"].get(name, {}).get("denied"))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"is not an audit's record: {error}", where=str(folder / "audit.json"), next_step=AGAIN
        ) from error
    known = {line["id"]: KNOWN[line["state"]] for line in lines if line["state"] in KNOWN}
    suspicion = [float(line["suspicion"]) for line in lines]
    if name != chosen["name"]:
        suspicion = _column(lines, name, measured)
        suspicion = [
            float(known[r.id]) if r.id in known else s for r, s in zip(rows, suspicion, strict=True)
        ]
    return Audited(
        tuple(suspicion),
        known,
        share,
        name,
        measured.get(name) == "detects" and not denied,
        denied,
        lost,
        str(inputs.get("model")),
        digest([sha256_file(file), record["share"], name]),
    )


def _scores(file: Path, rows: Sequence[Row]) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8", newline="") as text:
            lines = list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"can't be read: {error}", where=str(file), next_step=AGAIN) from error
    issues = []
    for number, (line, row) in enumerate(zip(lines, rows, strict=False), 2):
        what = ""
        if line.get("id") != row.id:
            what, seen = f"the id of row {number - 1} is {row.id}", str(line.get("id"))
        elif not _is_share(line.get("suspicion")):
            what, seen = "suspicion must be a number from 0 to 1", str(line.get("suspicion"))
        elif line.get("state") not in STATES:
            what, seen = f"state must be one of {', '.join(sorted(STATES))}", str(line.get("state"))
        if what:
            issues.append(Issue(f"{file}:{number}", what, repr(seen)[:60]))
    if issues or len(lines) != len(rows):
        raise InputError(
            f"is not the table of these {len(rows)} rows ({len(lines)} lines)",
            where=str(file),
            issues=issues[:10],
            total=len(issues),
            next_step=AGAIN,
        )
    return lines


def _is_share(text: Any) -> bool:
    try:
        return 0 <= float(text) <= 1
    except (TypeError, ValueError):
        return False


def _column(lines: Sequence[dict[str, str]], name: str, measured: dict[str, str]) -> list[float]:
    import numpy as np

    able = [n for n, status in measured.items() if status != "not measured" and n in lines[0]]
    if name not in able or name in auditing.CONTROLS:
        raise UsageError(
            f"the audit has no detector {name!r} to clean by",
            next_step=f"choose from: {', '.join(n for n in able if n not in auditing.CONTROLS)}",
        )
    return [float(r) for r in auditing.ranks(np.array([float(line[name]) for line in lines]))]


def protected_ids(
    rows: Sequence[Row], raw: Sequence[str], path: Path, lines: Sequence[int], file: Path | None
) -> frozenset[str]:
    """Ids of rows that must stay: those whose record says `"protected": true`, and those in `file`.

    file: an id a line; a CSV, of which the column `id` counts, will do. Raises InputError for a
    flag that is neither true nor false, and for ids that are no row's.
    """
    found = set()
    for row, text, line in zip(rows, raw, lines, strict=True):
        if '"protected"' not in text:
            continue
        flag = json.loads(text).get("protected")
        if flag not in (True, False, None) or isinstance(flag, int) != isinstance(flag, bool):
            raise InputError(
                f"protected must be true or false (seen: {repr(flag)[:60]})",
                where=f"{path}:{line}",
                next_step="mend this row, then run the same command again",
            )
        if flag:
            found.add(row.id)
    if file is None:
        return frozenset(found)
    own = {r.id for r in rows}
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"can't be read as text: {error}", where=str(file), next_step="check the path"
        ) from error
    issues = []
    for number, name in _named(text):
        if name not in own:
            issues.append(Issue(f"{file}:{number}", "is no row's id", repr(name)[:60]))
        found.add(name)
    if issues:
        raise InputError(
            f"{len(issues)} ids are not of these rows",
            where=str(file),
            issues=issues[:10],
            total=len(issues),
            next_step="take ids from an audit's scores.csv, or from another ledger.csv",
        )
    return frozenset(found)


def _named(text: str) -> list[tuple[int, str]]:
    """(line, id) of each id in a file of them."""
    table = list(csv.reader(text.splitlines()))
    if table and "id" in table[0]:
        at = table[0].index("id")
        return [(n, t[at].strip()) for n, t in enumerate(table[1:], 2) if len(t) > at and t[at]]
    return [(n, line.strip()) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
