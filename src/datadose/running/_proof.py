"""`clean --prove` from two sets of rows to prove.json, prove.csv and prove.html."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import auditing, reporting
from datadose._core import InputError, UsageError, read_json, read_jsonl, write_atomic, write_json
from datadose.auditing import Limits, Share
from datadose.curves import Recovered
from datadose.reporting import Column, ProofPage, Table, shown, to_csv
from datadose.running._prove import (
    CLEANED,
    DIRTY,
    Gap,
    Moved,
    Questions,
    Rate,
    choose_questions,
    compare,
    make_sets,
    moves,
    rates,
    won_back,
)
from datadose.running._sets import run_sets
from datadose.schema import NamedSet, Recipe, Row, SetSeries
from datadose.training import total_steps

if TYPE_CHECKING:
    from datadose.models import BaseModel

FILE = "prove.json"


@dataclass(frozen=True)
class ProofSettings:
    """How a cleaning is proved. `probes` are packs or probe files; `epochs` are passes over the
    rows as they were, whose number of steps all arms take; `truth` is a file that says which rows
    are wrong, `study` a run folder whose curves the shares are put on."""

    probes: tuple[str, ...]
    model: str = "smollm2-135m"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: float = 2.0
    truth: Path | None = None
    study: Path | None = None


@dataclass(frozen=True)
class Proof:
    """What retraining showed. `before` and `after` are the wrong shares of the rows and of what
    cleaning left."""

    settings: ProofSettings
    sets: tuple[NamedSet, ...]
    questions: Questions
    steps: int
    system: str | None
    rates: tuple[Rate, ...]
    gaps: tuple[Gap, ...]
    won_back: Recovered | None
    before: Share
    after: Share
    moved: tuple[Moved, ...]

    def gap(self, one: str, other: str) -> Gap | None:
        """The difference of two sets in the group that decides."""
        found = (g for g in self.gaps if (g.one, g.other) == (one, other))
        return next((g for g in found if g.group == self.questions.first), None)


def prove(
    rows: Sequence[Row],
    cleaned: Sequence[Row],
    settings: ProofSettings,
    folder: Path,
    *,
    before: Share,
    after: Share,
    base: BaseModel | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Proof:
    """Train dirty, random-pruned, cleaned and (with a truth) oracle arms for every seed at equal
    steps, ask all of them the same, and write what came out into `folder`.

    Arms lie in `folder`/prove, and the same call goes on where it was stopped. The system prompt
    that most rows have is put before every probe. Raises UsageError without probes or seeds,
    InputError for files that don't fit the rows, GuardError where a result would be false.
    """
    if not settings.probes:
        raise UsageError(
            "a proof needs probes: what should a model that learnt these rows know?",
            next_step="give --probes with a pack or a file of probes (docs/rows.md)",
        )
    limits: tuple[Limits, ...] = ()
    if settings.study is not None:
        limits = auditing.limits_of(read_json(settings.study / "doses.json"))
    truth = None if settings.truth is None else read_truth(settings.truth)
    sets = make_sets(rows, cleaned, settings.seeds, truth)
    questions = choose_questions(settings.probes, rows)
    recipe = Recipe(epochs=settings.epochs, checkpoints=(1.0,))
    recipe = recipe.model_copy(update={"steps": total_steps(len(rows), recipe)})
    system = system_of(rows)
    series = SetSeries(
        name="prove",
        model=settings.model,
        sets=sets,
        probes=questions.probes,
        train=recipe,
        system=system,
        primary=questions.primary,
    )
    table = run_sets(series, folder / "prove", base=base, on_event=on_event)
    proof = Proof(
        settings,
        sets,
        questions,
        recipe.steps or 0,
        system,
        tuple(rates(table, questions.group)),
        tuple(compare(table, questions.group)),
        won_back(table, questions),
        before,
        after,
        tuple(moves(before, after, limits)),
    )
    write_proof(proof, folder)
    return proof


def read_truth(path: Path) -> dict[str, bool]:
    """Which rows are wrong, by id, from JSONL of `id` and `wrong`."""
    try:
        records = list(read_jsonl(path))
        return {str(r["id"]): {True: True, False: False}[r["wrong"]] for r in records}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"is no truth file: {error!r}",
            where=str(path),
            next_step="give JSONL with id and wrong (true or false), as `datadose mix --truth`",
        ) from error


def system_of(rows: Sequence[Row]) -> str | None:
    """The system prompt that most rows have, None where most have none."""
    seen = Counter(
        next((m.content for m in row.prompt if m.role == "system"), None) for row in rows
    )
    return seen.most_common(1)[0][0]


def share_after(
    rows: Sequence[Row],
    suspicion: Sequence[float],
    fates: Mapping[str, str],
    reasons: Mapping[str, str],
    known: Mapping[str, bool],
    probability: Mapping[str, float] | None,
) -> Share:
    """The wrong share of what cleaning left, from the labels that the audit had.

    fates, reasons: of every row, by id. known: labelled rows and whether they are wrong.
    probability: a labelled row's chance to have been drawn; None where that is not known. The
    labels say how many are wrong among the rows that no suspicion dropped, those dropped for their
    label put back; those are then taken out. A cut that leans on the same labels makes this a
    little too good, not too bad.
    """
    left = sum(fates[r.id] != "dropped" for r in rows)
    none = Share(None, None, None, auditing.LEVEL, "none")
    cut = [s for r, s in zip(rows, suspicion, strict=True) if reasons[r.id] == "suspicious"]
    top = min(cut, default=float("inf"))
    inside = [
        i
        for i, r in enumerate(rows)
        if suspicion[i] < top and not (fates[r.id] == "dropped" and r.id not in known)
    ]
    sample = [i for i in inside if rows[i].id in known]
    if probability is None or not sample or not left:
        return _noted(none, "the share after cleaning needs labels of the audit's own draw")
    place = {i: k for k, i in enumerate(inside)}
    import numpy as np

    found = auditing.wrong_share(
        np.array([suspicion[i] for i in inside]),
        [place[i] for i in sample],
        [known[rows[i].id] for i in sample],
        [probability[rows[i].id] for i in sample],
    )
    gone = sum(known[rows[i].id] and fates[rows[i].id] != "kept" for i in sample)

    def rest(x: float | None) -> float | None:
        return None if x is None else min(1.0, max(0.0, (x * len(inside) - gone) / left))

    return Share(
        *(rest(found.estimate), rest(found.lower), rest(found.upper), found.level, found.method),
        *(found.labelled, found.positives, "from the labels among rows that were not suspicious"),
    )


def _noted(share: Share, note: str) -> Share:
    return replace(share, note=note)


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
    base = proof.gap(CLEANED, "base")
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
