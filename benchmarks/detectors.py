"""Do detectors find wrong rows that another family of corruptors made?

A pack is mixed at a known dose, its own written wrong answers standing in; detectors are measured
and one is chosen on errors that `plant` made in a copy, and then all are held against the truth,
which nothing before this script's last step reads. What is finished stays in --work.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from datadose.auditing import (
    COMBINED,
    CONTROLS,
    Calibration,
    NotMeasuredError,
    auroc,
    average_precision,
    calibrate,
    chosen_column,
    combine,
    gather_evidence,
    plant,
    precision_at,
    score,
)
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import Mix, mix_pool
from datadose.schema import Pool, Recipe
from datadose.training import record_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", default="health")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--facts", type=int, default=30)
    parser.add_argument("--dose", type=float, default=0.25)
    parser.add_argument("--severity", default="subtle")
    parser.add_argument("--structure", default="random")
    parser.add_argument("--unit", default="row")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/detectors"))
    parser.add_argument(
        "--copy-only",
        action="store_true",
        help="one run instead of two: hold the truth against the copy's untouched rows",
    )
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    pool = load_pack(o.pack).pool
    facts = set(pool.facts[: o.facts])
    pool = Pool(name=pool.name, items=tuple(i for i in pool.items if i.fact in facts))
    mix = Mix(severity=o.severity, structure=o.structure, unit=o.unit, seed=o.seed)
    made = mix_pool(pool, o.dose, mix)
    base = load_base(o.model)
    recipe = Recipe(epochs=o.epochs, checkpoints=(1.0,))
    name = f"{o.pack}-{o.severity}-{o.structure}-{o.unit}-{o.dose:g}-{o.seed}-{o.model}"
    planted = plant(made.rows, seed=o.seed)
    evidence = {}
    parts = [("planted", planted.rows), ("own", made.rows)]
    for part, rows in parts[:1] if o.copy_only else parts:
        folder = o.work / name / part
        began, cpu = time.monotonic(), cpu_seconds()
        recording = record_run(base, rows, recipe, o.seed, folder)
        evidence[part] = gather_evidence(
            base, rows, recording, recipe, o.seed, folder, folds=o.folds
        )
        print(part, recording.seconds, f"{time.monotonic() - began:.0f} s",
              f"{cpu_seconds() - cpu:.0f} s of CPU", flush=True)  # fmt: skip
    calibration = calibrate(evidence["planted"], planted)
    lines = report(o, made, planted, calibration, evidence.get("own", evidence["planted"]))
    print("\n".join(lines))
    if o.out:
        o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def cpu_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def report(o, made, planted, calibration: Calibration, own) -> list[str]:  # type: ignore[no-untyped-def]
    """A Markdown table: each detector on planted rows and on the true wrong rows."""
    wrong = np.array(made.wrong)
    kept = np.ones(len(wrong), dtype=bool)
    if o.copy_only:
        kept[[*planted.random, *planted.consistent]] = False
    wrong = wrong[kept]
    held = "the copy's untouched rows" if o.copy_only else "all rows, in a run of their own"
    how = ", ".join(f"{k} {v}" for k, v in calibration.how.items())
    lines = [
        f"## {o.pack}, {o.severity}, {o.structure}, {o.unit}, dose {o.dose:g}, seed {o.seed}",
        "",
        f"{o.model}, {len(made.rows)} rows, {o.epochs:g} epochs, {o.folds} folds. Held against the"
        f" truth: {held}; {int(wrong.sum())} of {len(wrong)} are wrong. Planted:"
        f" {calibration.random} rows one by one ({how}), {calibration.consistent} by whole facts.",
        "",
        "| detector | epoch | AUROC on planted (limits) | planted, consistent | status "
        "| AUROC on the truth | average precision | precision at the true rate |",
        "|---|---|---|---|---|---|---|---|",
    ]
    best = 0.0
    for m in calibration.table:
        if m.auroc is None:
            lines.append(f"| {m.name} | | not measured: {m.note} | | | | | |")
            continue
        column = (
            combine(own, m.name, calibration.parts) if m.name in COMBINED
            else score(own, m.name, m.when)
        )  # fmt: skip
        column = column[kept]
        true = auroc(column, wrong)
        best = max(best, true if m.name not in CONTROLS else 0.0)
        when = "" if m.when is None else "all" if m.when == 0 else str(m.when)
        fixed = "" if m.consistent is None else f"{m.consistent:.2f}"
        mark = "**" if m.name == calibration.chosen else ""
        lines.append(
            f"| {mark}{m.name}{mark} | {when} | {m.auroc:.2f} ({m.lower:.2f} to {m.upper:.2f}) "
            f"| {fixed} | {m.status} | {true:.2f} | {average_precision(column, wrong):.2f} "
            f"| {precision_at(column, wrong, max(1, int(wrong.sum()))):.2f} |"
        )
    chosen = auroc(chosen_column(own, calibration)[kept], wrong)
    lines += [
        "",
        f"Chosen on planted rows: {calibration.chosen}, AUROC {chosen:.2f} on the truth; best in"
        f" hindsight {best:.2f}, regret {best - chosen:.2f}. Random order: 0.50, average precision"
        f" {wrong.mean():.2f}."
        + (" Planted consistent errors: **not detectable**." if calibration.not_detectable else ""),
        f"Model-based share without labels: {calibration.prior}; true {wrong.mean():.2f}.",
        "",
    ]
    return lines


if __name__ == "__main__":
    try:
        main()
    except NotMeasuredError as error:
        raise SystemExit(str(error)) from error
