"""The files of a cleaning: kept, changed and dropped rows, the ledger, the summary."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose._core import InputError, sha256_file, write_atomic, write_json
from datadose.cleaning import FATES, Decision, word_diff
from datadose.rows import make_rows, write_rows
from datadose.schema import Message, Row

if TYPE_CHECKING:
    from datadose.running._clean_settings import Cleaned

FILES = ("kept.jsonl", "changed.jsonl", "dropped.jsonl", "cleaned.jsonl", "ledger.csv")
SUMMARY = "clean.json"
PROPOSALS = "proposals.jsonl"


def check_own(folder: Path) -> None:
    """Refuse a folder in which files of these names lie that no cleaning wrote."""
    if (folder / "inputs.json").is_file():
        return
    strange = [name for name in (*FILES, SUMMARY, PROPOSALS) if (folder / name).exists()]
    if strange:
        raise InputError(
            f"holds {', '.join(strange)}, which no cleaning wrote",
            where=str(folder),
            next_step="use another --out: nothing there is overwritten",
        )


def cleaned_rows(rows: Sequence[Row], decisions: Sequence[Decision]) -> tuple[Row, ...]:
    """What is left to train on: kept rows as they are, changed ones with their new answers."""
    chats, facts = [], []
    for row, d in zip(rows, decisions, strict=True):
        if d.fate == "dropped":
            continue
        answer = row.answer if d.answer is None else d.answer
        chats.append((*row.prompt, Message(role="assistant", content=answer)))
        facts.append(row.fact)
    return make_rows(chats, facts)


def write_cleaned(cleaned: Cleaned, folder: Path) -> None:
    """Write every file, each whole or not at all, and the summary last."""
    rows, decisions = cleaned.source.rows, cleaned.decisions
    left = cleaned_rows(rows, decisions)
    after = iter(left)
    new = [None if d.fate == "dropped" else next(after) for d in decisions]
    kept, changed, dropped = [], [], []
    for row, d, raw, made in zip(rows, decisions, cleaned.raw, new, strict=True):
        line = cleaned.source.lines[d.place]
        if d.fate == "kept":
            kept.append(raw)
        elif d.fate == "dropped":
            head = {"id": row.id, "line": line, "reason": d.reason, "score": d.score}
            dropped.append(_beside(head, raw))
        else:
            assert made is not None
            changed.append(_beside({**_changed(row, d, made), "line": line}, raw))
    for name, lines in (
        ("kept.jsonl", kept),
        ("changed.jsonl", changed),
        ("dropped.jsonl", dropped),
    ):
        write_atomic(folder / name, "".join(line + "\n" for line in lines))
    write_rows(folder / "cleaned.jsonl", left)
    write_atomic(folder / "ledger.csv", _ledger(cleaned, new))
    files = {name: sha256_file(folder / name) for name in FILES}
    write_json(folder / SUMMARY, {**as_record(cleaned), "files": files})


def _beside(head: dict[str, Any], raw: str) -> str:
    """One JSON object a line, with the record as it was read under `original`, to the byte."""
    text = json.dumps(head, ensure_ascii=False, allow_nan=False)
    return f'{text[:-1]}, "original": {raw}}}'


def _changed(row: Row, d: Decision, made: Row) -> dict[str, Any]:
    return {
        "id": made.id,
        "messages": [{"role": m.role, "content": m.content} for m in made.messages],
        **({"fact": row.fact} if row.fact is not None else {}),
        "fate": d.fate,
        "reason": d.reason,
        "score": d.score,
        "diff": word_diff(row.answer, made.answer),
        "original_id": row.id,
    }


def _ledger(cleaned: Cleaned, new: Sequence[Row | None]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "line", "fate", "reason", "score", "twin", "conflict", "new_id", "diff"])
    for row, d, made in zip(cleaned.source.rows, cleaned.decisions, new, strict=True):
        changed = d.answer is not None and made is not None
        writer.writerow(
            [
                row.id,
                cleaned.source.lines[d.place],
                d.fate,
                d.reason,
                "" if d.score is None else f"{d.score:.6g}",
                d.twin or "",
                "yes" if d.conflict else "",
                made.id if changed and made is not None else "",
                word_diff(row.answer, d.answer) if d.answer is not None else "",
            ]
        )
    return out.getvalue()


def as_record(cleaned: Cleaned) -> dict[str, Any]:
    """clean.json: no times and no paths, so that equal cleanings are equal files."""
    counts = Counter(d.fate for d in cleaned.decisions)
    reasons = Counter((d.fate, d.reason.partition(":")[0]) for d in cleaned.decisions)
    return {
        "rows": len(cleaned.source.rows),
        "fates": {fate: counts[fate] for fate in FATES},
        "reasons": [
            {"fate": fate, "reason": reason, "rows": n}
            for (fate, reason), n in sorted(reasons.items())
        ],
        "conflicts": sum(d.conflict for d in cleaned.decisions),
        "for_suspicion": {"most": cleaned.quota.count, "why": cleaned.quota.why},
        "detector": cleaned.detector,
        "proposals": len(cleaned.proposals),
        "notes": list(cleaned.notes),
    }


def clean_text(cleaned: Cleaned) -> str:
    """The cleaning for a terminal: fates with their reasons, the rule, and what to mind."""
    record = as_record(cleaned)
    lines = [f"{record['rows']} rows"]
    for fate in FATES:
        lines.append(f"  {fate:<10}{record['fates'][fate]:>7}")
        lines += [f"    {r['reason']}: {r['rows']}" for r in record["reasons"] if r["fate"] == fate]
    if record["conflicts"]:
        lines.append(
            f"{record['conflicts']} rows nearly ask what another row asks and answer otherwise:"
            " see `conflict` in the ledger"
        )
    if cleaned.detector is not None:
        lines.append(f"dropped for suspicion, by {cleaned.detector}: {cleaned.quota.why}")
    return "\n".join([*lines, *(f"note: {note}" for note in cleaned.notes)])
