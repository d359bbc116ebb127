"""Gradient scores of rows: our ways against one backward pass a row. docs/results/gradients.md.

In one run, on the same rows: head gradient norms from the forward pass alone; norms of the whole
gradient by ghost products; both by one forward and backward pass for every row. With --rows, also
time and memory of scoring that many rows as a stream, as they grow.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from datadose.domains import PACKS, load_pack
from datadose.models import BaseModel, Encoded, chat, encode_answer, load_base
from datadose.training import ghost_norms
from datadose.training._trace import by_length

CHUNK = 1024


def encoded_rows(base: BaseModel) -> Iterator[Encoded]:
    """The packs' right answers, over and over, encoded one at a time."""
    while True:
        for pack in PACKS:
            for item in load_pack(pack).pool.items:
                yield encode_answer(base, chat(item.prompt, item.system), item.correct)


def one_by_one(base: BaseModel, rows: Sequence[Encoded], head_only: bool) -> list[float]:
    """Squared gradient norms by one backward pass a row."""
    model = base.model
    head = model.get_output_embeddings().weight
    model.requires_grad_(not head_only)
    head.requires_grad_(True)
    found = []
    for row in rows:
        ids = torch.tensor([row.ids], device=base.device)
        hidden = model.base_model(ids)[0][0, row.start - 1 : -1]
        if head_only:
            hidden = hidden.detach()
        logits = torch.nn.functional.linear(hidden, head)
        loss = torch.nn.functional.cross_entropy(logits, ids[0, row.start :], reduction="sum")
        own = [head] if head_only else [p for p in model.parameters() if p.requires_grad]
        grads = torch.autograd.grad(loss, own)
        found.append(sum(float(g.square().sum()) for g in grads))
    model.requires_grad_(False)
    return found


def ours(base: BaseModel, rows: Sequence[Encoded], parts: Sequence[str]) -> list[float]:
    found = np.zeros(len(rows))
    for places in by_length(rows):
        norms = ghost_norms(base, [rows[i] for i in places], parts)
        found[places] = norms.total.numpy()
    return found.tolist()


def clock(work, *arguments):  # type: ignore[no-untyped-def]
    """Processor seconds of a call and its result: other processes share this machine."""
    began = time.process_time()
    result = work(*arguments)
    return time.process_time() - began, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--compared", type=int, default=256, help="rows of the comparison")
    parser.add_argument("--rows", type=int, nargs="*", default=[], help="sizes of the stream")
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    base = load_base(o.model, precision="fp32", threads=1)
    rows = list(islice(encoded_rows(base), o.compared))
    ours(base, rows[:8], ["head", "embedding", "inner"])
    one_by_one(base, rows[:2], False)
    lines = [
        f"## {o.model}, {o.compared} rows, one thread, processor seconds",
        "",
        "| gradient | one backward pass a row | ours | times faster | largest relative gap |",
        "|---|---|---|---|---|",
    ]
    whole = ["head", "embedding", "inner"]
    for name, head_only, parts in (("head", True, ["head"]), ("all weights", False, whole)):
        slow, expected = clock(one_by_one, base, rows, head_only)
        fast, found = clock(ours, base, rows, parts)
        gap = float(np.max(np.abs(np.array(found) / np.array(expected) - 1)))
        lines.append(f"| {name} | {slow:.2f} | {fast:.2f} | {slow / fast:.1f} | {gap:.1e} |")
        print(lines[-1], flush=True)
    full, _ = clock(one_by_one, base, rows, False)
    fast, _ = clock(ours, base, rows, ["head"])
    lines += [
        "",
        f"Head scores against one whole backward pass a row: {full:.2f} s and {fast:.2f} s,"
        f" {full / fast:.1f} times faster.",
        "",
    ]
    print(lines[-2])
    if o.rows:
        lines += ["| rows streamed | processor seconds | peak memory, MB |", "|---|---|---|"]
    for size in o.rows:
        began = time.process_time()
        stream = islice(encoded_rows(base), size)
        while part := list(islice(stream, CHUNK)):
            ours(base, part, ["head"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        lines.append(f"| {size:,} | {time.process_time() - began:.0f} | {peak:.0f} |")
        print(lines[-1], flush=True)
    if o.out:
        o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
