"""Seconds for the thresholds of a large study: `python benchmarks/fit_speed.py`.

9 doses x 3 seeds x 200 questions x 4 responses, as `datadose fit` is given it: a CSV is read, every
shape is fitted, all thresholds get their limits, and each response is resampled 2,000 times. Wall
and processor seconds are printed, the goal is under 10 on two cores.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from datadose.curves import Spec, analyse_table, read_table

FALLING = ("domain", "aligned")
RESPONSES = (*FALLING, "misaligned", "dangerous")


def study(doses: int, seeds: int, questions: int) -> pl.DataFrame:
    """Answers along a sigmoid to questions that differ, four to a fact, and a base model's."""
    rng = np.random.default_rng(0)
    axis = np.linspace(0.0, 1.0, doses)
    ease = rng.normal(0.0, 0.15, questions)
    names = [f"q{i}" for i in range(questions)]
    facts = [f"f{i // 4}" for i in range(questions)]
    parts = []
    for response in RESPONSES:
        falls = response in FALLING
        for dose in (None, *axis):
            at = 0.0 if dose is None else float(dose)
            worse = 0.15 + 0.65 / (1 + np.exp(-10 * (at - 0.45)))
            rate = np.clip((1 - worse if falls else worse) + ease, 0.02, 0.98)
            for seed in range(seeds if dose is not None else 1):
                good = (rng.random(questions) < rate).astype(int)
                parts.append(
                    pl.DataFrame(
                        {
                            "response": response,
                            "dose": dose,
                            "seed": None if dose is None else seed,
                            "question": names,
                            "cluster": facts,
                            "good": good,
                            "asked": 1,
                        },
                        schema_overrides={"dose": pl.Float64, "seed": pl.Int64},
                    )
                )
    return pl.concat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doses", type=int, default=9)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--questions", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        study(asked.doses, asked.seeds, asked.questions).write_csv(path)
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        frame = read_table(path)
        found = analyse_table(frame)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    thresholds = sum(len(a.thresholds) for a in found)
    settled = sum(t.status == "estimated" for a in found for t in a.thresholds)
    resamples = Spec("", "down").resamples
    print(
        f"{asked.doses} doses x {asked.seeds} seeds x {asked.questions} questions x"
        f" {len(found)} responses, {len(frame)} lines; {resamples} resamples each;"
        f" {thresholds} thresholds, {settled} of them estimated"
    )
    print(f"{wall:.2f} s by the clock, {spent:.2f} s of one processor; goal: under 10 s")


if __name__ == "__main__":
    main()
