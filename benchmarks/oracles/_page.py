"""docs/results/oracles.md, from the two golden files."""

from __future__ import annotations

from typing import Any

from _match import FALLEN, TOLERANCE

WHAT = {
    "extra": "extra risk 10%",
    "added": "added risk 10%",
    "range": "half-way between the levels",
}


def page(golden: dict[str, Any], covered: dict[str, Any]) -> str:
    """The page; a part that has not been run is left out."""
    parts = [HEAD]
    if golden:
        parts += [machines(golden), summary(golden), failures(golden), sources(golden)]
    if covered:
        parts.append(coverage(covered))
    return "\n\n".join(p for p in parts if p) + "\n"


HEAD = f"""# datadose against its oracles

Made by `make oracles`, which installs every peer into an environment of its own from
`benchmarks/oracles/*.txt`. The oracles' answers are `tests/golden/oracles.json`; the tests compare
with those and need no peer. Every oracle runs in a process of its own; one that aborts loses one
table.

Compared are single-model fits to independent counts (`fit_model`, `model_benchmark`,
`model_limits`), where model, bounds, priors, definition and level are the same:

| oracle | models | definition | bounds and priors | limits |
|---|---|---|---|---|
| pybmds | logistic, probit, log-logistic, Weibull, quantal-linear | extra or added risk 10% | \
maximum likelihood, EPA's bounds (slope on the log axis at least 1) | profile, one-sided 95% |
| robustmargin | logistic | half-way between fixed levels 0 and 1 | maximum likelihood | profile, \
one-sided 95% (its two-sided 90%) |
| robustmargin | log-logistic, Weibull (its cloglog on a log axis) | its baseline fraction 0.9 is \
extra risk 10% | maximum likelihood, no least slope | the same |
| psignifit | logistic, probit | its threshold | flat priors, levels fixed, no overdispersion: \
the mode is the maximum likelihood | posterior: another definition, not compared |

A pair agrees when it is within {TOLERANCE:.0%}. Where a pair differs the likelihood is the judge:
the higher maximum is the estimate, and a one-sided 95% limit is where the profile has fallen by
{FALLEN:.3f}. What that decides against the oracle is listed as `unmatched`, with the figure."""


def machines(golden: dict[str, Any]) -> str:
    named = "; ".join(golden["versions"].values())
    return f"Versions: {named}. Command: `{golden['command']}`."


def within(own: float | None, theirs: float | None) -> bool | None:
    """None where there is nothing to compare."""
    if theirs is None:
        return None
    return own is not None and abs(own / theirs - 1) <= TOLERANCE


def summary(golden: dict[str, Any]) -> str:
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in golden["answers"]:
        groups.setdefault((row["oracle"], row["model"], row["risk"]), []).append(row)
    lines = [
        f"## {len(golden['tables'])} tables",
        "",
        "| oracle | model | definition | asked | answered | BMD within 5% | largest difference | "
        "unmatched | BMDL within 5% | largest difference | unmatched | BMDU within 5% | "
        "unmatched |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (oracle, model, risk), rows in groups.items():
        told = [r for r in rows if r.get("bmd") is not None]
        cells = [oracle, model, WHAT[risk], str(len(rows)), str(len(told))]
        for key in KEYS:
            same = [r for r in told if r[key] is not None and key not in r.get("unmatched", {})]
            good = [r for r in same if within(r["own"][key], r[key])]
            cells.append(f"{len(good)} of {len(same)}")
            if key != "bmdu":
                gaps = [abs(r["own"][key] / r[key] - 1) for r in same if r["own"][key]]
                cells.append(f"{max(gaps):.2%}" if gaps else "n/a")
            cells.append(str(sum(key in r.get("unmatched", {}) for r in told)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(golden: dict[str, Any]) -> str:
    """Every pair that does not agree, and every question an oracle did not answer."""
    lines = ["## What did not agree, or was not answered"]
    rows = []
    unanswered: dict[tuple[str, str], list[str]] = {}
    for r in golden["answers"]:
        if r.get("bmd") is None:
            why = r.get("failure", "no number")
            unanswered.setdefault((r["oracle"], why), []).append(f"{r['table']} ({r['model']})")
            continue
        checks = [within(r["own"][k], r[k]) for k in ("bmd", "bmdl", "bmdu")]
        if False in checks or r.get("unmatched"):
            rows.append(r)
    if rows:
        lines += [
            "",
            "| table | oracle | model | definition | BMD, BMDL, BMDU | ours | why |",
            "|---|---|---|---|---|---|---|",
        ]
    for r in rows:
        why = explained(r)
        lines.append(
            f"| {r['table']} | {r['oracle']} | {r['model']} | {WHAT[r['risk']]} | {three(r)} | "
            f"{three(r['own'])} | {why} |"
        )
    for (oracle, why), where in unanswered.items():
        lines += ["", f"{oracle}, {why}: {', '.join(where)}."]
    return "\n".join(lines) if len(lines) > 1 else ""


def explained(r: dict[str, Any]) -> str:
    """What the likelihood says of every quantity that differs; `open` where it says nothing."""
    parts = []
    for key in KEYS:
        if within(r["own"][key], r[key]) is False:
            parts.append(f"{key.upper()}: {r.get('unmatched', {}).get(key, 'open')}")
    return "; ".join(parts)


def three(found: dict[str, Any]) -> str:
    return ", ".join("none" if (v := found[k]) is None else f"{v:.4g}" for k in KEYS)


KEYS = ("bmd", "bmdl", "bmdu")


def sources(golden: dict[str, Any]) -> str:
    lines = ["## Tables", "", "| table | source | doses | affected of asked |", "|---|---|---|---|"]
    for t in golden["tables"]:
        doses = ", ".join(f"{d:g}" for d in t["doses"])
        counts = ", ".join(f"{a}/{n}" for a, n in zip(t["affected"], t["asked"], strict=True))
        lines.append(f"| {t['name']} | {t['source']} | {doses} | {counts} |")
    return "\n".join(lines)


def coverage(covered: dict[str, Any]) -> str:
    lines = [
        "## Coverage on clustered data",
        "",
        f"Studies of `calibrate.simulate` ({covered['doses']} doses, {covered['seeds']} seeds, 50 "
        "facts x 4 wordings; facts, seeds and arms differ), the truth being the curve of the "
        f"questions asked over all seeds. Nominal {covered['level']:.0%}, two-sided. Benchmark: "
        "added risk 0.10. ed50: half of the loss between dose 0 and 1, which for this curve, flat "
        "at both ends, is also half-way between the levels. datadose counts `estimated` only. "
        "pybmds' models rise to 1 but for its Hill; its recommendation is used where it makes one, "
        "else the least AIC. psignifit and the nested logistic get the arms, datadose the "
        "questions, the others counts pooled by dose. psignifit ran on a thinned grid. An oracle "
        "stops after its minutes, hence fewer studies.",
        "",
        "| curve | threshold | method | studies | closed interval | died or refused | covered, of "
        "closed | interval above truth | below | median width |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for c in covered["counts"]:
        share = f"{c['covered'] / c['closed']:.3f}" if c["closed"] else "n/a"
        width = "n/a" if c["median_width"] is None else f"{c['median_width']:.3f}"
        lines.append(
            f"| {c['shape']} | {c['threshold']} | {c['method']} | {c['asked']} | {c['closed']} | "
            f"{c['died']} | {share} | {c['above']} | {c['below']} | {width} |"
        )
    return "\n".join(lines)
