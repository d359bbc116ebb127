"""The files of a proof: prove.json, prove.csv, prove.html, and its text for a terminal."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import reporting
from datadose._core import write_atomic, write_json
from datadose.reporting import Column, ProofPage, Table, shown, to_csv
from datadose.running._named_sets import BASE
from datadose.running._prove import CLEANED, DIRTY

if TYPE_CHECKING:
    from datadose.running._proof import Proof

FILE = "prove.json"


def as_record(proof: Proof) -> dict[str, Any]:
    """prove.json: no times and no paths, so that equal proofs are equal files."""
    first = {s.name: s for s in reversed(proof.sets)}
    return {
        "headline": headline(proof),
        "model": proof.settings.model,
        "seeds": list(proof.settings.seeds),
        "steps": proof.steps,
        "system": proof.system,
        "primary": proof.questions.first,
        "probes": dict(sorted(Counter(proof.questions.group.values()).items())),
        "sets": {n: {"rows": len(s.rows), "dose": s.dose} for n, s in sorted(first.items())},
        "rates": [asdict(r) for r in proof.rates],
        "differences": [{**asdict(g), "equivalent": g.equivalent} for g in proof.gaps],
        "recovered": None if proof.won_back is None else asdict(proof.won_back),
        "share": {"before": asdict(proof.before), "after": asdict(proof.after)},
        "moved": [asdict(m) for m in proof.moved],
    }


def headline(proof: Proof) -> str:
    """The proof in one or two sentences, its limits with it."""
    gap = proof.gap(CLEANED, DIRTY)
    assert gap is not None
    word = "better than" if gap.lower > 0 else "worse than" if gap.upper < 0 else "not told from"
    if word == "not told from" and gap.equivalent:
        word = "as good as"
    text = (
        f"Trained on the cleaned rows the model is {word} trained on the rows as they were:"
        f" {gap.group} {gap.estimate:+.3f} ({gap.lower:+.3f} to {gap.upper:+.3f}),"
        f" {gap.questions} questions, {gap.seeds} seeds."
    )
    back = proof.won_back
    if back is not None and back.estimate is not None:
        assert back.lower is not None
        assert back.upper is not None
        text += (
            f" Of what the wrong rows cost, {back.estimate:.2f} is won back"
            f" ({back.lower:.2f} to {back.upper:.2f})."
        )
    return text


def difference_table(proof: Proof) -> Table:
    """Every paired difference, a line each."""
    columns = (
        Column("group", "questions on"),
        Column("what", "difference"),
        Column("estimate", "estimate", "rate"),
        Column("lower", "lower", "rate"),
        Column("upper", "upper", "rate"),
        Column("equivalent", "within 0.05"),
        Column("questions", "questions", "count"),
        Column("seeds", "seeds", "count"),
    )
    lines = tuple(
        (
            *(g.group, f"{g.one} - {g.other}", g.estimate, g.lower, g.upper),
            *("yes" if g.equivalent else "no", g.questions, g.seeds),
        )
        for g in proof.gaps
    )
    return Table(
        "differences", "Differences, paired by question and seed (95% one-sided)", columns, lines
    )


def rate_table(proof: Proof) -> Table:
    """Every set's rate in every group."""
    columns = (
        Column("group", "questions on"),
        Column("set", "trained on"),
        Column("rows", "rows", "count"),
        Column("rate", "rate", "rate"),
        Column("lower", "lower", "rate"),
        Column("upper", "upper", "rate"),
        Column("asked", "asked", "count"),
    )
    size = {s.name: len(s.rows) for s in proof.sets}
    lines = tuple(
        (r.group, r.name, size.get(r.name), r.rate, r.lower, r.upper, r.asked) for r in proof.rates
    )
    return Table("rates", "Rates over all seeds", columns, lines)


def moved_table(proof: Proof) -> Table:
    """The shares, and where a study's curves put them."""
    columns = (
        *(Column("response", "response"), Column("series", "series")),
        *(Column("before", "before"), Column("after", "after")),
    )

    def span(values: tuple[float | None, float | None, float | None] | None) -> str:
        if values is None or values[0] is None:
            return "n/a"
        return f"{shown(values[0])} ({shown(values[1])} to {shown(values[2])})"

    ends = [(s.estimate, s.lower, s.upper) for s in (proof.before, proof.after)]
    lines = [("wrong share", "", span(ends[0]), span(ends[1]))]
    lines += [(m.response, m.series, span(m.before), span(m.after)) for m in proof.moved]
    return Table("moved", "Where cleaning moved the rows", columns, tuple(lines))


def proof_text(proof: Proof) -> str:
    """The proof for a terminal."""
    parts = [
        reporting.table_text(rate_table(proof)),
        reporting.table_text(difference_table(proof)),
        reporting.table_text(moved_table(proof)),
    ]
    notes = [f"note: {n}" for n in notes_of(proof)]
    return "\n\n".join([*parts, "\n".join([*notes, headline(proof)])])


def notes_of(proof: Proof) -> tuple[str, ...]:
    """What a reader must not miss."""
    found = []
    if len(proof.settings.seeds) == 1:
        found.append("One seed: all limits are conditional on it.")
    base = proof.gap(CLEANED, BASE)
    if base is not None and base.lower <= 0:
        found.append("Training on the cleaned rows was not shown to teach the task at all.")
    if proof.won_back is not None and proof.won_back.estimate is None:
        found.append(f"No recovered share: {proof.won_back.note}.")
    if proof.after.note:
        found.append(f"Wrong share after cleaning: {proof.after.note}.")
    return tuple(found)


def write_proof(proof: Proof, folder: Path) -> None:
    """Write prove.csv, prove.html and, last, prove.json."""
    write_atomic(folder / "prove.csv", to_csv(difference_table(proof)))
    page = ProofPage(
        title="Retrained after cleaning",
        headline=headline(proof),
        warnings=notes_of(proof),
        facts={
            "model": proof.settings.model,
            "seeds": len(proof.settings.seeds),
            "steps of every arm": proof.steps,
            "decides": proof.questions.first,
        },
        tables=(difference_table(proof), rate_table(proof), moved_table(proof)),
    )
    reporting.write_proof_page(page, folder / "prove.html")
    write_json(folder / FILE, as_record(proof))
