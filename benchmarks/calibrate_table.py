"""What `make calibrate` counts of a cell, and the table made of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from calibrate_studies import (
    ARM_SD,
    FACT_SD,
    FACTS,
    QUESTION_SD,
    SEED_SD,
    SHAPES,
    SHIFT_SD,
    SIX,
    SLOPE_SD,
    WORDINGS,
    Cell,
)

WANTED = (
    ("benchmark", 0.05),
    ("benchmark", 0.10),
    ("benchmark", 0.20),
    ("recovery", None),
    ("ed50", None),
    ("parity", None),
)


@dataclass
class Tally:
    """Counts of one cell; `hits` and `closed` by threshold, at two-sided 95%."""

    studies: int = 0
    hits: dict[str, int] = field(default_factory=dict)
    closed: dict[str, int] = field(default_factory=dict)
    defined: dict[str, int] = field(default_factory=dict)
    low: dict[str, int] = field(default_factory=dict)
    high: dict[str, int] = field(default_factory=dict)
    widths: list[float] = field(default_factory=list)
    status: dict[str, dict[str, int]] = field(default_factory=dict)
    right: dict[str, list[int]] = field(default_factory=dict)
    reachable: int = 0
    reachable_inconclusive: int = 0
    one_sided: list[int] = field(default_factory=lambda: [0, 0, 0])

    def add(self, other: Tally) -> None:
        self.studies += other.studies
        self.widths += other.widths
        self.reachable += other.reachable
        self.reachable_inconclusive += other.reachable_inconclusive
        self.one_sided = [a + b for a, b in zip(self.one_sided, other.one_sided, strict=True)]
        for name in ("hits", "closed", "defined", "low", "high"):
            own, theirs = getattr(self, name), getattr(other, name)
            for key, value in theirs.items():
                own[key] = own.get(key, 0) + value
        for key, counts in other.status.items():
            mine = self.status.setdefault(key, {})
            for status, n in counts.items():
                mine[status] = mine.get(status, 0) + n
        for key, (good, n) in other.right.items():
            old = self.right.get(key, [0, 0])
            self.right[key] = [old[0] + good, old[1] + n]


def key_of(name: str, level: float | None) -> str:
    return name if level is None else f"{name} {level:.0%}"


HEAD = (
    "| seeds | doses | shape | closed | coverage | too high | too low | median width | estimated"
    " | below | above or no effect | inconclusive | other |",
    "|" + "---|" * 13,
)


def share(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole else "n/a"


def report(tallies: dict[Cell, Tally], seconds: float, asked: int, more: dict[Cell, Tally]) -> str:
    done = min(t.studies for t in tallies.values())
    short = "" if done >= asked else f" The run was ended early: {asked} a cell were asked for."
    covered = [
        t.hits["benchmark 10%"] / t.closed["benchmark 10%"]
        for c, t in tallies.items()
        if c.seeds == 3 and t.closed.get("benchmark 10%", 0) >= 0.05 * t.studies
    ]
    three = {c: t for c, t in tallies.items() if c.seeds == 3}
    false = [alarm(t) for c, t in tallies.items() if c.shape == "flat"]
    lines = [
        "# Calibration of the thresholds' limits",
        "",
        "Made by `make calibrate` (`benchmarks/calibrate.py`, which says how studies are"
        f" simulated). {done} studies in each of {len(tallies)} cells, {seconds / 60:.0f} minutes."
        f"{short}",
        "",
        f"Each study: {FACTS * WORDINGS} questions on {FACTS} facts, right or wrong; accuracy 0.8"
        " at dose 0. Probit-scale standard deviations: fact"
        f" {FACT_SD}, question {QUESTION_SD}, fact x dose {SLOPE_SD}, seed {SEED_SD}, arm {ARM_SD};"
        f" seed's shift along the log dose {SHIFT_SD}. Target: these questions, seeds random.",
        "",
        "## Benchmark dose, 10 points, two-sided 95%",
        "",
        "`closed`: share of studies with status `estimated` at this level, over which coverage"
        " and median width are taken; all others (inconclusive, open-ended) are in their own"
        " columns and never count as hits. `too high`, `too low`: the interval lies above, below"
        " the truth."
        " Statuses at the usual one-sided 95% limits.",
        "",
        *HEAD,
    ]
    for c, t in tallies.items():
        lines.append(coverage_line(c, t))
    lines += [
        "",
        f"Three seeds: lowest coverage {min(covered, default=float('nan')):.3f}, mean"
        f" {np.mean(covered) if covered else float('nan'):.3f} (goal: at least 0.93 in every cell,"
        f" mean at most 0.98). False alarms on flat (status `estimated` or `below`): highest"
        f" {max(false):.3f} (goal: at most 0.05).",
        "",
        *one_sided(tallies),
        "",
        "With one seed the limits are conditional on that seed; against the truth over all seeds,"
        " as here, they cover too little, which is why reports say so.",
        "",
        "## The other thresholds, three seeds: coverage (closed share)",
        "",
        "| doses | shape | " + " | ".join(key_of(*w) for w in WANTED) + " |",
        "|" + "---|" * (2 + len(WANTED)),
    ]
    for c, t in three.items():
        cells = [
            f"{share(t.hits.get(k, 0), t.closed.get(k, 0))}"
            f" ({share(t.closed.get(k, 0), t.defined.get(k, 0))})"
            for k in (key_of(*w) for w in WANTED)
        ]
        lines.append(f"| {c.doses} | {c.shape} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "## Statuses",
        "",
        "Of the studies that got a status, how many rightly (goal: at least 0.95), over the shapes"
        f" above and {', '.join(s for s in SHAPES if s not in SIX)}.",
        "",
        "| status | seeds | right | of |",
        "|---|---|---|---|",
    ]
    for seeds in (3, 1):
        sums: dict[str, list[int]] = {}
        for c, t in {**tallies, **{c: t for c, t in more.items() if c.shape not in SIX}}.items():
            if c.seeds == seeds:
                for what, (good, n) in t.right.items():
                    old = sums.get(what, [0, 0])
                    sums[what] = [old[0] + good, old[1] + n]
        lines += [f"| {w} | {seeds} | {share(g, n)} | {n} |" for w, (g, n) in sorted(sums.items())]
    lines += [
        "",
        "## Inconclusive where known variances would do",
        "",
        "Of the studies in which the same profile with the true covariance reaches a width of 0.5"
        " or less, the share that came out `inconclusive` (goal: at most 0.20).",
        "",
        "| seeds | doses | shape | such studies | inconclusive |",
        "|---|---|---|---|---|",
    ]
    for c, t in tallies.items():
        lines.append(
            f"| {c.seeds} | {c.doses} | {c.shape} | {t.reachable} |"
            f" {share(t.reachable_inconclusive, t.reachable)} |"
        )
    like = {c: t for c, t in more.items() if c.target != "these"}
    if like:
        lines += ["", "## Questions a sample too (`like these`), three seeds", ""]
        lines += ["The truth is then the curve over all facts like these.", "", *HEAD]
        lines += [coverage_line(c, t) for c, t in like.items()]
    for title, chosen in (
        (f"{15 * WORDINGS} questions on 15 facts", [c for c in more if c.facts == 15]),
        ("Seeds that don't stand apart along the dose", [c for c in more if c.shift == 0.0]),
        ("Seeds that stand 0.10 apart along the log dose", [c for c in more if c.shift == 0.10]),
        (
            "A fall before the lowest dose; one of 6 points; poor from the start",
            [c for c in more if c.shape not in SIX],
        ),
    ):
        if chosen:
            lines += ["", f"## {title}", "", "What the method was not tuned on.", "", *HEAD]
            lines += [coverage_line(c, more[c]) for c in chosen]
    return "\n".join(lines) + "\n"


def one_sided(tallies: dict[Cell, Tally]) -> list[str]:
    """Share of lower and upper limits, each at 95%, that hold: three seeds, 10 points."""
    made = [
        "Each limit alone, at the usual one-sided 95%, where the status is `estimated`:",
        "",
        "| doses | shape | lower limit holds | upper limit holds |",
        "|---|---|---|---|",
    ]
    for c, t in tallies.items():
        n, low, high = t.one_sided
        if c.seeds == 3 and n:
            made.append(f"| {c.doses} | {c.shape} | {share(low, n)} | {share(high, n)} |")
    return made


def alarm(t: Tally) -> float:
    counts = t.status["benchmark 10%"]
    return (counts.get("estimated", 0) + counts.get("below tested doses", 0)) / t.studies


def coverage_line(c: Cell, t: Tally) -> str:
    k = "benchmark 10%"
    closed = t.closed.get(k, 0)
    counts = t.status[k]
    width = f"{np.median(t.widths):.2f}" if t.widths else "n/a"
    above = counts.get("above tested doses", 0) + counts.get("no effect", 0)
    named = ("estimated", "below tested doses", "above tested doses", "no effect", "inconclusive")
    other = t.studies - sum(counts.get(n, 0) for n in named)
    parts = (
        *(c.seeds, c.doses, c.shape, share(closed, t.studies)),
        share(t.hits.get(k, 0), closed),
        share(t.low.get(k, 0), closed),
        share(t.high.get(k, 0), closed),
        width,
        share(counts.get("estimated", 0), t.studies),
        share(counts.get("below tested doses", 0), t.studies),
        share(above, t.studies),
        share(counts.get("inconclusive", 0), t.studies),
        share(other, t.studies),
    )
    return "| " + " | ".join(map(str, parts)) + " |"
