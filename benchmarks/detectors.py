"""Do detectors find wrong rows that another family of corruptors made? One setting a call.

A pack is mixed at a known dose, its own written wrong answers standing in; detectors are measured
and one is chosen on errors that `plant` made in a copy, and then all are held against the truth,
which nothing before this script's last step reads. Most facts stand in all their wordings, some in
one only. Every choice is made twice: from all detectors, and without those that compare a row with
others near it. What is finished stays in --work, and so does the result, NAME.json, which
detectors_page.py reads.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datadose._core import generator, read_json, write_json
from datadose.auditing import (
    CONTROLS,
    VIEWS,
    Calibration,
    Evidence,
    Measured,
    NotMeasuredError,
    Planted,
    auroc,
    average_precision,
    calibrate,
    column_of,
    draw_sample,
    gather_evidence,
    on_known,
    plant,
    precision_at,
    ranks,
)
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import Mix, mix_pool
from datadose.running import AuditSettings
from datadose.schema import Pool, Recipe, Row
from datadose.training import load_recording, record_run

NEIGHBOURS = tuple(name for name, view in VIEWS.items() if view == "other rows")
EXAMPLES = AuditSettings().examples
LABELS = 60
DRAWS = 400
PRECISION = "precision.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", default="health")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--facts", type=int, default=24, help="facts in all their wordings")
    parser.add_argument("--single", type=int, default=40, help="facts in one wording")
    parser.add_argument("--dose", type=float, default=0.25)
    parser.add_argument("--severity", default="subtle")
    parser.add_argument("--structure", default="random")
    parser.add_argument("--unit", default=None, help="row; fact where errors are consistent")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument(
        "--trusted", type=int, default=0, help="facts not in the set whose right rows are trusted"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("runs/detectors"))
    parser.add_argument(
        "--two-runs",
        action="store_true",
        help="as `audit` does it: the truth in a run on the rows themselves, not in the copy's"
        " untouched rows",
    )
    o = parser.parse_args()
    unit = o.unit or ("fact" if o.structure == "consistent" else "row")
    pool, good = sample(load_pack(o.pack).pool, o.facts, o.single, o.trusted, o.seed)
    if len(good.facts) < o.trusted:
        raise SystemExit(f"{o.pack} has {len(good.facts)} facts left to trust, not {o.trusted}")
    mix = Mix(severity=o.severity, structure=o.structure, unit=unit, seed=o.seed)
    made = mix_pool(pool, o.dose, mix)
    name = f"{o.pack}-{o.severity}-{o.structure}-{unit}-{o.dose:g}-{o.seed}-{o.facts}+{o.single}"
    name += f"-{o.epochs:g}-{o.folds}" + f"-{o.trusted}" * bool(o.trusted) + "-two" * o.two_runs
    setting = {
        key: getattr(o, key)
        for key in ("pack", "model", "facts", "single", "dose", "severity", "structure", "epochs",
                    "folds", "trusted", "seed")
    } | {"kind": "trusted" if o.trusted else "pack"}  # fmt: skip
    setting |= {"unit": unit, "two_runs": o.two_runs}
    counts = Counter(i.fact for i in pool.items)
    once = np.array([counts[i.fact] == 1 for i in pool.items])
    found = run(
        made.rows,
        np.array(made.wrong),
        {"all": np.ones(len(once), dtype=bool), "several": ~once, "single": once},
        o.work / name,
        model=o.model,
        recipe=Recipe(epochs=o.epochs, checkpoints=(1.0,)),
        seed=o.seed,
        folds=o.folds,
        trusted=mix_pool(good, 0.0, mix).rows if o.trusted else (),
        two_runs=o.two_runs,
    )
    write_json(o.work / f"{name}.json", setting | found)
    print("\n".join(told(setting | found)))


def sample(pool: Pool, facts: int, single: int, trusted: int, seed: int) -> tuple[Pool, Pool]:
    """`facts` facts with all their wordings and `single` others with one, drawn by `seed`; and
    `trusted` others with all theirs."""
    rng = generator(seed, "detectors", pool.name)
    names = [pool.facts[i] for i in rng.permutation(len(pool.facts))]
    whole, rest = set(names[:facts]), names[facts : facts + single]
    of = {n: [i for i, item in enumerate(pool.items) if item.fact == n] for n in rest}
    places = {int(rng.choice(of[n])) for n in rest}
    items = [item for i, item in enumerate(pool.items) if item.fact in whole or i in places]
    aside = set(names[facts + single :][:trusted])
    return (
        Pool(name=pool.name, items=tuple(items)),
        Pool(name=pool.name, items=tuple(i for i in pool.items if i.fact in aside)),
    )


def run(
    rows: Sequence[Row],
    wrong: np.ndarray,
    parts: dict[str, np.ndarray],
    folder: Path,
    *,
    model: str,
    recipe: Recipe,
    seed: int,
    folds: int,
    trusted: Sequence[Row] = (),
    two_runs: bool = False,
) -> dict[str, Any]:
    """Record, choose on planted rows, and only then hold against `wrong`; `parts` are row masks."""
    planted = plant(rows, seed=seed)
    clock = folder / "seconds.json"
    began, cpu = time.monotonic(), cpu_seconds()
    how = {"model": model, "recipe": recipe, "seed": seed, "folds": folds, "trusted": trusted}
    evidence = {"planted": followed(planted.rows, folder / "planted", **how)}
    if two_runs:
        evidence["own"] = followed(rows, folder / "own", **how)
    if not clock.is_file():
        write_json(clock, {"wall": time.monotonic() - began, "cpu": cpu_seconds() - cpu})
    kept = np.ones(len(wrong), dtype=bool)
    if not two_runs:
        kept[[*planted.random, *planted.consistent]] = False
    own = evidence.get("own", evidence["planted"])
    return judged(evidence["planted"], planted, own, wrong, kept, parts) | {
        "seconds": read_json(clock),
        "precision": read_json(folder / "planted" / PRECISION),
    }


def followed(
    rows: Sequence[Row],
    folder: Path,
    *,
    model: str,
    recipe: Recipe,
    seed: int,
    folds: int,
    trusted: Sequence[Row] = (),
    ask: bool = True,
) -> Evidence:
    """A recorded run with all that detectors read; no model is loaded where all is there. `ask`
    false leaves what is asked besides to a later call."""
    done = folder / "evidence.npz"
    if done.is_file():
        return Evidence(tuple(rows), load_recording(folder), dict(np.load(done)))
    base = load_base(model)
    recording = record_run(base, rows, recipe, seed, folder, trusted=trusted)
    write_json(folder / PRECISION, base.precision)
    if not ask:
        return Evidence(tuple(rows), recording)
    found = gather_evidence(
        base, rows, recording, recipe, seed, folder, folds=folds, examples=EXAMPLES
    )
    part = folder / "evidence.part.npz"
    np.savez(part, allow_pickle=False, **found.asked)
    part.replace(done)
    return found


def judged(
    copy: Evidence,
    planted: Planted,
    own: Evidence,
    wrong: np.ndarray,
    kept: np.ndarray,
    parts: dict[str, np.ndarray],
) -> dict[str, Any]:
    """Every detector on planted rows and, by part, on the true wrong ones among `kept`."""
    masks = {name: mask & kept for name, mask in parts.items()}
    masks = {n: m for n, m in masks.items() if wrong[m].any() and not wrong[m].all()}
    choices = {}
    for label, without in (("all", ()), ("no neighbours", NEIGHBOURS)):
        calibration = calibrate(copy, planted, without=without)
        choices[label] = choice(calibration, own, wrong, masks)
    return {
        "rows": len(wrong),
        "counts": {n: [int(wrong[m].sum()), int(m.sum())] for n, m in masks.items()},
        "planted": {
            "random": len(planted.random),
            "consistent": len(planted.consistent),
            "how": planted.how,
        },
        "choices": choices,
    }


def choice(
    calibration: Calibration, own: Evidence, wrong: np.ndarray, masks: dict[str, np.ndarray]
) -> dict[str, Any]:
    """The table of one calibration, its choice, and the regret by part."""
    every = masks["all"]
    table = []
    for m in calibration.table:
        line: dict[str, Any] = {
            "name": m.name, "when": m.when, "planted": m.auroc, "lower": m.lower,
            "upper": m.upper, "consistent": m.consistent, "status": m.status, "note": m.note,
        }  # fmt: skip
        if m.auroc is not None:
            column = column_of(own, m, calibration)
            line["truth"] = {n: figures(column[k], wrong[k]) for n, k in masks.items()}
        table.append(line)
    able = [x for x in table if "truth" in x and x["name"] not in CONTROLS]
    best = next(x for x in able if x["name"] == calibration.chosen)
    regret = {}
    for part in masks:
        top = max(able, key=lambda x: x["truth"][part]["auroc"])
        gap = top["truth"][part]["auroc"] - best["truth"][part]["auroc"]
        regret[part] = {"best": top["name"], "regret": gap}
    return {
        "chosen": calibration.chosen,
        "parts": [list(p) for p in calibration.parts],
        "views": [[list(p) for p in view] for view in calibration.views],
        "not_detectable": calibration.not_detectable,
        "share": calibration.prior,
        "denied": denied(
            column_of(own, calibration.best, calibration)[every], wrong[every], calibration.best
        ),
        "regret": regret,
        "table": table,
    }


def denied(column: np.ndarray, wrong: np.ndarray, measured: Measured) -> float:
    """How often labels, drawn as an audit draws them, deny that the detector finds real errors."""
    size, found = min(LABELS, len(column)), 0
    for k in range(DRAWS):
        places = draw_sample(ranks(column), size, seed=k).place
        held = on_known({measured.name: column}, {i: bool(wrong[i]) for i in places}, [measured])
        found += any(h.denied for h in held.values())
    return found / DRAWS


def figures(column: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """The three figures of one column; random order has 0.5, the share and the share."""
    return {
        "auroc": auroc(column, wrong),
        "average_precision": average_precision(column, wrong),
        "precision": precision_at(column, wrong, int(wrong.sum())),
    }


def told(result: dict[str, Any]) -> list[str]:
    """What one run found, as plain lines."""
    lines = [", ".join(f"{n}: {w} of {k} wrong" for n, (w, k) in result["counts"].items())]
    lines.append(f"planted {result['planted']}, seconds {result['seconds']}")
    for label, made in result["choices"].items():
        lines.append(f"-- from {label}: {made['chosen']} regret {made['regret']}")
        lines.append(f"   not detectable: {made['not_detectable']} share {made['share']}")
        lines.append(f"   denied by {LABELS} labels: {made['denied']:.2f}")
        for x in made["table"]:
            shown = "".join(f" {n} {f['auroc']:.2f}" for n, f in x.get("truth", {}).items())
            kind = "" if x["consistent"] is None else f" consistent {x['consistent']:.2f}"
            own = "" if x["planted"] is None else f"{x['planted']:.2f}"
            lines.append(f"   {x['name']:<16} {x['when']} planted {own}{kind} |{shown}")
    return lines


def cpu_seconds() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


if __name__ == "__main__":
    try:
        main()
    except NotMeasuredError as error:
        raise SystemExit(str(error)) from error
