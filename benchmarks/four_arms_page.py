"""docs/results/bench-four-arms.md from what benchmarks/four_arms.py measured."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from importlib.metadata import version
from typing import Any

from machine import machine, native_bf16

from datadose.schema import Study


def agreement(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> tuple[int, float]:
    """Probes with the same option on top, and the greatest difference of scores in nats."""
    same = sum(_top(ours[p]) == _top(scores) for p, scores in theirs.items())
    gap = max(abs(a - b) for p, s in theirs.items() for a, b in zip(ours[p], s, strict=True))
    return same, gap


def _top(scores: list[float]) -> int:
    return max(range(len(scores)), key=scores.__getitem__)


def section(
    precision: str,
    study: Study,
    work: str,
    tried: dict[int, float],
    best: int,
    base: dict[str, list[float]],
    ours: dict[str, Any],
    apart: dict[str, Any],
    together: dict[str, Any],
) -> str:
    """The part of the page about one precision."""
    lines = [
        f"## {precision}",
        "",
        f"{work}. lm-eval's best batch, seconds on some probes in a pre-run: "
        + ", ".join(f"{b}: {s}" for b, s in tried.items())
        + f"; taken: {best}.",
        "",
        "| seconds | (a) datadose | (b) script, one process per arm | (c) script, one process "
        "| (b) / (a) | (c) / (a) |",
        "|---|---|---|---|---|---|",
    ]
    for part, title in (
        ("load", "imports and load"),
        ("train", "train"),
        ("score", "score"),
        ("both", "train and score"),
        ("whole", "**whole process**"),
    ):
        for record in (ours, apart, together):
            record["both"] = record["train"] + record["score"]
        a, b, c = (record[part] for record in (ours, apart, together))
        lines.append(
            f"| {title} | {a:.1f} | {b:.1f} | {c:.1f} | **{b / a:.2f}** | **{c / a:.2f}** |"
        )
    same, gap = agreement(ours["base"], base)
    lines += [
        "",
        f"Same weights (base model, probes of the pre-run): same option on top in {same} of "
        f"{len(base)} probes, log-likelihoods within {gap:.2g} nats. After training:",
        "",
        "| arm | (b): same option on top | greatest difference, nats | (c): same option on top |",
        "|---|---|---|---|",
    ]
    for arm, scores in ours["arms"].items():
        same, gap = agreement(scores, apart["arms"][arm])
        also, _ = agreement(scores, together["arms"][arm])
        n = len(scores)
        lines.append(f"| {arm} | {same} of {n} | {gap:.2g} | {also} of {n} |")
    return "\n".join([*lines, ""])


def head(args: argparse.Namespace, versions: dict[str, str]) -> str:
    """What was run, where, and what counts as what."""
    own = {n: version(n) for n in ("datadose", "torch", "transformers", "peft")}
    given = " ".join(sys.argv[1:])
    size = "" if native_bf16() else ", so that its section is of a reduced size"
    return f"""# Four arms: datadose against the script a user would write

Written by `benchmarks/four_arms.py`. Command: `make oracles`, then
`.venv/bin/python benchmarks/four_arms.py {given}`

- Date: {time.strftime("%Y-%m-%d")}. {machine()}{size}, {args.threads} threads on every side.
- datadose: {_named(own)}, Python {platform.python_version()}.
- Script: {_named(versions)}.
- (a) is `datadose run` as a user starts it. Its guards, checkpoints, scores of the base model and
  at the half-way checkpoint, scores under the contentless prompt, and its report are in its time;
  the scripts do none of these. Its generated answers are off.
- (b) and (c) are `benchmarks/four_arms_script.py`: SFTTrainer on prompt-completion rows, lm-eval's
  multiple choice with the chat template on the model in memory. They are given datadose's order of
  rows (batches of like lengths), no activation checkpointing (TRL's default is on), no logging, no
  saves but the last adapter, no search of lm-eval's own tasks, and the best batch, found free of
  charge.
- Same base model in safetensors, rows, order, steps, recipe, first adapter, precision, threads.
  TRL trains one token more per row, the newline that the template writes after the end token, so
  that trained arms differ a little.
- One run, one after the other. Seconds of this machine mean nothing elsewhere; ratios may.

"""


def _named(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
