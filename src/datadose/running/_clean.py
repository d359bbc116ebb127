"""A cleaning from rows to files: repeats first, then known answers, then the audit's share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import auditing, cleaning
from datadose._core import UsageError, digest
from datadose.cleaning import Decision, Known, Passage, Proposal, Quota, Twin
from datadose.rows import fingerprint, raw_rows, read_rows
from datadose.running._clean_files import check_own, cleaned_rows, write_cleaned
from datadose.running._clean_inputs import Audited, protected_ids, read_audit
from datadose.running._clean_models import (
    apply_proposals,
    correct,
    rewrite_form,
    start_of,
    train_on,
    write_proposals,
)
from datadose.running._clean_settings import Cleaned, CleanSettings, check_settings
from datadose.running._folder import RunFolder
from datadose.running._pools import named_pool
from datadose.schema import Pool, Row

if TYPE_CHECKING:
    from datadose.models import BaseModel


def clean(
    path: Path,
    folder: Path,
    settings: CleanSettings,
    *,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Cleaned:
    """Clean the rows in `path` into `folder`: kept.jsonl, changed.jsonl, dropped.jsonl, ledger.csv,
    cleaned.jsonl (kept and changed rows, to train on) and clean.json.

    Every row is in exactly one of the first three. The same call goes on where it was interrupted;
    a folder of other rows or settings is refused, as is one that holds such files already. Raises
    InputError and UsageError for what the user gave, before anything is written.
    """
    source = read_rows(path)
    rows = source.rows
    raw = raw_rows(Path(path), source)
    run = RunFolder(folder)
    check_own(folder)
    check_settings(settings)
    audited = (
        read_audit(settings.audit, rows, detector=settings.detector) if settings.audit else None
    )
    if settings.post_train and audited is not None and audited.model != settings.model:
        raise UsageError(
            f"--post-train goes on from the audit's model, which is not {settings.model}",
            next_step=f"give --model {audited.model}",
        )
    protected = protected_ids(rows, raw, Path(path), source.lines, settings.protect)
    pool = named_pool(settings.pool)
    trusted = read_rows(settings.trusted).rows if settings.trusted else ()
    passages = cleaning.read_reference(settings.evidence) if settings.evidence else ()
    known = known_rows(rows, audited, pool, trusted)
    right = (*trusted, *(r for r in rows if known.get(r.id) is False))
    if passages and len(right) < cleaning.FEWEST_TRUSTED:
        raise UsageError(
            f"--evidence needs {cleaning.FEWEST_TRUSTED} rows known to be right to learn from,"
            f" {len(right)} are",
            next_step="give them with --trusted, or label rows in the audit",
        )
    if passages:  # refuses evidence that tells nothing of the rows known to be right
        cleaning.make_pairs(right, cleaning.Retriever(passages), seed=settings.seed)
    if settings.form == "model" and len(trusted) < cleaning.FEWEST_TRUSTED:
        raise UsageError(
            f"{len(trusted)} good rows are too few to teach a rewriter",
            next_step=f"give --trusted with {cleaning.FEWEST_TRUSTED} rows, or use --form rules",
        )
    start = start_of(settings.audit) if settings.post_train and settings.audit else None
    run.keep_fixed(
        "inputs",
        _inputs(rows, protected, audited, pool, trusted, passages, settings),
        next_step="use another --out",
    )
    twins = cleaning.find_twins(rows, first=(protected, [r.id for r in right]))
    known = spread(rows, twins, known)
    decisions, quota = _pruned(rows, audited, known, protected, twins, settings)
    answers = cleaning.known_answers(rows, pool=pool, trusted=trusted)
    decisions = [_corrected(rows[d.place], d, answers) for d in decisions]
    base = _base(settings)
    work = folder / "work"
    proposals: dict[int, Proposal] = {}
    if passages and base is not None:
        proposals = correct(
            base, rows, decisions, right, passages, work / "corrector",
            gated=audited is not None, seed=settings.seed, on_event=on_event,
        )  # fmt: skip
        decisions = apply_proposals(decisions, proposals) if settings.apply else decisions
        write_proposals(folder, source, decisions, proposals)
    if settings.form != "none":
        decisions = rewrite_form(
            rows, decisions, base=base if settings.form == "model" else None, good=trusted,
            folder=work / "rewriter", seed=settings.seed, on_event=on_event,
        )  # fmt: skip
    notes = _notes(audited, quota, settings)
    if proposals and not settings.apply:
        notes = (
            *notes,
            f"{len(proposals)} corrections are proposed in proposals.jsonl and none was made:"
            " read them, or use --apply",
        )
    settled = cleaning.settle(rows, _marked(rows, decisions, twins))
    left = cleaned_rows(rows, settled)
    if not left:
        notes = (*notes, "every row is dropped and nothing is left to train on: use another --by")
    cleaned = Cleaned(
        source,
        raw,
        settled,
        quota,
        audited.detector if audited else None,
        notes,
        proposals,
    )
    if start is not None and base is not None and left:
        train_on(base, left, *start, folder / "post-train", seed=settings.seed, on_event=on_event)
    write_cleaned(cleaned, folder)
    return cleaned


def _base(s: CleanSettings) -> BaseModel | None:
    """The base, where anything needs one."""
    from datadose.models import check_head, check_tries, load_base

    if s.evidence is None and s.form != "model" and not s.post_train:
        return None
    base = load_base(s.model)
    check_head(base)
    check_tries(base)
    return base


def _inputs(
    rows: tuple[Row, ...],
    protected: frozenset[str],
    audited: Audited | None,
    pool: Pool | None,
    trusted: tuple[Row, ...],
    passages: tuple[Passage, ...],
    s: CleanSettings,
) -> dict[str, Any]:
    """What must not change between the calls on one folder."""
    return {
        "rows": fingerprint(rows),
        "protected": digest(sorted(protected)),
        "audit": audited.mark if audited else None,
        "by": s.by,
        "share": s.share,
        "duplicates": s.duplicates,
        "pool": digest(pool.model_dump(mode="json")) if pool else None,
        "trusted": fingerprint(trusted),
        "evidence": digest([p.text for p in passages]),
        "apply": s.apply,
        "form": s.form,
        "post_train": s.post_train,
        "model": s.model,
        "seed": s.seed,
    }


def known_rows(
    rows: tuple[Row, ...], audited: Audited | None, pool: Pool | None, trusted: tuple[Row, ...]
) -> dict[str, bool]:
    """Whether each row that anybody knows is wrong: labels, over them trusted rows, over both
    the pool's checks."""
    known = dict(audited.known) if audited else {}
    said = {(r.prompt, r.answer.strip()) for r in trusted}
    known |= {r.id: False for r in rows if (r.prompt, r.answer.strip()) in said}
    return known | (auditing.check_rows(rows, pool) if pool else {})


def spread(
    rows: tuple[Row, ...], twins: tuple[Twin, ...], known: dict[str, bool]
) -> dict[str, bool]:
    """What is known of a row holds of those that are word for word the same."""
    groups: dict[int, list[int]] = {}
    for t in twins:
        if t.kind == "same":
            groups.setdefault(t.first, [t.first]).append(t.other)
    found = dict(known)
    for places in groups.values():
        said = {known[rows[i].id] for i in places if rows[i].id in known}
        if len(said) == 1:
            found |= {rows[i].id: next(iter(said)) for i in places if rows[i].id not in known}
    return found


def _pruned(
    rows: tuple[Row, ...],
    audited: Audited | None,
    known: dict[str, bool],
    protected: frozenset[str],
    twins: tuple[Twin, ...],
    s: CleanSettings,
) -> tuple[list[Decision], Quota]:
    wrong = {name for name, bad in known.items() if bad}
    repeats = cleaning.drop_repeats(rows, twins, drop=s.duplicates, keep=protected | wrong)
    gone = {d.place for d in repeats}
    rest = [i for i in range(len(rows)) if i not in gone]
    scores = audited.suspicion if audited else (0.0,) * len(rows)
    share = audited.share if audited and s.share is None else s.share
    detects = audited.detects if audited else False
    found = cleaning.prune(
        [rows[i] for i in rest],
        [scores[i] for i in rest],
        share,
        known=known,
        protected=protected,
        by=s.by,
        detects=detects,
    )
    bad = sum(rows[i].id in wrong for i in rest)
    quota = cleaning.quota(len(rest), bad, share, by=s.by, detects=detects)
    pruned = [replace(d, place=rest[d.place]) for d in found]
    if audited is None:
        pruned = [
            replace(d, score=None, reason="nothing known against it")
            if d.reason == "not suspicious enough"
            else replace(d, score=None)
            for d in pruned
        ]
    lost = {d.id for d in pruned if d.fate == "dropped"}
    for d in repeats:
        reason = "repeats a row that is dropped" if d.twin in lost else d.reason
        score = audited.suspicion[d.place] if audited else None
        pruned.append(replace(d, reason=reason, score=score))
    return pruned, quota


def _corrected(row: Row, d: Decision, answers: dict[str, Known]) -> Decision:
    """A row found wrong gets the answer that is known, where one is."""
    if d.fate != "dropped" or d.twin is not None or row.id not in answers:
        return d
    known = answers[row.id]
    if known.answer.strip() == row.answer.strip():
        return d
    return replace(d, fate="corrected", reason=f"{d.reason}: {known.source}", answer=known.answer)


def _marked(
    rows: tuple[Row, ...], decisions: list[Decision], twins: tuple[Twin, ...]
) -> list[Decision]:
    """Decisions with the twin of every row that has one."""
    beside = {t.other: t for t in twins}
    found = []
    for d in decisions:
        twin = beside.get(d.place)
        if twin is not None:
            d = replace(d, twin=rows[twin.first].id, conflict=twin.kind == "conflict")
        found.append(d)
    return found


def _notes(audited: Audited | None, quota: Quota, s: CleanSettings) -> tuple[str, ...]:
    found = []
    if audited is None:
        found.append("no audit was given: only repeats and rows known to be wrong were looked for")
    else:
        if not quota.count and not audited.detects:
            missed = "rows that are known to be wrong" if audited.denied else "planted errors"
            found.append(
                f"{audited.detector} does not tell {missed} from other rows: nothing is"
                " dropped for suspicion; give --pool, labels or --trusted"
            )
        elif not quota.count and s.by == "careful" and s.share is None:
            found.append(
                "label rows (datadose audit ... --label 60) for a share whose limits can leave 0,"
                " or take the estimate as it is with --by estimate"
            )
        if audited.not_detectable:
            found.append(
                "consistent errors are not detectable: facts that are wrong in all their wordings"
                " are still there"
            )
        if audited.share.method == "model-based" and quota.count:
            found.append("the share is model-based: it holds only if errors look like planted ones")
    return tuple(found)
