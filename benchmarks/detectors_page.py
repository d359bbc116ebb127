"""The pages of all runs of detectors.py and of detectors_real.py that --work holds."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from detectors import DRAWS, LABELS
from scipy.stats import t as student

from datadose._core import read_json

Run = dict[str, Any]
PACKS = ("coding", "finance", "health", "legal")
SEEDED = ("health", "legal")
FRESH = range(5, 10)
WANTED = 0.85
FIGURES = ("auroc", "average_precision", "precision")
PARTS = {"all": "all rows", "several": "facts in four wordings", "single": "facts in one wording"}
PLANTED = """# Which detectors find wrong rows

`python benchmarks/detectors_page.py` wrote this page from the results of single runs, one setting
a call: `python benchmarks/detectors.py --facts 20 --single 20 --folds 0 --pack health --seed 0`.
Real wrong rows are on a page of their own, `detectors-real.md`.
"""
TRUSTED = """# Detectors that need held-out models or trusted rows

`python benchmarks/detectors_page.py` wrote this page from the results of single runs, one pack a
call: `python benchmarks/detectors.py --facts 20 --single 20 --folds 2 --trusted 20 --pack health`.
Subtle, random errors as in `detectors.md`, whose runs are without these detectors; here they are
measured beside all others. `agreement` compares a row's gradient of the head with that of trusted
rows, right rows of so many facts that are not in the set.
"""
REAL = """# Do detectors find real wrong rows

`python benchmarks/detectors_page.py` wrote this page from the results of single runs, one set a
call: `python benchmarks/detectors_real.py truthfulqa --each 300`. Planted rows are on a page of
their own, `detectors.md`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/detectors"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"), help="a folder")
    o = parser.parse_args()
    runs = [read_json(p) for p in sorted(o.work.glob("*.json"))]
    for kind, head, part, name in (
        ("pack", PLANTED, planted_part, "detectors.md"),
        ("trusted", TRUSTED, trusted_part, "detectors-trusted.md"),
        ("real", REAL, real_part, "detectors-real.md"),
    ):
        own = [r for r in runs if r["kind"] == kind]
        if own:
            text = "\n".join([head, *part(own)]).rstrip() + "\n"
            (o.out / name).write_text(text, encoding="utf-8")
            print(f"{o.out / name}: {len(own)} runs")


def line_of(run: Run, name: str, choice: str = "all") -> dict[str, Any] | None:
    """The line of a detector in a run's table; None where it was not measured."""
    found = [x for x in run["choices"][choice]["table"] if x["name"] == name and "truth" in x]
    return found[0] if found else None


def chosen(run: Run, choice: str = "all") -> dict[str, Any]:
    found = line_of(run, run["choices"][choice]["chosen"], choice)
    assert found is not None
    return found


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" * len(head),
        *("| " + " | ".join(r) + " |" for r in rows),
        "",
    ]


def two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def figures(line: dict[str, Any] | None, part: str) -> list[str]:
    if line is None or part not in line["truth"]:
        return ["", "", ""]
    return [two(line["truth"][part][f]) for f in FIGURES]


def planted_part(runs: list[Run]) -> list[str]:
    some = runs[-1]
    lines = [
        f"Packs of the project at a known dose, {some['model']}: their own written wrong answers"
        " are the truth; detectors are measured, and one is chosen, on errors that `plant` made"
        " by rule (another row's value, another number, a mutant of the code). The truth is held"
        " against the copy's untouched rows, which the choice never saw as wrong or right. A set"
        " has facts in four wordings and facts in one wording. `consistent` flips whole facts,"
        " `random` single rows. `no neighbours` leaves out all detectors that read other rows."
        f" The processor's arithmetic: {', '.join(sorted({r['precision'] for r in runs}))}."
        " What was looked at before: `neighbours`, `in-context` and the rules of `views` were made"
        " on finance and coding, subtle, random, seeds 0 and 1. Health and legal had been seen with"
        " earlier rules, seeds 0 to 4; seeds 5 to 9 were drawn after that, and only they decide"
        " below. That an opinion is still heard of a row that no other is like was settled once"
        " they had been seen; it touches two of the ten runs.",
        "",
        *bound_lines(runs),
        "### Every run",
        "",
        "AUROC of the detector chosen on planted rows. `regret` is the best detector in hindsight"
        " less the chosen one, on all rows. Random order has 0.50 and an average precision (AP) of"
        " the share wrong. `length` is the better of the two controls."
        " The model-based share holds only if real errors look like planted ones; the true one"
        f" stands beside AP. `denied`: in how many of {DRAWS} draws of {LABELS} labels an audit"
        " would have said that real errors are out of the chosen detector's reach.",
        "",
    ]
    lines += run_table(runs)
    return [*lines, *setting_tables(runs), *missing(runs)]


def trusted_part(runs: list[Run]) -> list[str]:
    facts = ", ".join(sorted({str(r["trusted"]) for r in runs}))
    lines = [f"Trusted facts: {facts}. {runs[-1]['model']}; columns as in `detectors.md`.", ""]
    return [*lines, *run_table(runs), *setting_tables(runs)]


def run_table(runs: list[Run]) -> list[str]:
    return table(
        ("setting", "rows", "epochs, folds", "chosen", "planted", "AUROC", "AP (random)",
         "precision", "four wordings", "one wording", "best in hindsight", "regret", "length",
         "no neighbours: chosen", "AUROC", "consistent errors", "share without labels", "denied"),
        [run_row(r) for r in ordered(runs)],
    )  # fmt: skip


def setting_tables(runs: list[Run]) -> list[str]:
    """Every detector's means, one table for each severity, structure and dose."""
    lines: list[str] = []
    groups: dict[tuple[str, str, float], list[Run]] = defaultdict(list)
    for r in ordered(runs):
        groups[r["severity"], r["structure"], r["dose"]].append(r)
    for (severity, structure, dose), members in groups.items():
        packs = ", ".join(sorted({f"{r['pack']} ({r['seed']})" for r in members}))
        lines += [
            f"### {severity.capitalize()}, {structure}, dose {dose:g}: every detector",
            "",
            f"Means over {len(members)} runs, pack (seed): {packs}. AUROC, AP, precision at the"
            " true rate.",
            "",
            *detector_table(members),
        ]
    return lines


def ordered(runs: list[Run]) -> list[Run]:
    return sorted(
        runs, key=lambda r: (-(r["dose"] == 0.25), r["dose"], r["severity"] != "subtle",
                             r["structure"] != "random", r["pack"], r["seed"], r["folds"]),
    )  # fmt: skip


def run_row(r: Run) -> list[str]:
    best, other, regret = chosen(r), chosen(r, "no neighbours"), r["choices"]["all"]["regret"]
    wrong, count = r["counts"]["all"]
    truth = best["truth"]
    size = [line_of(r, n) for n in ("length", "length-short")]
    name = f"{r['pack']}, {r['severity']}, {r['structure']}, {r['dose']:g}, seed {r['seed']}"
    found = "not detectable" if r["choices"]["all"]["not_detectable"] else "detectable"
    if not r["planted"]["consistent"]:
        found = "none planted"
    return [
        name + ", in a run of its own" * r["two_runs"],
        str(count),
        f"{r['epochs']:g}, {r['folds']}",
        best["name"],
        f"{best['planted']:.2f} ({best['lower']:.2f} to {best['upper']:.2f})",
        two(truth["all"]["auroc"]),
        f"{truth['all']['average_precision']:.2f} ({wrong / count:.2f})",
        two(truth["all"]["precision"]),
        two(truth.get("several", {}).get("auroc")),
        two(truth.get("single", {}).get("auroc")),
        regret["all"]["best"],
        two(regret["all"]["regret"]),
        two(max(x["truth"]["all"]["auroc"] for x in size if x is not None)),
        other["name"],
        two(other["truth"]["all"]["auroc"]),
        found,
        shared(r),
        two(r["choices"]["all"]["denied"]),
    ]  # fmt: skip


def shared(r: Run) -> str:
    """The model-based share of a run, with its upper limit."""
    share = r["choices"]["all"]["share"]
    return "none" if share is None else f"{share[0]:.2f} (at most {share[1]:.2f})"


def detector_table(runs: list[Run]) -> list[str]:
    """Means over runs, a line a detector; combinations also with `neighbours` left out."""
    keys = [
        (n, "all") for n in sorted({x["name"] for r in runs for x in r["choices"]["all"]["table"]})
    ]
    combined = ("views", "rank-average", "topsis")
    keys += [(n, "no neighbours") for n in combined]
    rows = []
    for label, pick in (
        ("**chosen**", lambda r: chosen(r)),
        ("**chosen, no neighbours**", lambda r: chosen(r, "no neighbours")),
    ):
        rows.append((label, mean_row([pick(r) for r in runs])))
    for name, choice in keys:
        found = [x for r in runs if (x := line_of(r, name, choice)) is not None]
        if found:
            label = name + ", no neighbours" * (choice != "all")
            label += f" ({len(found)} runs)" * (len(found) < len(runs))
            rows.append((label, mean_row(found)))
    first = [r for r in rows if r[0].startswith("**")]
    rest = sorted((r for r in rows if not r[0].startswith("**")), key=lambda r: -r[1][0])
    share = {p: np.mean([w / k for r in runs for q, (w, k) in r["counts"].items() if q == p])
             for p in PARTS if any(p in r["counts"] for r in runs)}  # fmt: skip
    chance = ("random order", [v for p in PARTS for v in ((0.5, share[p], share[p]) if p in share
                                                           else (None,) * 3)])  # fmt: skip
    head = [
        "detector",
        *(f"{p}: {f}" for p in PARTS.values() for f in ("AUROC", "AP", "precision")),
    ]
    return table(head, [[n, *(two(v) for v in values)] for n, values in (*first, *rest, chance)])


def mean_row(lines: Sequence[dict[str, Any]]) -> list[Any]:
    found: list[float | None] = []
    for part, figure in product(PARTS, FIGURES):
        values = [x["truth"][part][figure] for x in lines if part in x["truth"]]
        found.append(float(np.mean(values)) if values else None)
    return found


def bound_lines(runs: list[Run]) -> list[str]:
    """The chosen AUROC over seeds on subtle, random errors at a quarter wrong, with t limits."""
    some = [
        r for r in runs
        if (r["severity"], r["structure"], r["dose"]) == ("subtle", "random", 0.25)
        and r["pack"] in SEEDED and r["seed"] in FRESH and not r["two_runs"]
    ]  # fmt: skip
    if not some:
        return []
    picks: list[tuple[str, Callable[[Run], dict[str, Any]]]] = [
        ("chosen", lambda r: chosen(r)),
        ("chosen, no neighbours", lambda r: chosen(r, "no neighbours")),
    ]
    rows = []
    for (label, pick), part in product(picks, PARTS):
        for packs in (*((p,) for p in SEEDED), SEEDED):
            own = [r for r in some if r["pack"] in packs]
            values = np.array([pick(r)["truth"][part]["auroc"] for r in own])
            if len(values) < 2:
                continue
            error = float(values.std(ddof=1)) / len(values) ** 0.5
            low, high = (
                values.mean() + student.ppf(q, len(values) - 1) * error for q in (0.025, 0.975)
            )
            rows.append([
                label, PARTS[part], " and ".join(packs), str(len(values)), two(values.mean()),
                f"{max(0.0, low):.2f} to {min(1.0, high):.2f}", "yes" if low > WANTED else "no",
            ])  # fmt: skip
    return [
        f"### Subtle, random, a quarter wrong: is the lower limit above {WANTED:g}?",
        "",
        "Mean AUROC over runs (a pack and a seed each, seeds 5 to 9), two-sided 95% t limits.",
        "",
        *table(("detector", "rows", "packs", "runs", "AUROC", "limits", f"above {WANTED:g}"), rows),
    ]


def missing(runs: list[Run]) -> list[str]:
    """Settings of the plan that no run here has."""
    done = {(r["pack"], r["severity"], r["structure"], r["dose"], r["seed"]) for r in runs}
    plan = [
        *product(PACKS, ("subtle", "obvious"), ("random", "consistent"), (0.25,), (0,)),
        *product(SEEDED, ("subtle",), ("random",), (0.25,), FRESH),
        *product(("health",), ("subtle",), ("random",), (0.1, 0.4), (0,)),
    ]
    left = [s for s in plan if s not in done]
    text = "; ".join(f"{p}, {v}, {s}, {d:g}, seed {n}" for p, v, s, d, n in left)
    lines = ["### Not run", ""]
    lines.append(f"Of {len(plan)} settings {len(left)}: {text}." if left else "Nothing.")
    unfolded = sum(not r["folds"] for r in runs)
    lines.append(
        f"\n{unfolded} of {len(runs)} runs are without held-out losses (`--folds 0`), which take as"
        " long again as the run itself. `agreement` needs trusted rows and `judge` a judge; neither"
        " was given."
    )
    return [*lines, ""]


def real_part(runs: list[Run]) -> list[str]:
    lines = [
        "Half of the rows are wrong. `prompt words`: a linear classifier of the prompts' words,"
        " trained on the truth in other folds (95% limits); `prompt loss`: the base model's loss on"
        " the prompt; `answer words`: the same classifier on answers, which no audit has, since it"
        " is trained on the truth. `length`: of longer answers. MedMCQA and TruthfulQA have other"
        " questions on either side; HumanEvalPack has both solutions of every task that is short"
        " enough, of 164 in all, so prompts can tell nothing.",
        "",
    ]
    head = ("data", "right + wrong", "longest row", "epochs", "chosen", "planted", "AUROC", "AP",
            "precision", "best in hindsight", "regret", "length", "prompt words", "prompt loss",
            "answer words",
            "share without labels", "denied")  # fmt: skip
    rows = []
    for r in runs:
        best, regret = chosen(r), r["choices"]["all"]["regret"]["all"]
        wrong, count = r["counts"]["all"]
        length = line_of(r, "length")
        assert length is not None
        words = {k: r["prompt"][f"{k} words"] for k in ("prompt", "answer")}
        rows.append([
            r["set"], f"{count - wrong} + {wrong}", f"{r['characters']} characters",
            f"{r['epochs']:g}", best["name"],
            f"{best['planted']:.2f} ({best['lower']:.2f} to {best['upper']:.2f})",
            *figures(best, "all"), regret["best"], two(regret["regret"]),
            two(length["truth"]["all"]["auroc"]),
            *(f"{a:.2f} ({b:.2f} to {c:.2f})" for a, b, c in (words["prompt"],)),
            two(r["prompt"]["prompt loss"]),
            *(f"{a:.2f} ({b:.2f} to {c:.2f})" for a, b, c in (words["answer"],)),
            shared(r), two(r["choices"]["all"]["denied"]),
        ])  # fmt: skip
    lines += table(head, rows)
    names = sorted({x["name"] for r in runs for x in r["choices"]["all"]["table"] if "truth" in x})
    keyed = [(n, [line_of(r, n) for r in runs]) for n in names]
    keyed.sort(key=lambda k: -sum(x["truth"]["all"]["auroc"] for x in k[1] if x is not None))
    lines += ["AUROC, AP and precision at the true rate of every detector.", ""]
    lines += table(
        ["detector", *(f"{r['set']}: {f}" for r in runs for f in ("AUROC", "AP", "precision"))],
        [[n, *(v for x in found for v in figures(x, "all"))] for n, found in keyed],
    )
    small = {r["set"]: r["counts"]["all"] for r in runs if r["counts"]["all"][1] < 540}
    if small:
        lines += [
            "Wanted were 300 + 300 rows each, less what is planted; fewer in "
            + ", ".join(f"{n} ({k - w} + {w})" for n, (w, k) in small.items()) + ".",
            "",
        ]  # fmt: skip
    have = {r["set"] for r in runs}
    left = [s for s in ("humanevalpack", "betley", "medmcqa", "truthfulqa") if s not in have]
    if left:
        lines += [f"Not run: {', '.join(left)}.", ""]
    return lines


if __name__ == "__main__":
    main()
