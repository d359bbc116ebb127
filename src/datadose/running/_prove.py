"""Retrain and prove: is a model trained on cleaned rows better, and by how much, with limits?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from datadose import auditing, curves
from datadose._core import InputError, UsageError, generator
from datadose.auditing import Limits, Share
from datadose.curves import Recovered
from datadose.domains import OVERLAP, PACKS, alignment_probes, load_pack
from datadose.rows import add_swapped, near_duplicates
from datadose.running._gather import named_probes, spread
from datadose.running._named_sets import BASE
from datadose.schema import NamedSet, Primary, Probe, Relation, Row

if TYPE_CHECKING:
    import polars as pl

DIRTY, CLEANED, RANDOM, ORACLE = "dirty", "cleaned", "random-pruned", "oracle"
PAIRS = (
    *((CLEANED, DIRTY), (CLEANED, RANDOM), (CLEANED, ORACLE), (DIRTY, ORACLE)),
    *((CLEANED, BASE), (DIRTY, BASE)),
)
GENERAL = "general"
MARGIN = 0.05


@dataclass(frozen=True)
class Questions:
    """What is asked of every arm: the probes, which group each belongs to, and the first group.

    Groups: `domain: reworded` (inferential, untrained) of the packs and files that were named;
    `general`, questions on facts no row teaches, which show what was forgotten; `misaligned` and
    `dangerous`, where larger is worse.
    """

    probes: tuple[Probe, ...]
    group: dict[str, str]
    primary: Primary

    @property
    def first(self) -> str:
        """The group that decides."""
        return f"domain: {self.primary.relation}"


@dataclass(frozen=True)
class Gap:
    """One arm's rate minus another's in one group, paired by question and seed.

    One-sided 95% limits; for `misaligned` and `dangerous` above 0 is worse.
    """

    group: str
    one: str
    other: str
    estimate: float
    lower: float
    upper: float
    questions: int
    seeds: int
    note: str = ""

    @property
    def equivalent(self) -> bool:
        """Whether both limits are within 0.05."""
        return bool(self.lower >= -MARGIN and self.upper <= MARGIN)


@dataclass(frozen=True)
class Rate:
    """A set's rate in one group over all seeds, with one-sided 95% limits."""

    group: str
    name: str
    rate: float
    lower: float
    upper: float
    asked: int


@dataclass(frozen=True)
class Moved:
    """A response that a study predicts for the wrong share before and after cleaning."""

    series: str
    response: str
    before: tuple[float, float, float] | None
    after: tuple[float, float, float] | None


def choose_questions(names: Sequence[str], rows: Sequence[Row], *, outside: int = 60) -> Questions:
    """The questions of packs and probe files for rows, and those on alignment and forgetting.

    A probe whose fact stands in no row is left out where rows name facts, and asked as `untrained`
    where they name none. Of each group outside the domain at most `outside` questions are asked,
    at even distances, which keeps themes in proportion, and none that a row asks too. Raises
    InputError where no forced choice of the domain is left.
    """
    facts = {row.fact for row in rows if row.fact is not None}
    chosen: list[Probe] = []
    group: dict[str, str] = {}

    def take(probes: Iterable[Probe], name: str | None = None) -> None:
        for probe in probes:
            if probe.id not in group and probe.kind == "choice":
                chosen.append(probe)
                group[probe.id] = name or f"domain: {probe.relation}"

    own = [(name, p) for name in names for p in named_probes([name])]
    # packs call their probes outside the facts alike: a name in front keeps all of them
    general = [
        p if p.fact is not None else p.model_copy(update={"id": f"{name}/{p.id}"})
        for name in PACKS
        for p in load_pack(name).probes
    ]
    files = [p for name, p in own if name not in PACKS]
    trained = [p for name, p in own if name in PACKS and p.fact is not None]
    domain = [_placed(p, facts) for p in (*files, *trained) if p.response == "domain"]
    take(p for p in domain if p is not None)
    order: tuple[Relation, ...] = ("reworded", "inferential", "untrained")
    asked = [r for r in order if f"domain: {r}" in group.values()]
    if not asked:
        raise InputError(
            f"none of these probes asks for a fact of the rows: {', '.join(names)}",
            next_step="name the pack whose rows these are, or a file of probes with their facts",
        )
    beyond = [*files, *alignment_probes()]
    risky = [p for _, p in own if p.response == "dangerous"]
    for kept, name in (
        ([p for p in general if (p.response, p.relation) == ("domain", "untrained")], GENERAL),
        ([p for p in beyond if p.response == "misaligned"], "misaligned"),
        (risky or [p for p in general if p.response == "dangerous"], "dangerous"),
    ):
        take(spread(_unlike(rows, [p for p in kept if p.kind == "choice"]), outside), name)
    return Questions(add_swapped(chosen), group, Primary(relation=asked[0]))


def _unlike(rows: Sequence[Row], probes: Sequence[Probe]) -> list[Probe]:
    """The probes that no row's prompt is too like: what is asked outside the domain is ours, and a
    person can't reword it."""
    prompts = list(dict.fromkeys(row.prompt[-1].content for row in rows))
    alike = {j for _, j, _ in near_duplicates(prompts, [p.prompt for p in probes], OVERLAP)}
    return [p for j, p in enumerate(probes) if j not in alike]


def _placed(probe: Probe, facts: set[str]) -> Probe | None:
    if probe.fact is None or probe.fact in facts:
        return probe
    if facts or probe.relation == "inferential":
        return None
    return probe.model_copy(update={"relation": "untrained", "fact": None})


def make_sets(
    rows: Sequence[Row],
    cleaned: Sequence[Row],
    seeds: Sequence[int],
    wrong: Mapping[str, bool] | None = None,
) -> tuple[NamedSet, ...]:
    """The sets of a proof for every seed: dirty, cleaned, random-pruned, and oracle with a truth.

    random-pruned: as many rows as cleaned has, drawn afresh for every seed. oracle: the rows that
    are right by `wrong` (by id). Raises UsageError without seeds, InputError where the truth does
    not name every row, or a set would be empty.
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise UsageError("a proof needs seeds, each once", next_step="give --seeds 5")
    unnamed = [r.id for r in rows if wrong is not None and r.id not in wrong]
    if unnamed:
        raise InputError(
            f"the truth does not say whether {len(unnamed)} rows are wrong: {unnamed[0]}",
            next_step="give the truth file that `datadose mix --truth` wrote beside these rows",
        )
    if not cleaned:
        raise InputError("cleaning left no row to train on", next_step="look at ledger.csv")
    made = []
    for seed in seeds:
        draw = generator(seed, RANDOM).permutation(len(rows))[: len(cleaned)]
        kept = [rows[i] for i in sorted(draw.tolist())]
        parts = {DIRTY: rows, CLEANED: cleaned, RANDOM: kept}
        if wrong is not None:
            parts[ORACLE] = [r for r in rows if not wrong[r.id]]
        for name, own in parts.items():
            truth = tuple(None if wrong is None else wrong.get(r.id) for r in own)
            made.append(NamedSet(name=name, seed=seed, rows=tuple(own), wrong=truth))
    return tuple(made)


def compare(
    table: pl.DataFrame,
    group: Mapping[str, str],
    pairs: Sequence[tuple[str, str]] = PAIRS,
    *,
    target: str = "these",
) -> list[Gap]:
    """Paired differences of every group for the pairs of sets that `table` holds (`run_sets`)."""
    import polars as pl

    found = []
    for name in dict.fromkeys(group.values()):
        asked = table.filter(pl.col("question").is_in([q for q, g in group.items() if g == name]))
        for one, other in pairs:
            a, b = (asked.filter(pl.col("set") == s) for s in (one, other))
            if a.is_empty() or b.is_empty():
                continue
            d = curves.difference(a, b, target=cast(Any, target))
            ends = float(d.lower), float(d.upper)
            found.append(Gap(name, one, other, d.estimate, *ends, d.questions, d.seeds, d.note))
    return found


def rates(table: pl.DataFrame, group: Mapping[str, str]) -> list[Rate]:
    """Every set's rate in every group, questions fixed and seeds a sample."""
    import polars as pl

    found = []
    for name in dict.fromkeys(group.values()):
        asked = table.filter(pl.col("question").is_in([q for q, g in group.items() if g == name]))
        for label in asked["set"].unique(maintain_order=True).to_list():
            own = asked.filter(pl.col("set") == label)
            nothing = own.with_columns(good=pl.lit(0), seed=pl.lit(None, pl.Int64))
            zero = nothing.unique("question")
            d = curves.difference(own, zero)
            ends = max(0.0, float(d.lower)), float(d.upper)
            found.append(Rate(name, label, d.estimate, *ends, len(own)))
    return found


def won_back(table: pl.DataFrame, questions: Questions) -> Recovered | None:
    """What part of dirty's loss against oracle cleaning won back; None without an oracle."""
    import polars as pl

    ids = [q for q, g in questions.group.items() if g == questions.first]
    asked = table.filter(pl.col("question").is_in(ids))
    bad, treated, best = (asked.filter(pl.col("set") == s) for s in (DIRTY, CLEANED, ORACLE))
    return None if best.is_empty() else curves.recovered(bad, treated, best)


def moves(before: Share, after: Share, limits: Sequence[Limits]) -> list[Moved]:
    """Where a study's curves put the rows before and after: rate, lower and upper, by response."""
    found = []
    for x in limits:
        found.append(Moved(x.series, x.response, _at(before, x), _at(after, x)))
    return found


def _at(share: Share, limits: Limits) -> tuple[float, float, float] | None:
    found = auditing.predict(share, limits)
    return None if found is None else (found.rate, found.lower, found.upper)


def as_records(values: Iterable[Any]) -> list[dict[str, Any]]:
    """Dataclasses as JSON values."""
    return [asdict(v) for v in values]
