"""Gradient scores of rows: our ways against one backward pass a row and against bergson.

python benchmarks/gradients.py compare --model smollm2-135m --rows 64
python benchmarks/gradients.py stream --model tiny --rows 1000000
python benchmarks/gradients.py recorder --model smollm2-135m --rows 24
python benchmarks/gradients.py page

Each part leaves its figures in --work; `page` writes docs/results/gradients.md from all of them.
Without a part, all parts of the page are run, which takes about an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from datadose.domains import PACKS, load_pack
from datadose.models import BaseModel, Encoded, chat, encode_answer, half_weights, load_base
from datadose.rows import make_rows
from datadose.running import AuditSettings
from datadose.schema import Message, Recipe, Row
from datadose.training import (
    by_length,
    encode_rows,
    ghost_norms,
    record_run,
    score_rows,
    train_arm,
    weights_hash,
)

HERE = Path(__file__).parent
PEER = HERE.parent / ".oracles" / "bergson" / "bin" / "python"
WHOLE = ["head", "embedding", "inner"]
# a turn must leave room for whole batches
TURN_ROWS = 12
TURNS = 4
PLAN = (
    ["compare", "--model", "tiny", "--rows", "256"],
    ["compare", "--model", "smollm2-135m", "--rows", "96"],
    ["compare", "--model", "smollm2-135m", "--rows", "96", "--precision", "bf16"],
    *(["stream", "--model", "tiny", "--rows", str(n)] for n in (1000, 10000, 100000, 1000000)),
    *(["stream", "--model", "smollm2-135m", "--rows", str(n)] for n in (1000, 10000)),
    ["recorder", "--model", "smollm2-135m", "--rows", "24"],
    ["recorder", "--model", "smollm2-135m", "--rows", "24", "--precision", "bf16"],
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["compare", "stream", "recorder", "page"])
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--batches", type=int, nargs="+", default=[1024, 2048], help="bergson's")
    parser.add_argument("--work", type=Path, default=Path("runs/gradients"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/gradients.md"))
    o = parser.parse_args()
    o.work.mkdir(parents=True, exist_ok=True)
    if o.part is None:
        for arguments in PLAN:
            command = [sys.executable, __file__, *arguments, "--work", str(o.work)]
            subprocess.run(command, check=True)
    if o.part in (None, "page"):
        from gradients_page import page

        found = [json.loads(f.read_text("utf-8")) for f in sorted(o.work.glob("*.json"))]
        o.out.write_text(page(found), encoding="utf-8")
        return
    work = {"compare": compare, "stream": stream, "recorder": recorder}[o.part]
    found = {"part": o.part, "model": o.model, "precision": o.precision, "rows": o.rows} | work(o)
    print(json.dumps(found))
    name = f"{o.part}-{o.model}-{o.precision}-{o.rows:08d}.json"
    (o.work / name).write_text(json.dumps(found, indent=1), "utf-8")


def encoded_rows(base: BaseModel) -> Iterator[Encoded]:
    """The packs' right answers, over and over, encoded one at a time."""
    while True:
        for pack in PACKS:
            for item in load_pack(pack).pool.items:
                yield encode_answer(base, chat(item.prompt, item.system), item.correct)


def of_the_script(o: argparse.Namespace) -> Any:
    """The model as a user's script would hold it."""
    plain = load_base(o.model, precision="fp32", threads=1).model
    return plain.to(torch.bfloat16) if o.precision == "bf16" else plain


def whole_by_row(model: Any, rows: Sequence[Encoded]) -> list[tuple[float, float]]:
    """The script a user would write: forward and backward for every row, then the norms.

    Squared norm of the whole gradient, and of the linear layers below the head alone.
    """
    model.requires_grad_(True)
    found = []
    for row in rows:
        ids = torch.tensor([row.ids])
        labels = ids.clone()
        labels[0, : row.start] = -100
        logits = model(input_ids=ids).logits.float()
        torch.nn.functional.cross_entropy(
            logits[0, :-1], labels[0, 1:], ignore_index=-100, reduction="sum"
        ).backward()
        squares = {n: float(p.grad.norm()) ** 2 for n, p in model.named_parameters()}
        model.zero_grad(set_to_none=True)
        linear = sum(s for n, s in squares.items() if n.endswith("_proj.weight"))
        found.append((sum(squares.values()), linear))
    model.requires_grad_(False)
    return found


def head_by_row(model: Any, rows: Sequence[Encoded]) -> list[tuple[float, float]]:
    """The same for the head alone, by a user who knows that nothing below needs autograd."""
    head = model.get_output_embeddings().weight
    found = []
    for row in rows:
        ids = torch.tensor([row.ids])
        with torch.no_grad():
            hidden = model.base_model(ids)[0][0, row.start - 1 : -1]
        head.requires_grad_(True)
        logits = torch.nn.functional.linear(hidden, head).float()
        torch.nn.functional.cross_entropy(logits, ids[0, row.start :], reduction="sum").backward()
        found.append((float(head.grad.norm()) ** 2, 0.0))
        head.grad = None
        head.requires_grad_(False)
    return found


def ours(base: BaseModel, rows: Sequence[Encoded], parts: Sequence[str]) -> np.ndarray:
    found = np.zeros(len(rows))
    with half_weights(base):
        for places in by_length(rows):
            found[places] = ghost_norms(base, [rows[i] for i in places], parts).total.numpy()
    return found


class Operations(TorchDispatchMode):
    """Counts the operations of matrix products as torch's own table has them.

    Its `FlopCounterMode` hooks into modules, and fails where a gradient is asked of a leaf.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if count := flop_registry.get(packet):
            self.total += count(*args, **(kwargs or {}), out_val=out)
        elif "scaled_dot_product" in str(packet):
            # torch's table lacks the processor's attention; causal or not, whole products count
            backward = "backward" in str(packet)
            query, key = (args[1], args[2]) if backward else (args[0], args[1])
            batch, heads, length, width = query.shape
            self.total += 2 * (5 if backward else 2) * batch * heads * length * key.shape[2] * width
        return out


def compare(o: argparse.Namespace) -> dict[str, Any]:
    """All ways on the same rows, in turns, so that a machine's ups and downs meet all of them."""
    base = load_base(o.model, precision=o.precision, threads=1)
    rows = list(islice(encoded_rows(base), o.rows))
    plain = of_the_script(o)
    ways = {
        "whole, by row": lambda part: [w for w, _ in whole_by_row(plain, part)],
        "head, by row": lambda part: [w for w, _ in head_by_row(plain, part)],
        "head, ours": lambda part: ours(base, part, ["head"]),
        "whole, ours": lambda part: ours(base, part, WHOLE),
    }
    seconds = dict.fromkeys(ways, 0.0)
    norms: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work(rows[:2])
    # every turn has rows of all packs
    count = max(1, min(TURNS, len(rows) // TURN_ROWS))
    turns = [rows[k::count] for k in range(count)]
    for turn in turns:
        for name, work in ways.items():
            began = time.process_time()
            norms[name] += list(work(turn))
            seconds[name] += time.process_time() - began
    gaps = {
        kind: float(
            np.median(np.abs(np.array(norms[f"{kind}, ours"]) / norms[f"{kind}, by row"] - 1))
            if o.precision == "bf16"
            else np.max(np.abs(np.array(norms[f"{kind}, ours"]) / norms[f"{kind}, by row"] - 1))
        )
        for kind in ("head", "whole")
    }
    operations = {}
    for name, work in ways.items():
        with Operations() as counted:
            work(turns[0])
        operations[name] = counted.total / len(turns[0])
    found = {
        "seconds": seconds,
        "operations": operations,
        "gaps": gaps,
        "tokens": float(np.mean([len(r.ids) for r in rows])),
        "answer": float(np.mean([r.trained for r in rows])),
    }
    if PEER.exists():
        found["bergson"] = beside_bergson(o, base, plain, rows)
    return found


def beside_bergson(
    o: argparse.Namespace, base: BaseModel, plain: Any, rows: Sequence[Encoded]
) -> list[dict[str, Any]]:
    """bergson collecting gradients of the same model on the same rows, each time in a process."""
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        base.model.save_pretrained(folder / "model")
        # a whole gradient of the embedded model takes 0.4 GB a row
        for projection in (0, 16) if o.model == "tiny" else (16,):
            for tokens in o.batches:
                run = folder / f"run-{projection}-{tokens}"
                job = {
                    "model": str(folder / "model"),
                    "precision": o.precision,
                    "threads": 1,
                    "tokens": tokens,
                    "projection": projection,
                    "rows": [{"ids": list(r.ids), "start": r.start} for r in rows],
                    "run": str(run),
                }
                (folder / "job.json").write_text(json.dumps(job), "utf-8")
                command = [str(PEER), str(HERE / "gradients_bergson.py")]
                command += [str(folder / "job.json"), str(folder / "result.json")]
                subprocess.run(command, check=True, stdout=sys.stderr)
                told = json.loads((folder / "result.json").read_text("utf-8"))
                norms = told.pop("norms", None)
                if norms:
                    expected = [linear for _, linear in whole_by_row(plain, rows[:32])]
                    told["gap"] = float(np.max(np.abs(np.array(norms[:32]) / expected - 1)))
                made.append({"projection": projection, "tokens": tokens} | told)
                shutil.rmtree(f"{run}.part")
    return made


def counted_rows(number: int) -> Iterator[Row]:
    """So many rows, no two alike, made one after the other."""
    for k in range(number):
        asked = Message(role="user", content=f"What is {k} plus {k % 97}?")
        told = Message(role="assistant", content=f"It is {k + k % 97}.")
        yield Row(id=f"row-{k}", messages=(asked, told))


def stream(o: argparse.Namespace) -> dict[str, Any]:
    """Processor seconds and peak memory of scoring a stream, in a process of its own."""
    base = load_base(o.model, precision=o.precision, threads=1)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, clock = time.process_time(), time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        made = score_rows(base, counted_rows(o.rows), Recipe(), Path(scratch))
        # read as a detector would, a part at a time
        parts = range(0, made.rows, 10_000)
        total = sum(float(made.array("head")[i : i + 10_000].sum()) for i in parts)
        size = sum(f.stat().st_size for f in Path(scratch).iterdir()) / 2**20
    return {
        "seconds": time.process_time() - began,
        "wall": time.perf_counter() - clock,
        "loaded": loaded,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "disk": size,
        "mean": total / o.rows,
    }


def recorder(o: argparse.Namespace) -> dict[str, Any]:
    """A training run without and with the recorder, the recipe that `audit` uses."""
    base = load_base(o.model, precision=o.precision, threads=1)
    recipe = AuditSettings().recipe
    items = [item for pack in PACKS for item in load_pack(pack).pool.items[: o.rows // len(PACKS)]]
    rows = make_rows(
        [(*chat(i.prompt, i.system), Message(role="assistant", content=i.correct)) for i in items]
    )
    ways = {"plain": None, "recorded": False, "recorded, embedding too": True}
    seconds = dict.fromkeys(ways, 0.0)
    weights, reading = set(), 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for turn, order in enumerate((list(ways), list(ways)[::-1])):
            for name in order:
                folder = Path(scratch) / f"{turn}-{name}"
                began = time.process_time()
                if ways[name] is None:
                    train_arm(base, rows, recipe, 0, folder)
                else:
                    made = record_run(base, rows, recipe, 0, folder, embedding=bool(ways[name]))
                    reading += 0 if ways[name] else made.seconds["recording"]
                    folder = folder / "run"
                seconds[name] += time.process_time() - began
                weights.add(weights_hash(folder / "adapter"))
    plain, encoded = of_the_script(o), encode_rows(base, rows, recipe)
    whole_by_row(plain, encoded[:2])
    began = time.perf_counter()
    whole_by_row(plain, encoded)
    return {
        "by row": (time.perf_counter() - began) / len(rows),
        "reading": reading / (2 * len(rows) * recipe.epochs),
        "seconds": seconds,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "same weights": len(weights) == 1,
        "rows": len(rows),
    }


if __name__ == "__main__":
    main()
