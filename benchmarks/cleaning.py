"""Does a model trained on automatically cleaned rows do as well as on rows cleaned by an oracle?

.venv/bin/python benchmarks/cleaning.py --work runs/cleaning --out docs/results/cleaning.md

For every seed a pack is mixed at a known dose, its rows are audited (`datadose audit --label`, with
labels simulated from the truth, for the drawn rows only) and cleaned (`datadose clean`, the
rule `careful`). Arms at equal steps: dirty, cleaned, random-pruned, oracle, and the rows left by
pruning a fixed 70%. The same again at dose 0. What is finished stays in --work; --seed and --part
do one seed and one part, so that the work can be cut into short jobs.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datadose import curves
from datadose._core import read_json, write_json, write_jsonl
from datadose.auditing import Session, auroc
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import Mix, mix_pool, read_rows, write_rows
from datadose.running import (
    AuditSettings,
    CleanSettings,
    Gap,
    Questions,
    arm_of_set,
    choose_questions,
    clean,
    compare,
    drawn_labels,
    make_sets,
    rates,
    run_audit,
    run_sets,
    share_after,
)
from datadose.schema import NamedSet, Pool, Recipe, Row, SetSeries, TrainingSet
from datadose.training import total_steps

SYSTEM = "Answer in one sentence."
FIXED = "fixed-70"
CLEAN, CLEAN_CLEANED = "clean", "clean cleaned"
PARTS = ("audit", "arms", "fixed", "zero")
PAIRS = (
    *(("cleaned", "oracle"), ("cleaned", "random-pruned"), ("cleaned", "dirty")),
    *(("dirty", "oracle"), ("random-pruned", "oracle"), (FIXED, "oracle"), ("oracle", "base")),
    *((CLEAN_CLEANED, CLEAN), (CLEAN, "base")),
)


@dataclass(frozen=True)
class Audited:
    """One seed's audit and cleaning, with what only the truth can tell."""

    seed: int
    rows: tuple[Row, ...]
    wrong: dict[str, bool]
    cleaned: tuple[Row, ...]
    suspicion: np.ndarray
    line: tuple[str, ...]
    dropped: int
    lost: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", default="finance")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--facts", type=int, default=32)
    parser.add_argument("--wordings", type=int, default=3)
    parser.add_argument("--dose", type=float, default=0.25)
    parser.add_argument("--epochs", type=float, default=1.5)
    parser.add_argument("--labels", type=int, default=40)
    parser.add_argument("--audit-epochs", type=float, default=2)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--zero-audit-epochs", type=float, default=1)
    parser.add_argument("--outside", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--part", choices=PARTS, help="only this one")
    parser.add_argument("--work", type=Path, default=Path("runs/cleaning"))
    parser.add_argument("--finished", action="store_true", help="report what is finished")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    seeds = range(o.seeds) if o.seed is None else [o.seed]
    parts = () if o.finished else PARTS if o.part is None else (o.part,)
    for part in parts:
        for seed in seeds:
            if part == "audit":
                audited(o, seed, o.dose)
            elif part == "zero":
                audited(o, seed, 0.0)
                arms(o, zero_sets(o, seed))
            else:
                arms(o, sets(o, seed, fixed=part == "fixed"))
    if o.seed is None and o.part is None:
        lines = report(o)
        print("\n".join(lines))
        if o.out:
            o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def mixed(o: argparse.Namespace, seed: int, dose: float) -> TrainingSet:
    """The first wordings of the first facts, at a dose; one row in so many of a fact is wrong."""
    pool = load_pack(o.pack).pool
    facts, seen, items = set(pool.facts[: o.facts]), dict.fromkeys(pool.facts, 0), []
    for item in pool.items:
        seen[item.fact] += 1
        if item.fact in facts and seen[item.fact] <= o.wordings:
            items.append(item)
    pool = Pool(name=pool.name, items=tuple(items))
    mix = Mix(severity="subtle", structure="random", unit="row", seed=seed, system=SYSTEM)
    return mix_pool(pool, dose, mix)


def audited(o: argparse.Namespace, seed: int, dose: float) -> Audited:
    """Audit and clean one seed's rows as the commands do; the truth is read to label drawn rows."""
    folder = o.work / f"dose-{dose:g}-seed-{seed}"
    made = mixed(o, seed, dose)
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(folder / "rows.jsonl", made.rows)
    wrong = dict(zip((r.id for r in made.rows), made.wrong, strict=True))
    write_jsonl(folder / "truth.jsonl", ({"id": i, "wrong": w} for i, w in wrong.items()))
    epochs = o.audit_epochs if dose else o.zero_audit_epochs
    settings = AuditSettings(model=o.model, epochs=epochs, folds=o.folds if dose else 0, seed=seed)

    def person(session: Session, rows: object) -> Session:
        while session.current is not None:
            session = session.press("y" if wrong[session.current] else "n")
        return session

    if not (folder / "audit" / "prior.json").is_file():
        found = run_audit(
            folder / "rows.jsonl", folder / "audit", settings, label=o.labels, ask=person
        )
        write_json(folder / "audit" / "prior.json", found.calibration.prior)
    how = CleanSettings(audit=folder / "audit")
    done = clean(folder / "rows.jsonl", folder / "clean", how)
    with (folder / "audit" / "scores.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    suspicion = np.array([float(line["suspicion"]) for line in table])
    truth = np.array([wrong[line["id"]] for line in table])
    record = read_json(folder / "audit" / "audit.json")
    chosen = next(m for m in record["calibration"] if m["name"] == record["chosen"]["name"])
    gone = [d for d in done.decisions if d.fate == "dropped"]
    told = sum(d.reason == "known wrong" for d in gone)
    hits = sum(wrong[d.id] for d in gone)
    after = share_after(
        made.rows, done.decisions, suspicion.tolist(), drawn_labels(folder / "audit", made.rows)
    )
    kept = read_rows(folder / "clean" / "cleaned.jsonl").rows
    left = sum(wrong[r.id] for r in kept) / len(kept)
    share = record["share"]
    by_truth = f"{auroc(suspicion, truth):.2f}" if dose else "n/a"
    line = (
        f"{dose:g}",
        str(seed),
        f"{chosen['name']}, {chosen['auroc']:.2f} ({chosen['lower']:.2f} to {chosen['upper']:.2f})",
        by_truth,
        f"{share['estimate']:.3f} ({share['lower']:.3f} to {share['upper']:.3f})",
        f"{len(gone)} of {len(made.rows)}",
        f"{told} + {len(gone) - told}",
        f"{hits} of {sum(truth)}",
        f"{left:.3f}",
        "n/a" if after.estimate is None
        else f"{after.estimate:.3f} ({after.lower:.3f} to {after.upper:.3f})",
    )  # fmt: skip
    return Audited(seed, made.rows, wrong, kept, suspicion, line, len(gone), len(gone) - hits)


def questions(o: argparse.Namespace) -> Questions:
    return choose_questions([o.pack], mixed(o, 0, 0.0).rows, outside=o.outside)


def sets(o: argparse.Namespace, seed: int, *, fixed: bool) -> list[NamedSet]:
    """The arms of one seed at the dose; `fixed`: only the rows that pruning 70% leaves."""
    a = audited(o, seed, o.dose)
    if not fixed:
        return list(make_sets(a.rows, a.cleaned, [seed], a.wrong))
    left = len(a.rows) - round(0.7 * len(a.rows))
    order = np.argsort(a.suspicion, kind="stable")[:left]
    rows = tuple(a.rows[i] for i in sorted(order.tolist()))
    return [NamedSet(name=FIXED, seed=seed, rows=rows, wrong=tuple(a.wrong[r.id] for r in rows))]


def zero_sets(o: argparse.Namespace, seed: int) -> list[NamedSet]:
    """The clean rows, and what cleaning left of them."""
    a = audited(o, seed, 0.0)
    return [
        NamedSet(name=name, seed=seed, rows=rows, wrong=(False,) * len(rows))
        for name, rows in ((CLEAN, a.rows), (CLEAN_CLEANED, a.cleaned))
    ]


def series_of(o: argparse.Namespace, made: list[NamedSet]) -> SetSeries:
    asked = questions(o)
    recipe = Recipe(epochs=o.epochs, checkpoints=(1.0,))
    total = len(mixed(o, 0, 0.0).rows)
    return SetSeries(
        name=o.pack,
        model=o.model,
        sets=tuple(made),
        probes=asked.probes,
        train=recipe.model_copy(update={"steps": total_steps(total, recipe)}),
        system=SYSTEM,
        primary=asked.primary,
    )


def arms(o: argparse.Namespace, made: list[NamedSet]):  # type: ignore[no-untyped-def]
    """Train and ask what is not yet; the table of these sets."""
    return run_sets(
        series_of(o, made),
        o.work / "arms",
        base=load_base(o.model),
        on_event=lambda e: e["event"] == "set" and print(e["set"], e["seed"], flush=True),
    )


def complete(o: argparse.Namespace) -> tuple[list[NamedSet], list[Audited], list[Audited]]:
    """The sets that are answered, seed by seed, and the audits of both doses."""
    base = load_base(o.model)
    made: list[NamedSet] = []
    found: dict[float, list[Audited]] = {o.dose: [], 0.0: []}
    for seed in range(o.seeds):
        for dose in found:
            if not (o.work / f"dose-{dose:g}-seed-{seed}" / "audit" / "prior.json").is_file():
                continue
            found[dose].append(audited(o, seed, dose))
            parts = (
                [sets(o, seed, fixed=False), sets(o, seed, fixed=True)]
                if dose
                else [zero_sets(o, seed)]
            )
            for own in parts:
                series = series_of(o, own)
                arm_ids = [arm_of_set(one, series, base).id for one in own]
                places = [o.work / "arms" / "arms" / i / "answers" for i in arm_ids]
                if all(any(p.glob("*.json")) for p in places):
                    made += own
    return made, found[o.dose], found[0.0]


def report(o: argparse.Namespace) -> list[str]:
    """The page: audits, rates, differences, and what was to be shown."""
    made, audits, zeros = complete(o)
    table = arms(o, made)
    asked = questions(o)
    gaps = compare(table, asked.group, PAIRS)
    alike = compare(table, asked.group, PAIRS, target="like these")
    return [
        *shown(o, table, asked, gaps, audits, zeros),
        "## Audits and what cleaning did",
        "",
        f"{len((audits or zeros)[0].rows)} rows; {o.labels} labels. Audits at dose {o.dose:g}:"
        f" {o.audit_epochs:g} epochs, {o.folds} folds; at dose 0: {o.zero_audit_epochs:g} epochs,"
        " no folds. Dropped: labelled wrong + suspicious.",
        "",
        "| dose | seed | detector, AUROC on planted | on the truth | wrong share by the audit"
        " | dropped | labelled + suspicious | truly wrong among them | true share after"
        " | share after by the labels |",
        "|---" * 10 + "|",
        *(f"| {' | '.join(a.line)} |" for a in (*audits, *zeros)),
        "",
        "## Rates",
        "",
        "| questions on | trained on | rate | lower | upper | asked |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r.group} | {r.name} | {r.rate:.3f} | {r.lower:.3f} | {r.upper:.3f} | {r.asked} |"
            for r in rates(table, asked.group)
        ),
        "",
        f"By seed, {asked.first}:",
        "",
        *by_seed(table, asked),
        "",
        "## Differences, paired by question and seed",
        "",
        "One-sided 95% limits. `these`: questions fixed, seeds a sample. `like these`: both.",
        "",
        "| questions on | difference | estimate | these | like these |",
        "|---|---|---|---|---|",
        *(
            f"| {g.group} | {g.one} - {g.other} | {g.estimate:+.3f} | {limits(g)} | {limits(h)} |"
            for g, h in zip(gaps, alike, strict=True)
        ),
    ]


def limits(g: Gap) -> str:
    return f"{g.lower:+.3f} to {g.upper:+.3f}"


def by_seed(table, asked: Questions) -> list[str]:  # type: ignore[no-untyped-def]
    import polars as pl

    own = table.filter(
        pl.col("question").is_in([q for q, g in asked.group.items() if g == asked.first])
    )
    names = own["set"].unique(maintain_order=True).to_list()
    seeds = sorted(s for s in own["seed"].unique().to_list() if s is not None)
    lines = ["| seed | " + " | ".join(names[1:]) + " |", "|---" * len(names) + "|"]
    for seed in seeds:
        part = own.filter(pl.col("seed") == seed)
        found = [part.filter(pl.col("set") == n)["good"].mean() for n in names[1:]]
        lines.append(
            f"| {seed} | " + " | ".join("n/a" if r is None else f"{r:.3f}" for r in found) + " |"
        )
    return lines


def shown(o, table, asked, gaps, audits, zeros) -> list[str]:  # type: ignore[no-untyped-def]
    """What the run was to show, each with its figure and yes or no."""
    import polars as pl

    own = {(g.one, g.other): g for g in gaps if g.group == asked.first}

    def said(what: str, one: str, other: str, holds: Callable[[Gap], bool]) -> str:
        g = own.get((one, other))
        if g is None:
            return f"- {what}: not run."
        seeds = f", {g.seeds} seeds" if g.seeds != o.seeds else ""
        return f"- {what}: {g.estimate:+.3f} ({limits(g)}{seeds}): {'yes' if holds(g) else 'no'}."

    part = table.filter(
        pl.col("question").is_in([q for q, g in asked.group.items() if g == asked.first])
    )
    loss, won = own.get(("dirty", "oracle")), "- Recovered share: not run."
    if loss is not None:
        arms_of = (part.filter(pl.col("set") == n) for n in ("dirty", "cleaned", "oracle"))
        back = curves.recovered(*arms_of)
        won = (
            f"- Recovered share: {back.estimate:.2f} ({back.lower:.2f} to {back.upper:.2f})."
            if back.estimate is not None
            else f"- Recovered share: not printed ({back.note};"
            f" dirty minus oracle {loss.estimate:+.3f}, {limits(loss)})."
        )
    some = next(g for g in gaps if g.group == asked.first)
    steps = {read_json(p)["steps"] for p in (o.work / "arms" / "arms").glob("*/train.json")}
    lines = [
        f"{o.pack}: {o.facts} facts in {o.wordings} wordings, {len((audits or zeros)[0].rows)}"
        f" rows, subtle, random, {some.seeds} of {o.seeds} seeds,"
        f" {'/'.join(map(str, sorted(steps)))} steps an arm. {some.questions} questions decide"
        f" ({asked.first}).",
        "",
        said("Cleaned minus oracle, lower limit above -0.05", "cleaned", "oracle",
             lambda g: g.lower > -0.05),
        said("Cleaned minus random-pruned above 0", "cleaned", "random-pruned",
             lambda g: g.lower > 0),
        said("Pruning a fixed 70% minus oracle, lower limit above -0.05", FIXED, "oracle",
             lambda g: g.lower > -0.05),
        won,
    ]  # fmt: skip
    if zeros:
        places = [o.work / f"dose-0-seed-{z.seed}" / "audit" / "audit.json" for z in zeros]
        shares = [read_json(p)["share"] for p in places]
        low, high = min(s["upper"] for s in shares), max(s["upper"] for s in shares)
        most = max(z.dropped / len(z.rows) for z in zeros)
        lines += [
            f"- Dose 0: the share's limits contain 0 in {sum(s['lower'] == 0 for s in shares)} of"
            f" {len(zeros)} audits (upper limits {low:.3f} to {high:.3f}).",
            f"- Dose 0: at most 2% of rows dropped (most: {100 * most:.1f}%):"
            f" {'yes' if most <= 0.02 else 'no'}.",
        ]
    lines.append(
        said("Dose 0: cleaned minus clean equivalent within 0.05", CLEAN_CLEANED, CLEAN,
             lambda g: g.equivalent)
    )  # fmt: skip
    return [*lines, ""]


if __name__ == "__main__":
    main()
