"""docs/results/gradients.md from the figures that benchmarks/gradients.py left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from machine import machine

Found = dict[str, Any]

HEAD = """\
# Gradient scores of rows

Written by `make gradients` (`benchmarks/gradients.py`), which is told there in parts; every figure
is of one thread, in processor seconds, since other processes may share the machine.

What a score is: the squared norm of the gradient of a row's answer loss, with respect to the
output head alone (from one forward pass, no autograd), or to all weights (ghost norms).
"""

COMPARE = """
## Against one backward pass a row, and bergson

Wanted: head scores 10 times faster than one backward pass a row, whole gradients 3 times, and
faster than bergson collecting gradients of the same model.

- *By row, whole*: the script a user would write, forward and `loss.backward()` for every row, then
  the norms of all `.grad`. *By row, head*: the same by a user who takes the states below the head
  without autograd.
- *Operations*: multiplications and additions of matrices as torch counts them, on the first turn.
  Beyond those that ours saves, it forms no weight's gradient, which the script writes and reads
  once a row, and takes rows together.
- Ways take turns on parts of the same rows. In bf16 the scripts hold weights in bf16, and attention
  goes back in bf16, which processors are slow at; ours runs under autocast, attention in fp32.
  Gap: the largest relative difference of a norm, in bf16 the median one.
- bergson keeps gradients (whole, or projected to 16 x 16 a layer) of the linear layers below the
  head and writes them to disk; ours keeps norms, of every weight. The best
  of its batches is taken, of so many padded tokens (ours: 1,024). The model is loaded and rows are
  encoded beforehand on both sides.
"""

STREAM = """
## Memory and time as rows grow

Wanted: bounded memory from 1,000 rows to 1,000,000 on `tiny` and to 10,000 on the embedded model.
`score_rows` on rows that are made one after another, no two alike ("What is 37 plus 37?"), head
scores, every size in a process of its own; encoding and checking the rows is in the time.
"""

RECORDER = """
## What recording a training run costs

Wanted: at most 1.3 of the training run. The recipe that `audit` uses; each way twice, in turns
forwards and back.

An audit takes its head scores from this run, whose states and logits are there anyway. *Reading*
is all that is made of them for a row and epoch: the norm of the head's gradient, DONOD's products,
losses, margins and a sketch of the gradient. Beside it one whole backward pass a row by the script
above, on the same rows, both by the clock.
"""


def page(found: Sequence[Found]) -> str:
    """The whole page; a part that was not run says so."""
    text = HEAD + f"\nWritten on: {machine()}.\n"
    for part, head, table in (
        ("compare", COMPARE, compared),
        ("stream", STREAM, streamed),
        ("recorder", RECORDER, recorded),
    ):
        own = [f for f in found if f["part"] == part]
        text += head + "\n" + ("\n".join(table(own)) if own else "Not run yet.") + "\n"
    return text


def compared(found: Sequence[Found]) -> list[str]:
    lines = [
        "| model | precision | rows | gradient | by row, s | ours, s | times faster |"
        " times fewer operations | gap |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    beside = [
        "",
        "| model | precision | bergson keeps | bergson, s | ours, whole, s | times faster |"
        " ours, head, s | times faster |",
        "|---|---|---|---|---|---|---|---|",
    ]
    notes = [""]
    for f in found:
        s, n, who = f["seconds"], f["operations"], f"| {f['model']} | {f['precision']} |"
        for name, theirs, own, gap in (
            ("head, against whole by row", "whole, by row", "head, ours", None),
            ("head, against head by row", "head, by row", "head, ours", "head"),
            ("whole", "whole, by row", "whole, ours", "whole"),
        ):
            told = f"{f['gaps'][gap]:.1e}" if gap else ""
            lines.append(
                f"{who} {f['rows']} | {name} | {s[theirs]:.1f} | {s[own]:.1f} |"
                f" {s[theirs] / s[own]:.1f} | {n[theirs] / n[own]:.1f} | {told} |"
            )
        notes.append(
            f"- {f['model']}, {f['precision']}: {f['tokens']:.0f} tokens a row,"
            f" {f['answer']:.0f} of them the answer's."
        )
        runs = f.get("bergson", [])
        for projection in sorted({r["projection"] for r in runs}):
            best = min((r for r in runs if r["projection"] == projection), key=_seconds)
            keeps = "16 x 16 a layer" if projection else "whole gradients"
            tried = sorted(r["tokens"] for r in runs if r["projection"] == projection)
            keeps += f" (batch {best['tokens']:,} of {', '.join(f'{t:,}' for t in tried)})"
            beside.append(
                f"{who} {keeps}, {best['width']:,} a row | {best['seconds']:.1f} |"
                f" {s['whole, ours']:.1f} | {best['seconds'] / s['whole, ours']:.1f} |"
                f" {s['head, ours']:.1f} | {best['seconds'] / s['head, ours']:.1f} |"
            )
            if "gap" in best:
                notes.append(
                    f"- {f['model']}: norms of bergson's whole gradients differ from autograd's"
                    f" by at most {best['gap']:.1e}: both have the same rows, tokens and loss."
                )
    versions = {r["version"] for f in found for r in f.get("bergson", [])}
    if versions:
        notes.append(f"- bergson {', '.join(sorted(versions))}, in an environment of its own.")
    return lines + (beside if len(beside) > 3 else []) + notes


def _seconds(run: Found) -> float:
    return float(run["seconds"])


def streamed(found: Sequence[Found]) -> list[str]:
    lines = [
        "| model | precision | rows | processor seconds | ms a row | MB, model loaded |"
        " MB, peak | MB on disk |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {f['model']} | {f['precision']} | {f['rows']:,} | {f['seconds']:.1f} |"
        f" {1000 * f['seconds'] / f['rows']:.2f} | {f['loaded']:.0f} | {f['peak']:.0f} |"
        f" {f['disk']:.1f} |"
        for f in sorted(found, key=lambda f: (f["model"] != "tiny", f["precision"], f["rows"]))
    ]


def recorded(found: Sequence[Found]) -> list[str]:
    lines = [
        "| model | precision | rows | epochs | run | processor seconds | of the plain run |",
        "|---|---|---|---|---|---|---|",
    ]
    for f in found:
        for name, seconds in f["seconds"].items():
            lines.append(
                f"| {f['model']} | {f['precision']} | {f['rows']} | {f['epochs']:g} | {name} |"
                f" {seconds:.1f} | {seconds / f['seconds']['plain']:.2f} |"
            )
    lines += [
        "",
        "| model | precision | whole backward by row, ms | reading, ms a row and epoch |"
        " times faster |",
        "|---|---|---|---|---|",
    ]
    for f in found:
        lines.append(
            f"| {f['model']} | {f['precision']} | {1000 * f['by row']:.0f} |"
            f" {1000 * f['reading']:.1f} | {f['by row'] / f['reading']:.0f} |"
        )
    same = all(f["same weights"] for f in found)
    return [*lines, "", f"All runs ended with the same weights: {'yes' if same else 'NO'}."]
