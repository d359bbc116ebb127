"""Does the line between the clean and the fully wrong adapter predict where a model breaks?

.venv/bin/python benchmarks/adapter_line.py runs/NAME [--points 9] [--seeds 2] [--out PAGE.md]

For every seed that was run at dose 0 and at the highest dose, the two adapters are mixed at
`points` shares (their products B A, models.interpolated_adapter), and each mixture is asked the
primary choices. The mean rate along the line, read as if the share were the dose, is compared with
what the arms in between gave, and with a straight line between the ends. Trains nothing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from datadose._core import read_json
from datadose.curves import crossing, isotonic
from datadose.evaluation import ask_choices, contentless
from datadose.models import interpolated_adapter, load_base, saved_adapter
from datadose.running import added, lay_out, load_study, plan_arms
from datadose.training import checkpoint_name


def line_rates(folder: Path, shares: np.ndarray, most: int | None) -> tuple[np.ndarray, str, int]:
    """Rates along the line, [seeds, points], of `good` as the run counts it, and the series."""
    study = load_study(folder / "study.yaml")
    design = lay_out(study, added(folder))
    base = load_base(study.model, precision=study.train.precision)
    wanted = study.primary.response, study.primary.relation
    bad = study.primary.response != "domain"
    first = design.cells[0].series
    probes = [
        p
        for p in design.probes[first.pool]
        if p.kind == "choice" and (p.response, p.relation) == wanted
    ]
    prior = contentless(base, probes, system=study.system)
    arms = {}
    for planned in plan_arms(design, base):
        cell = planned.cell
        adapter = folder / "arms" / planned.arm.id / checkpoint_name(1.0)
        own = cell.series.pool == first.pool and (cell.dose == 0 or cell.series == first)
        if own and not cell.control and adapter.is_dir():
            arms[cell.dose, cell.seed] = adapter
    top = study.axis[-1]
    seeds = sorted({s for _, s in arms if (0.0, s) in arms and (top, s) in arms})[:most]
    rates = np.full((len(seeds), len(shares)), np.nan)
    with tempfile.TemporaryDirectory() as scratch:
        for i, seed in enumerate(seeds):
            for j, share in enumerate(shares):
                mixed = interpolated_adapter(
                    arms[0.0, seed], arms[top, seed], float(share), Path(scratch) / f"{i}-{j}"
                )
                with saved_adapter(base, mixed):
                    found = ask_choices(base, probes, system=study.system, prior=prior)
                hit = ("adopted", "wrong") if bad else ("right",)
                rates[i, j] = np.mean([o.kind in hit for o in found])
                print(f"seed {seed}, share {share:.3f}: {rates[i, j]:.3f}", flush=True)
    return rates, first.label, len(probes)


def measured(folder: Path, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Doses of a series and their mean rate of `good`."""
    study = load_study(folder / "study.yaml")
    table = pl.read_parquet(folder / "responses.parquet").filter(
        (pl.col("series") == label)
        & ~pl.col("control")
        & (pl.col("kind") == "choice")
        & (pl.col("response") == study.primary.response)
        & (pl.col("relation") == study.primary.relation)
    )
    means = table.group_by("dose").agg(pl.col("good").mean()).sort("dose")
    return means["dose"].to_numpy(), means["good"].to_numpy()


def benchmark(doses: np.ndarray, rates: np.ndarray, down: bool) -> float | None:
    """Where a monotone curve through `rates` is 0.10 worse than at dose 0."""
    lost = rates[0] - rates if down else rates - rates[0]
    return crossing(doses, isotonic(lost, np.ones(len(lost))), 0.10)


def page(folder: Path, shares: np.ndarray, most: int | None) -> str:
    started = time.monotonic()
    rates, label, probes = line_rates(folder, shares, most)
    if not len(rates):
        raise SystemExit(f"{folder}: no seed has adapters at dose 0 and at the highest dose")
    study = load_study(folder / "study.yaml")
    down = study.primary.response == "domain"
    doses, real = measured(folder, label)
    mean = rates.mean(axis=0)
    top = float(doses[-1])
    along = np.interp(doses / top, shares, mean)
    straight = real[0] + (real[-1] - real[0]) * doses / top
    inner = (doses > 0) & (doses < top)
    record = read_json(folder / "doses.json")["series"][label]
    name = next(k for k in record if k.startswith(study.primary.response))
    known = next(
        t
        for t in record[name]["thresholds"]
        if t["threshold"] == "benchmark" and t["benchmark_response"] == 0.1
    )
    guess = benchmark(shares * top, mean, down)
    plain = benchmark(doses, straight, down)

    def off(rate: np.ndarray) -> str:
        return f"{np.sqrt(np.mean((rate - real)[inner] ** 2)):.3f}" if inner.any() else "n/a"

    def inside(dose: float | None) -> str:
        if dose is None or known["lower"] is None or known["upper"] is None:
            return "can't be said"
        return "inside" if known["lower"] <= dose <= known["upper"] else "outside"

    lines = [
        f"# The line between two adapters: {folder.name}",
        "",
        f"`benchmarks/adapter_line.py`, {len(rates)} seed(s), {len(shares)} mixtures each,"
        f" {probes} primary choices, {(time.monotonic() - started) / 60:.1f} minutes;"
        f" series {label}.",
        "",
        "| dose | measured | along the line | straight |",
        "|---|---|---|---|",
        *(
            f"| {d:.3g} | {m:.3f} | {a:.3f} | {s:.3f} |"
            for d, m, a, s in zip(doses, real, along, straight, strict=True)
        ),
        "",
        f"Root mean square error between the ends: along the line {off(along)}, straight"
        f" {off(straight)}.",
        "",
        f"Benchmark dose at 10 points: measured {_shown(known['estimate'])}"
        f" ({_shown(known['lower'])} to {_shown(known['upper'])}, {known['status']}); along the"
        f" line {_shown(guess)} ({inside(guess)} these limits), straight {_shown(plain)}"
        f" ({inside(plain)}).",
        "",
        "| share of the wrong adapter | " + " | ".join(f"{s:.3f}" for s in shares) + " |",
        "|" + "---|" * (len(shares) + 1),
        "| rate | " + " | ".join(f"{m:.3f}" for m in mean) + " |",
        "",
    ]
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder with LoRA arms")
    parser.add_argument("--points", type=int, default=9, help="mixtures from 0 to 1")
    parser.add_argument("--seeds", type=int, help="at most so many seeds")
    parser.add_argument("--out", type=Path, help="write the page here too")
    args = parser.parse_args()
    text = page(args.run, np.linspace(0, 1, args.points), args.seeds)
    if args.out is not None:
        args.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
