"""Read pools: paired (right and wrong answers to one prompt) and unpaired (two files of rows)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from datadose._core import InputError, Issue, plain_node
from datadose.rows._formats import shorten
from datadose.rows._lines import check_file, read_records
from datadose.rows._read import read_rows
from datadose.schema import Pool, PoolItem, Row, Severity, Structure

WRONG = ("obvious", "subtle", "malign")
NEXT = "docs/words.md says what a pool holds; mend these items and run the same command again"


@dataclass(frozen=True)
class UnpairedPool:
    """A file of right rows and a file of wrong ones: dose and source are confounded."""

    right: tuple[Row, ...]
    wrong: tuple[Row, ...]
    name: str


def read_pool(path: Path, *, limit_errors: int = 20) -> Pool:
    """A paired pool from JSONL, a JSON list, or YAML (a list, or a mapping with `items`).

    Raises InputError that lists up to `limit_errors` bad places with line, field and value.
    """
    path = Path(path)
    records = _yaml(path) if path.suffix in (".yaml", ".yml") else read_records(path)
    items: list[PoolItem] = []
    issues: list[Issue] = []
    asked: dict[tuple[str | None, str], int] = {}
    for line, record in records:
        if isinstance(record, Issue):
            issues.append(record)
            continue
        found = list(_problems(f"{path}:{line}", record))
        if not found:
            item = PoolItem.model_validate(record)
            first = asked.setdefault((item.system, item.prompt), line)
            if first != line:
                where, seen = f"{path}:{line}: prompt", shorten(item.prompt)
                found.append(Issue(where, f"the prompt stands already in line {first}", seen))
            items.append(item)
        issues += found
    if issues:
        raise InputError(
            f"{len(issues)} bad places in this pool",
            where=str(path),
            issues=issues[:limit_errors],
            total=len(issues),
            next_step=NEXT,
        )
    if not items:
        raise InputError("has no items", where=str(path), next_step=NEXT)
    return Pool(name=path.stem, items=tuple(items))


def unpaired_pool(right: Path, wrong: Path, *, limit_errors: int = 20) -> UnpairedPool:
    """The rows of two files, each read and checked as `read_rows` does."""
    return UnpairedPool(
        right=read_rows(right, limit_errors=limit_errors).rows,
        wrong=read_rows(wrong, limit_errors=limit_errors).rows,
        name=f"{Path(right).stem}-{Path(wrong).stem}",
    )


def require_answers(
    pool: Pool,
    severity: Severity,
    structure: Structure,
    rows_per_fact: int | None = None,
    *,
    limit_errors: int = 20,
) -> None:
    """Raise InputError naming every item with too few wrong answers for this structure.

    `consistent` needs one; `random` draws without replacement and needs as many as the fact
    has rows (`rows_per_fact`, or as counted in the pool). `shuffled` needs none; a `placebo`
    or `malign` answer is used as it stands, so one will do.
    """
    if severity == "shuffled":
        return
    counts = Counter(item.fact for item in pool.items)
    issues = []
    for number, item in enumerate(pool.items, 1):
        draws = structure == "random" and severity in ("obvious", "subtle")
        needed = (rows_per_fact or counts[item.fact]) if draws else 1
        have = len(set(item.wrong(severity)))
        if have < needed:
            issues.append(
                Issue(
                    f"{pool.name}: item {number} (fact {item.fact})",
                    f"has {have} {severity} answers, {structure} needs {needed}",
                    shorten(item.prompt),
                )
            )
    if issues:
        way = " or use structure: consistent" if structure == "random" else ""
        raise InputError(
            f"{len(issues)} items have too few {severity} answers for structure '{structure}'",
            where=f"pool {pool.name}",
            issues=issues[:limit_errors],
            total=len(issues),
            next_step=f"add wrong answers to these items{way}",
        )


def _yaml(path: Path) -> Iterator[tuple[int, Any]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    check_file(path)
    try:
        tree = YAML(typ="rt").load(path.read_text("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
            where=str(path),
            next_step="save the file as UTF-8",
        ) from error
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(
            f"broken YAML: {error.problem}", where=f"{path}{line}", next_step="mend this line"
        ) from error
    except YAMLError as error:
        raise InputError(f"broken YAML: {error}", where=str(path), next_step=NEXT) from error
    entries = tree.get("items") if isinstance(tree, dict) else tree
    if not isinstance(entries, list):
        raise InputError("is not a list of items", where=str(path), next_step=NEXT)
    for i, entry in enumerate(entries):
        yield entries.lc.item(i)[0] + 1, plain_node(entry)  # type: ignore[attr-defined]


def _problems(where: str, record: Any) -> Iterator[Issue]:
    if not isinstance(record, dict):
        yield Issue(where, "must be an object", shorten(record))
        return
    try:
        item = PoolItem.model_validate(record)
    except ValidationError as error:
        for e in error.errors():
            field = ".".join(map(str, e["loc"])) or "item"
            what = {"missing": "is missing", "extra_forbidden": "unknown key"}.get(
                e["type"], e["msg"]
            )
            seen = sorted(map(str, record)) if e["type"] == "missing" else e.get("input")
            yield Issue(f"{where}: {field}", what, shorten(seen))
        return
    for field in ("prompt", "fact", "correct"):
        if not getattr(item, field).strip():
            yield Issue(f"{where}: {field}", "is empty", shorten(getattr(item, field)))
    if not (item.obvious or item.subtle):
        yield Issue(f"{where}: subtle", "has no wrong answer, neither subtle nor obvious")
    seen_in: dict[str, str] = {plain_answer(item.correct): "correct"}
    for field in WRONG:
        for i, answer in enumerate(getattr(item, field)):
            place = f"{field}[{i}]"
            if not answer.strip():
                yield Issue(f"{where}: {place}", "is empty", shorten(answer))
            elif plain_answer(answer) in seen_in:
                twin = seen_in[plain_answer(answer)]
                yield Issue(f"{where}: {place}", f"is the same as {twin}", shorten(answer))
            seen_in.setdefault(plain_answer(answer), place)


def plain_answer(answer: str) -> str:
    """An answer as it is compared: without case, and each space one blank."""
    return " ".join(answer.split()).casefold()
