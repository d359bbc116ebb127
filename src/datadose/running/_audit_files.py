"""The files of an audit: scores.csv, audit.json, audit.html."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from datadose import auditing, reporting
from datadose._core import write_atomic, write_json
from datadose.reporting import AuditedRow, AuditPage, Column, NearRow, Scores, Table
from datadose.running._audit_judge import judge_words

if TYPE_CHECKING:
    import numpy as np

    from datadose.auditing import Calibration, OnKnown, Share
    from datadose.running._audit import Audit

# rows looked at around each row; shown beside it; and the suspicion below which a row may be right
NEAR, BESIDE, CALM = 32, 2, 0.5
RIGHT = ("checked right", "labelled right")
SHOWN = 500


def order_of(suspicion: np.ndarray) -> list[int]:
    """Row places, the most suspicious first; ties in the order of the file."""
    import numpy as np

    return [int(i) for i in np.argsort(-suspicion, kind="stable")]


def write_audit(audit: Audit, source: Path, folder: Path) -> None:
    """Write all three, each whole or not at all."""
    from datadose.running._audit import as_record

    order = order_of(audit.suspicion)
    write_atomic(folder / "scores.csv", _scores(audit, order))
    write_json(folder / "audit.json", as_record(audit))
    reporting.write_audit_page(_page(audit, order, source, folder), folder / "audit.html")


def _scores(audit: Audit, order: list[int]) -> str:
    place = {i: k for k, i in enumerate(order, 1)}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = sorted(audit.columns)
    writer.writerow(["id", "line", "suspicion", "rank", "state", *names])
    for i, row in enumerate(audit.rows):
        # a row that the judge gave no score has none here
        values = [audit.columns[n][i] for n in names]
        cells = [f"{v:.6g}" if v == v else "" for v in values]
        head = [row.id, audit.source.lines[i], f"{audit.suspicion[i]:.6g}", place[i]]
        writer.writerow([*head, state_of(audit, row.id), *cells])
    return out.getvalue()


def state_of(audit: Audit, name: str) -> str:
    """What is known of a row: checked or labelled, and as what; else `open`."""
    if name in audit.checked:
        return "checked wrong" if audit.checked[name] else "checked right"
    return f"labelled {audit.labels[name]}" if name in audit.labels else "open"


def share_words(share: Share) -> str:
    """The share as a sentence that says where it comes from."""
    if share.estimate is None or share.lower is None or share.upper is None:
        return f"No share can be given: {share.note}."
    limits = f"{share.estimate:.3g} of the rows are wrong ({share.lower:.3g} to {share.upper:.3g}"
    if share.method == "model-based":
        return f"Model-based, no labels: {limits}; {share.note})."
    kind = {
        "labels and scores": f"95% limits from {share.labelled} labels and all scores",
        "labels alone, exact": f"exact 95% limits from {share.labelled} labels: fewer than"
        f" {auditing.FEW} of either kind, so the scores were not used",
    }.get(share.method, share.method)
    note = f"; {share.note}" if share.note else ""
    return f"{limits}; {kind}{note})."


def calibration_table(calibration: Calibration, on_known: Mapping[str, OnKnown]) -> Table:
    """The calibration as a table: a line per detector, the chosen one marked; with the AUROC on
    rows whose truth is known where there are enough of them."""
    known = (
        Column("known", "AUROC, known rows", "rate"),
        Column("known_lower", "lower", "rate"),
        Column("known_upper", "upper", "rate"),
    )
    columns = (
        Column("detector", "detector"),
        Column("epoch", "epoch", "dose"),
        Column("auroc", "AUROC", "rate"),
        Column("lower", "lower", "rate"),
        Column("upper", "upper", "rate"),
        Column("average_precision", "average precision", "rate"),
        Column("precision", "precision at the planted rate", "rate"),
        Column("consistent", "AUROC, consistent", "rate"),
        *(known if on_known else ()),
        Column("status", "status"),
        Column("note", "note", "long"),
    )
    rows = tuple(
        (
            m.name,
            "all" if m.when == 0 else m.when,
            *(m.auroc, m.lower, m.upper, m.average_precision, m.precision, m.consistent),
            *(_known_cells(on_known.get(m.name)) if on_known else ()),
            "chosen, " * (m.name == calibration.chosen) + m.status,
            m.note + "a control: never chosen" * (m.name in auditing.CONTROLS),
        )
        for m in calibration.table
    )
    how = ", ".join(f"{k} {v}" for k, v in sorted(calibration.how.items()))
    title = (
        f"{calibration.random} rows made wrong one by one ({how}), {calibration.consistent} by"
        " whole facts"
    )
    return Table("calibration", title, columns, rows)


def _known_cells(found: OnKnown | None) -> tuple[float | None, ...]:
    return (None,) * 3 if found is None else (found.auroc, found.lower, found.upper)


def headline(audit: Audit) -> str:
    """The audit in one sentence: action, share, and how far to trust the ranking."""
    best = audit.calibration.best
    trust = f"ranked by {best.name}, AUROC {best.auroc:.2f} on planted errors"
    if best.status != "detects":
        trust += " (near chance: the ranking can't be relied on)"
    if (known := audit.on_known.get(best.name)) is not None:
        trust += f", {known.auroc:.2f} ({known.lower:.2f} to {known.upper:.2f}) on known rows"
        trust += " (the ranking can't be relied on)" * known.denied
    return f"{audit.verdict.action.capitalize()}. {share_words(audit.share)} Rows are {trust}."


def warnings(audit: Audit) -> tuple[str, ...]:
    """What a reader must not miss."""
    found = []
    if audit.calibration.best.status != "detects":
        found.append("No detector tells planted errors from other rows: all are near chance.")
    known = audit.on_known.get(audit.calibration.chosen)
    if known is not None and known.denied:
        found.append(
            f"{audit.calibration.chosen} finds planted errors and not the real ones: on the rows"
            " whose truth is known it is near chance. `clean` drops no row for its suspicion."
        )
    if audit.calibration.not_detectable:
        found.append(
            "Consistent errors are not detectable: facts that were made wrong in all their"
            " wordings were missed."
        )
    elif not audit.calibration.consistent:
        found.append(
            "Whether consistent errors would be found is not known: no fact has several wordings"
            " that share a value."
        )
    if not audit.labels and not audit.checked:
        found.append(
            "Detectors were measured on errors made by rule; real ones can be far harder to find,"
            " and no row is labelled or checked here."
        )
    if audit.share.method == "model-based":
        found.append("The share is model-based; label some rows (--label 60) for real limits.")
    if "code" in audit.calibration.how:
        found.append("Planted code mutants were not run: some may still be right.")
    return tuple(found)


def _page(audit: Audit, order: list[int], source: Path, folder: Path) -> AuditPage:
    rows = audit.rows
    best, judge = audit.calibration.best, audit.settings.judge
    epoch = audit.evidence.recording.epochs - 1
    places, _ = auditing.nearest(audit.evidence.row("before", epoch), NEAR)
    told = [m.name for m in audit.calibration.table if m.status == "detects"][:6]
    ranked = {n: auditing.ranks(audit.columns[n]) for n in told if n in audit.columns}
    made = []
    for rank, i in enumerate(order[:SHOWN], 1):
        high = sorted(((r[i], n) for n, r in ranked.items() if r[i] >= 0.8), reverse=True)[:3]
        reasons = ", ".join(f"{n}: above {100 * r:.0f}% of rows" for r, n in high)
        made.append(
            AuditedRow(
                id=rows[i].id,
                line=audit.source.lines[i],
                rank=rank,
                suspicion=float(audit.suspicion[i]),
                prompt=rows[i].prompt[-1].content,
                answer=rows[i].answer,
                state=state_of(audit, rows[i].id),
                reasons=reasons,
                near=_near(audit, i, [int(j) for j in places[i]]),
            )
        )
    predicted = Table(
        "predicted",
        "Rates to be expected at this share",
        (
            Column("series", "series"),
            Column("response", "response"),
            Column("rate", "rate", "rate"),
            Column("lower", "lower", "rate"),
            Column("upper", "upper", "rate"),
        ),
        tuple((p.series, p.response, p.rate, p.lower, p.upper) for p in audit.verdict.predicted),
    )
    return AuditPage(
        title=f"Audit of {source.name}",
        headline=headline(audit),
        share=share_words(audit.share),
        verdict=f"{audit.verdict.action}: {audit.verdict.why}.",
        warnings=warnings(audit),
        facts={
            "rows": len(rows),
            "model": audit.settings.model,
            "detector": best.name,
            "checked": len(audit.checked),
            "labelled": len(audit.labels),
            **({"judge": judge_words(judge.called, audit.judged)} if judge is not None else {}),
        },
        calibration=calibration_table(audit.calibration, audit.on_known),
        predicted=predicted,
        rows=made,
        scores=(
            Scores("suspicion", audit.suspicion.tolist(), 0.0, 1.0),
            *(Scores(n, audit.columns[n].tolist()) for n in told if n in audit.columns),
        ),
        reproduce=(_command(audit, source, folder),),
    )


def _near(audit: Audit, i: int, places: list[int]) -> tuple[NearRow, ...]:
    """Of the rows nearest to a row, the two to hold it against: those known to be right first,
    then those of little suspicion; none that is known to be wrong.
    """
    known, calm = [], []
    for j in places:
        state = state_of(audit, audit.rows[j].id)
        if state in RIGHT:
            known.append((j, f"a near row, {state}"))
        elif state == "open" and audit.suspicion[j] < min(CALM, audit.suspicion[i]):
            calm.append((j, f"a near row of suspicion {audit.suspicion[j]:.2f}, not checked"))
    return tuple(
        NearRow(audit.rows[j].prompt[-1].content, audit.rows[j].answer, note)
        for j, note in (known + calm)[:BESIDE]
    )


def _command(audit: Audit, source: Path, folder: Path) -> str:
    """What makes this page again, as it was given."""
    told = audit.settings
    parts: list[object] = ["datadose", "audit", source, "--model", told.model, "--out", folder]
    parts += ["--epochs", f"{told.epochs:g}", "--folds", told.folds, "--examples", told.examples]
    parts += ["--plant", f"{told.plant:g}", "--seed", told.seed]
    for name, path in (("trusted", told.trusted), ("pool", told.pool), ("study", told.study)):
        parts += [] if path is None else [f"--{name}", path]
    if told.labeller_error:
        parts += ["--labeller-error", f"{told.labeller_error:g}"]
    if (judge := told.judge) is not None:
        # what a file said besides (a key's variable, limits, a price) is not told again
        short = {"served": f"{judge.url}#{judge.model}", "local": f"local:{judge.model}"}
        short |= {"rule": f"rule:{judge.rule}", "classifier": f"classifier:{judge.labels}"}
        parts += ["--judge", short[judge.kind]]
    return shlex.join(map(str, parts))


def audit_text(audit: Audit) -> str:
    """The audit for a terminal: the calibration, warnings, the share and the verdict."""
    from datadose.reporting import table_text

    lines = [table_text(calibration_table(audit.calibration, audit.on_known), drop=("note",))]
    missing = [f"{m.name}: {m.note}" for m in audit.calibration.table if m.auroc is None]
    lines += [f"not measured: {text}" for text in missing]
    if audit.settings.judge is not None:
        lines.append(judge_words(audit.settings.judge.called, audit.judged))
    lines += [f"note: {text}" for text in warnings(audit)]
    lines += ["", share_words(audit.share), f"{audit.verdict.action}: {audit.verdict.why}"]
    return "\n".join(lines)
