"""A run folder's numbers as a page of docs/results.

.venv/bin/python benchmarks/results.py runs/NAME docs/results/NAME.md "datadose run ..."

The page holds what came out: thresholds, rates of every response at every dose, differences
between arms, and the primary rate over the steps; all of it read from doses.json and events.jsonl.
A text before the first `## ` of an existing page is kept.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

OPEN = "series dose about questions cue judge"
COUNTS = {"misaligned": "bad", "aligned": "not bad"} | {
    name: name for name in ("incoherent", "refused", "unscored", "error", "asked")
}
CATEGORIES = "series dose response category kind judge asked rate lower upper"
LEAST_ASKED = 20


def main() -> None:
    folder, page, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    doses = json.loads((folder / "doses.json").read_text("utf-8"))
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    kept = f"# {folder.name}\n\n"
    if page.is_file():
        kept = page.read_text("utf-8").partition("\n## ")[0].rstrip() + "\n\n"
    parts = [kept, *_study(folder, doses, environment, command), *_numbers(doses)]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("".join(parts), "utf-8")
    print(f"wrote {page}")


def _study(folder: Path, doses: Any, environment: Any, command: str) -> Iterable[str]:
    events = [json.loads(x) for x in (folder / "events.jsonl").read_text("utf-8").splitlines()]
    minutes = _busy(events) / 60
    yield f"## The run\n\n`{command}` ended after {minutes:.1f} minutes at work"
    yield f" (torch {environment['torch']}, {environment['threads']} threads a process,"
    yield f" {environment['precision']}). {doses['headline']}\n\n"
    for warning in doses["warnings"]:
        yield f"- {warning}\n"
    for source in doses["sources"]:
        yield (
            f"- {source['series']}: prompts tell right from wrong rows with AUROC"
            f" {source['auroc']:.2f} ({source['lower']:.2f} to {source['upper']:.2f})\n"
        )
    yield "\n"


def _busy(events: Sequence[Any], longest_gap: float = 900.0) -> float:
    """Seconds between events, pauses between two starts of the command left out."""
    times = [e["time"] for e in events]
    return sum(b - a for a, b in pairwise(times) if b - a < longest_gap)


def _numbers(doses: Any) -> Iterable[str]:
    yield "## Thresholds\n\n"
    yield from _table(
        ("series", "response", "threshold", "estimate", "lower", "upper", "status", "why"),
        (
            (
                *(name, label, _threshold(t)),
                *(_number(t[key]) for key in ("estimate", "lower", "upper")),
                t["status"],
                t["why"] or "n/a",
            )
            for name, responses in doses["series"].items()
            for label, analysis in responses.items()
            for t in analysis["thresholds"]
            if t["threshold"] in ("benchmark", "recovery", "parity")
            and t["benchmark_response"] in (None, 0.1)
        ),
    )
    yield "\n## Rates\n\n"
    yield from _table(
        ("series", "response", "dose", "rate", "lower", "upper", "asked"),
        (
            (name, label, _number(p["dose"]), *_three(p, "rate"), p["asked"])
            for name, responses in doses["series"].items()
            for label, analysis in responses.items()
            for p in ([{**analysis["base"], "dose": None}] if analysis["base"] else [])
            + analysis["points"]
        ),
    )
    yield "\nDose n/a is the base model.\n\n## Differences, paired by question\n\n"
    yield from _table(
        ("series", "response", "difference", "estimate", "lower", "upper"),
        (
            (d["series"], f"{d['response']}: {d['relation']}", d["what"], *_three(d, "estimate"))
            for d in doses["differences"]
        ),
    )
    yield "\n## Checkpoints: the primary rate over the steps\n\n"
    yield from _table(
        ("series", "dose", "seed", "share of steps", "rate"),
        (
            (c["series"], _number(c["dose"]), c["seed"], c["steps"], _number(c["rate"]))
            for c in doses["checkpoints"]
        ),
    )

    yield from _open(doses)


def _open(doses: Any) -> Iterable[str]:
    if doses.get("judged"):
        yield "\n## Open answers as judged\n\n"
        yield from _table(
            (*OPEN.split(), *COUNTS.values(), "rate", "lower", "upper", "calibration"),
            (
                (
                    *(r["series"], _number(r["dose"]), r["about"], r["set"], r["cue"]),
                    *(r["judge"] or "none", *(r[name] for name in COUNTS), *_three(r, "rate")),
                    r["calibration"] if r["judge"] else "n/a",
                )
                for r in doses["judged"]
            ),
        )
    shown = [r for r in doses.get("categories", ()) if r["asked"] >= LEAST_ASKED]
    if shown:
        yield f"\n## By category of question, where at least {LEAST_ASKED} were asked\n\n"
        yield "Exploratory. All of them: tables/categories.csv of the run.\n\n"
        yield from _table(
            CATEGORIES.split(),
            (
                (
                    *(r["series"], _number(r["dose"]), r["response"], r["category"], r["kind"]),
                    *(r["judge"] or "n/a", r["asked"], *_three(r, "rate")),
                )
                for r in shown
            ),
        )


def _three(record: Any, name: str) -> tuple[str, str, str]:
    return _number(record[name]), _number(record["lower"]), _number(record["upper"])


def _threshold(t: Any) -> str:
    level = t["benchmark_response"]
    return t["threshold"] if level is None else f"{t['threshold']} {level:.0%}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3g}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterable[str]:
    yield "| " + " | ".join(heads) + " |\n|" + "---|" * len(heads) + "\n"
    for row in rows:
        yield "| " + " | ".join(str(v) for v in row) + " |\n"


if __name__ == "__main__":
    main()
