"""Coverage of the thresholds' limits by simulation with truth known: `make calibrate`.

Six shapes x 5 or 9 doses x 1 or 3 seeds, as `calibrate_studies.py` makes them.

The table is written after every round. What was counted is kept in `--state`, so that the same
command goes on where an interrupted one ended; counts made with another engine, or by another
version of these scripts, are refused.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from calibrate_studies import SHAPES, SIX, Cell, Truth, simulate, true_dose
from calibrate_table import WANTED, Tally, key_of, report

import datadose.curves
from datadose._core import InputError, read_json, write_atomic, write_json
from datadose.curves import Spec
from datadose.curves._analyse import analyse_block
from datadose.curves._blocks import Block
from datadose.curves._means import Means, arm_means
from datadose.curves._profile import profile, ratio_limits


@lru_cache(maxsize=64)
def known_covariance(cell: Cell) -> np.ndarray:
    """Covariance of a study's dose means around the truth, from 300 studies of its own."""
    misses = []
    doses = np.linspace(0.0, 1.0, cell.doses)
    for i in range(300):
        block, truth = simulate(cell, np.random.default_rng([cell.number, 10**6 + i]), doses)
        misses.append(block.rate.mean(axis=(0, 2)) - truth.rate)
    m = np.array(misses)
    return m.T @ m / len(m)


def judge(cell: Cell, first: int, count: int) -> tuple[Cell, Tally]:
    """Simulate and analyse studies `first`.. of a cell."""
    tally = Tally()
    spec = Spec("domain", "down", level=0.975, target=cell.target)  # type: ignore[arg-type]
    for i in range(first, first + count):
        rng = np.random.default_rng([cell.number, i])
        block, truth = simulate(cell, rng)
        control = live_control(cell, rng) if cell.shape in ("flat", "slight") else None
        tally.studies += 1
        count_coverage(tally, analyse_block(block, spec, control=control, extras=False), truth)
        usual = analyse_block(block, replace(spec, level=0.95), control=control, extras=False)
        count_statuses(tally, cell, usual, truth, dead=control is None)
        if cell.shape == "flat":
            alone = analyse_block(block, replace(spec, level=0.95), extras=False)
            status = alone.thresholds[1].status
            mark(tally, "flat without a control: instrument dead", status == "instrument dead")
        count_reachable(tally, cell, block, usual)
    return cell, tally


def live_control(cell: Cell, rng: np.random.Generator) -> Block:
    other, _ = simulate(replace(cell, shape="late cliff"), rng, np.zeros(1))
    return other


def mark(tally: Tally, what: str, good: bool) -> None:
    old = tally.right.get(what, [0, 0])
    tally.right[what] = [old[0] + good, old[1] + 1]


def count_coverage(tally: Tally, found: Any, truth: Truth) -> None:
    for name, level in WANTED:
        t = next(
            t for t in found.thresholds if t.threshold == name and t.benchmark_response == level
        )
        key = key_of(name, level)
        true = true_dose(truth, name, level)
        if true is None or not np.isfinite(true) or true <= 0:
            continue
        tally.defined[key] = tally.defined.get(key, 0) + 1
        if t.status not in ("estimated", "inconclusive") or t.upper is None or not t.lower:
            continue
        if t.status == "inconclusive":
            continue
        tally.closed[key] = tally.closed.get(key, 0) + 1
        tally.hits[key] = tally.hits.get(key, 0) + (t.lower <= true <= t.upper)
        tally.low[key] = tally.low.get(key, 0) + (true < t.lower)
        tally.high[key] = tally.high.get(key, 0) + (true > t.upper)
        if key == "benchmark 10%":
            tally.widths.append(t.upper - t.lower)


def count_statuses(tally: Tally, cell: Cell, found: Any, truth: Truth, *, dead: bool) -> None:
    """dead: the highest dose serves as the control, so that a flat curve is a dead instrument."""
    first = 1 / (cell.doses - 1)
    for name, level in WANTED:
        t = next(
            t for t in found.thresholds if t.threshold == name and t.benchmark_response == level
        )
        key = key_of(name, level)
        counts = tally.status.setdefault(key, {})
        counts[t.status] = counts.get(t.status, 0) + 1
        true = true_dose(truth, name, level)
        if name in ("recovery", "ed50") and true is None:
            mark(tally, f"{name} without a gain: not defined", t.status == "not defined")
        if key != "benchmark 10%" or true is None:
            continue
        if t.status == "estimated":
            tally.one_sided[0] += 1
            tally.one_sided[1] += t.lower <= true
            tally.one_sided[2] += t.upper >= true
        elif t.status == "below tested doses":
            mark(tally, "benchmark below tested doses", true <= first)
        elif t.status in ("above tested doses", "no effect"):
            mark(tally, f"benchmark {t.status}", not np.isfinite(true))
        elif t.status == "instrument dead":
            still = float(truth.rate[0] - truth.rate[-1]) < 0.10
            mark(tally, "benchmark instrument dead", dead and still)
        elif t.status == "not defined":
            mark(tally, "benchmark not defined", False)
    count_parity(tally, next(t for t in found.thresholds if t.threshold == "parity"), truth, first)


def count_parity(tally: Tally, t: Any, truth: Truth, first: float) -> None:
    true = true_dose(truth, "parity", None)
    if t.status == "worse at dose 0":
        mark(tally, "parity worse at dose 0", true == 0.0)
    elif t.status == "below tested doses":
        mark(tally, "parity below tested doses", true is not None and true <= first)
    elif t.status == "above tested doses":
        mark(tally, "parity above tested doses", true == np.inf)


def count_reachable(tally: Tally, cell: Cell, block: Block, usual: Any) -> None:
    """Whether a design with known variances would reach width 0.5, and what came of it."""
    t = usual.thresholds[1]
    own = arm_means(block, usual.spec)
    cut = usual.diagnostics["not_monotone_above"]
    known = Means(own.doses, own.worse, known_covariance(cell), 1e6, 1e6)
    if cut is not None:
        known = known.cut(int(np.flatnonzero(own.doses == cut)[0]))
    limits = ratio_limits(profile(known, 0.95), 0.10, 1.0, 0.0, most=1.0)
    if limits.upper is not None and limits.lower > 0 and limits.upper - limits.lower <= 0.5:
        tally.reachable += 1
        tally.reachable_inconclusive += t.status == "inconclusive"


def all_cells() -> list[Cell]:
    return [Cell(s, d, k) for k in (3, 1) for d in (5, 9) for s in SIX]


def status_cells() -> list[Cell]:
    """Where other statuses than `estimated` are the right answer."""
    return [Cell(s, d, 3) for d in (5, 9) for s in SHAPES if s not in SIX]


def harder_cells() -> list[Cell]:
    """What the method was not tuned on: few facts, seeds that stand further or not at all apart."""
    cells = [Cell(s, d, 3) for d in (5, 9) for s in ("linear", "late cliff", "sigmoid")]
    return [
        replace(c, **change)
        for change in ({"facts": 15}, {"shift": 0.0}, {"shift": 0.10})
        for c in cells
    ]


def fingerprint(round_size: int) -> str:
    """Of what must be the same for counts to be added up: the engine, these scripts, the round."""
    here = sorted(Path(__file__).parent.glob("calibrate*.py"))
    sources = [*here, *sorted(Path(datadose.curves.__file__).parent.glob("*.py"))]
    text = b"".join(p.read_bytes() for p in sources) + str(round_size).encode()
    return hashlib.sha256(text).hexdigest()


@dataclass
class Progress:
    """What has been counted so far: whole rounds only."""

    studies: int
    seconds: float
    tallies: dict[Cell, Tally]

    def save(self, path: Path, own: str) -> None:
        counted = [[asdict(c), asdict(t)] for c, t in self.tallies.items() if t.studies]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(
            path,
            {"made_by": own, "studies": self.studies, "seconds": self.seconds, "cells": counted},
        )

    @classmethod
    def load(cls, path: Path, own: str, cells: list[Cell]) -> Progress:
        """Raises InputError where the counts at `path` were made otherwise."""
        empty = {c: Tally() for c in cells}
        if not path.exists():
            return cls(0, 0.0, empty)
        kept = read_json(path)
        found = {Cell(**c): Tally(**t) for c, t in kept["cells"]}
        if kept["made_by"] != own or (found and set(found) != set(cells)):
            raise InputError(
                "these counts were made by another engine, round or choice of cells",
                where=str(path),
                next_step=f"start anew: rm {path}",
            )
        return cls(kept["studies"], kept["seconds"], empty | found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000, help="studies in each cell")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--round", type=int, default=50, help="studies of a cell at a time")
    parser.add_argument("--minutes", type=float, default=55.0, help="start no round after this")
    parser.add_argument("--seeds", type=int, choices=(1, 3), help="only cells with so many seeds")
    parser.add_argument("--out", type=Path, default=Path("docs/results/calibration.md"))
    parser.add_argument("--state", type=Path, default=Path("runs/calibration.json"))
    args = parser.parse_args()
    start = time.monotonic()
    cells = [c for c in all_cells() if args.seeds in (None, c.seeds)]
    also = [replace(c, target="like these") for c in cells if c.seeds == 3]
    also += harder_cells() + status_cells()
    own = fingerprint(args.round)
    try:
        done = Progress.load(args.state, own, [*cells, *also])
    except InputError as error:
        raise SystemExit(str(error)) from error
    before = done.seconds
    with ProcessPoolExecutor(args.processes) as pool:
        for first in range(done.studies, args.studies, args.round):
            if time.monotonic() - start > 60 * args.minutes:
                break
            n = min(args.round, args.studies - first)
            few = max(1, n // 2)
            jobs = [pool.submit(judge, c, first, n) for c in cells]
            jobs += [pool.submit(judge, c, first, few) for c in also]
            for job in jobs:
                cell, tally = job.result()
                done.tallies[cell].add(tally)
            done.studies, done.seconds = first + n, before + time.monotonic() - start
            done.save(args.state, own)
            write(args, done)
            print(f"{done.studies} of {args.studies} a cell, {done.seconds:.0f} s", flush=True)
    if done.studies:
        write(args, done)
        print(args.out.read_text("utf-8"))


def write(args: argparse.Namespace, done: Progress) -> None:
    """The table of what is done so far."""
    main_cells = set(all_cells())
    first = {c: t for c, t in done.tallies.items() if c in main_cells}
    more = {c: t for c, t in done.tallies.items() if c not in main_cells}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(args.out, report(first, done.seconds, args.studies, more))


if __name__ == "__main__":
    main()
