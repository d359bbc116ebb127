"""`clean --prove`: from rows before and after cleaning to a proof, and its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import auditing
from datadose._core import InputError, UsageError, read_json, read_jsonl
from datadose.auditing import Limits, Share
from datadose.curves import Recovered
from datadose.running._clean_files import cleaned_rows
from datadose.running._clean_inputs import read_audit
from datadose.running._gather import named_probes
from datadose.running._named_sets import run_sets
from datadose.running._proof_files import write_proof
from datadose.running._prove import (
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
from datadose.running._share_after import drawn_labels, share_after
from datadose.schema import NamedSet, Recipe, Row, SetSeries
from datadose.training import total_steps

if TYPE_CHECKING:
    from datadose.models import BaseModel
    from datadose.running._clean_settings import Cleaned, CleanSettings

NONE = Share(None, None, None, auditing.LEVEL, "none", note="no audit was given")


@dataclass(frozen=True)
class ProofSettings:
    """How a cleaning is proved. `probes` are packs or probe files; `epochs` are passes over the
    rows as they were, whose number of steps all arms take; `outside` the most questions of each
    group outside the domain; `truth` is a file that says which rows are wrong, `study` a run
    folder whose curves the shares are put on."""

    probes: tuple[str, ...]
    model: str = "smollm2-135m"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    epochs: float = 2.0
    outside: int = 60
    truth: Path | None = None
    study: Path | None = None

    def check(self) -> None:
        """Read what was named, so that faults are told before anything is done."""
        if not self.probes:
            raise UsageError(
                "a proof needs probes: what should a model that learnt these rows know?",
                next_step="give --probes with a pack or a file of probes (docs/rows.md)",
            )
        named_probes(self.probes)
        if self.truth is not None:
            read_truth(self.truth)
        if self.study is not None:
            read_json(self.study / "doses.json")


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
    settings.check()
    limits: tuple[Limits, ...] = ()
    if settings.study is not None:
        limits = auditing.limits_of(read_json(settings.study / "doses.json"))
    truth = None if settings.truth is None else read_truth(settings.truth)
    sets = make_sets(rows, cleaned, settings.seeds, truth)
    questions = choose_questions(settings.probes, rows, outside=settings.outside)
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


def prove_cleaning(
    cleaned: Cleaned,
    how: CleanSettings,
    settings: ProofSettings,
    folder: Path,
    *,
    base: BaseModel | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Proof:
    """`prove` for what `clean` did into `folder`, the shares taken from its audit.

    Raises as `prove` does.
    """
    rows = cleaned.source.rows
    before = after = NONE
    if how.audit is not None:
        audited = read_audit(how.audit, rows, detector=how.detector)
        labelled = drawn_labels(how.audit, rows) if how.detector is None else None
        checked = audited.known.keys() - (labelled.labels if labelled is not None else {}).keys()
        before = audited.share
        after = share_after(rows, cleaned.decisions, audited.suspicion, labelled, checked)
    return prove(
        rows,
        cleaned_rows(rows, cleaned.decisions),
        settings,
        folder,
        before=before,
        after=after,
        base=base,
        on_event=on_event,
    )
