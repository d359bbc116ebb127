"""The parts of a cleaning that need a model: corrections, rewriting, training on what is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import cleaning
from datadose._core import InputError, read_json, write_jsonl
from datadose.cleaning import Decision, Passage, Proposal
from datadose.running._clean_files import PROPOSALS
from datadose.schema import Recipe, Row

if TYPE_CHECKING:
    from datadose.models import BaseModel
    from datadose.rows import RowsFile

OnEvent = Callable[[dict[str, Any]], None]


def correct(
    base: BaseModel,
    rows: Sequence[Row],
    decisions: Sequence[Decision],
    right: Sequence[Row],
    passages: Sequence[Passage],
    folder: Path,
    *,
    gated: bool,
    seed: int,
    on_event: OnEvent,
) -> dict[int, Proposal]:
    """Proposals by place, from a corrector that is trained on the `right` rows.

    gated: only rows that are to be dropped, those that repeat another aside, are looked at; else
    every row that is not known to be right or protected.
    """
    if gated:
        looked = [d.place for d in decisions if d.fate == "dropped" and d.twin is None]
    else:
        aside = ("known right", "protected", "protected, though known to be wrong")
        looked = [
            d.place
            for d in decisions
            if (d.fate == "kept" and d.reason not in aside) or d.reason == "known wrong"
        ]
    looked.sort()
    if not looked:
        return {}
    on_event({"event": "note", "text": f"training a corrector on {len(right)} rows"})
    corrector = cleaning.train_corrector(
        base, right, passages, folder, seed=seed, on_event=on_event
    )
    on_event({"event": "note", "text": f"looking for corrections of {len(looked)} rows"})
    found = cleaning.propose(base, corrector, [rows[i] for i in looked])
    return {i: p for i, p in zip(looked, found, strict=True) if p is not None}


def apply_proposals(
    decisions: Sequence[Decision], proposals: dict[int, Proposal]
) -> list[Decision]:
    """Decisions in which what was proposed is done."""
    found = []
    for d in decisions:
        p = proposals.get(d.place)
        if p is not None and d.fate in ("dropped", "kept"):
            why = "known wrong" if d.reason == "known wrong" else d.reason
            why = why if d.fate == "dropped" else "the evidence says otherwise"
            source = f"{why}: passages {', '.join(p.passages)}, {p.gain:.1f} over the gate's margin"
            d = replace(d, fate="corrected", reason=source, answer=p.answer)
        found.append(d)
    return found


def write_proposals(
    folder: Path, source: RowsFile, decisions: Sequence[Decision], proposals: dict[int, Proposal]
) -> None:
    """proposals.jsonl: what might be the right answers, the likeliest first."""
    order = sorted(proposals, key=lambda i: (-proposals[i].gain, i))
    fates = {d.place: d.fate for d in decisions}
    write_jsonl(
        folder / PROPOSALS,
        (
            {
                "id": source.rows[i].id,
                "line": source.lines[i],
                "fate": fates[i],
                "prompt": source.rows[i].prompt[-1].content,
                "answer": source.rows[i].answer,
                "proposed": proposals[i].answer,
                "diff": cleaning.word_diff(source.rows[i].answer, proposals[i].answer),
                "gain": round(proposals[i].gain, 3),
                "passages": list(proposals[i].passages),
            }
            for i in order
        ),
    )


def rewrite_form(
    rows: Sequence[Row],
    decisions: Sequence[Decision],
    *,
    base: BaseModel | None = None,
    good: Sequence[Row] = (),
    folder: Path,
    seed: int,
    on_event: OnEvent,
) -> list[Decision]:
    """Kept rows in better form: by rule, and with a base by a rewriter taught on `good` rows.

    Protected rows stay as they are, and so does a row of which anything would change that may not.
    """
    looked = [
        d.place for d in decisions if d.fate == "kept" and not d.reason.startswith("protected")
    ]
    written: dict[int, tuple[str, tuple[str, ...]]] = {}
    if base is not None and looked:
        on_event({"event": "note", "text": f"training a rewriter on {len(good)} good rows"})
        own = [rows[i] for i in looked]
        adapter = cleaning.train_rewriter(base, own, good, folder, seed=seed, on_event=on_event)
        written = dict(zip(looked, cleaning.rewrite(base, adapter, own), strict=True))
    changed = {i: cleaning.better_form(rows[i], written.get(i)) for i in looked}
    return [
        replace(d, fate="rewritten", reason=changed[d.place][1], answer=changed[d.place][0])
        if d.place in changed and changed[d.place][1]
        else d
        for d in decisions
    ]


def start_of(audit: Path) -> tuple[Path, Recipe]:
    """The adapter that an audit left, and the recipe by which training goes on from it.

    One epoch at half the audit's learning rate, after arXiv 2502.12635. Raises InputError where
    there is none.
    """
    start = audit / "work" / "own" / "run" / "adapter"
    if not (start / "adapter_config.json").is_file():
        raise InputError(
            "the audit left no adapter to go on from",
            where=str(start),
            next_step="run the audit again, or leave --post-train out",
        )
    told = Recipe.model_validate(read_json(audit / "inputs.json")["recipe"])
    half = {"epochs": 1.0, "lr": told.lr / 2, "checkpoints": (1.0,)}
    return start, told.model_copy(update=half)


def train_on(
    base: BaseModel,
    rows: Sequence[Row],
    start: Path,
    recipe: Recipe,
    folder: Path,
    *,
    seed: int,
    on_event: OnEvent,
) -> Path:
    """Train the audit's model, which has seen all rows, on with what is left."""
    from datadose.training import train_arm

    on_event({"event": "note", "text": f"training on {len(rows)} rows that are left"})
    train_arm(base, rows, recipe, seed, folder, on_event=on_event, start=start)
    return folder / "adapter"
