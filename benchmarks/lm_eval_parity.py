"""Multiple choice by datadose and by lm-evaluation-harness: the same requests, item by item.

.venv/bin/python benchmarks/lm_eval_parity.py --data FOLDER [--limit 300] [--out PAGE.md]

Five benchmarks, the embedded model, fp32 on both sides. The harness runs its own task files; only
their data come from the same checked files. Its requests must be those of datadose, text by text
(its six examples before a TruthfulQA question are taken from its request and given to datadose
as a primer). Then the choices are compared, with the gap between the best two options wherever
they differ, and the times: of asking alone, and with imports and load. datadose runs once, the
harness once for each batch size; its best time counts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datadose.evaluation.benchmarks import BENCHMARKS, choose
from datadose.models import ensure_embedded

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".oracles" / "lm-eval" / "bin" / "python"
SIDE = Path(__file__).with_name("lm_eval_side.py")
CLOSE = 1e-3
TASKS = {
    "mmlu_professional_law": ("mmlu:professional_law", "mmlu/default/mmlu_professional_law.yaml"),
    "medmcqa": ("medmcqa", "medmcqa/medmcqa.yaml"),
    "pubmedqa": ("pubmedqa", "pubmedqa/pubmedqa.yaml"),
    "truthfulqa_mc1": ("truthfulqa_mc1", "truthfulqa/truthfulqa_mc1.yaml"),
    "truthfulqa_mc2": ("truthfulqa_mc2", "truthfulqa/truthfulqa_mc2.yaml"),
}


def main() -> None:
    """Run both sides and print what they did."""
    args = _arguments()
    if args.ours is not None:
        _ours(args.ours)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _write_tasks(folder, Path(args.data), args.tasks)
        job = {
            "model": str(ensure_embedded()),
            "folder": scratch,
            "data": args.data,
            "tasks": args.tasks,
            "limit": args.limit,
            "threads": args.threads,
        }
        peers = {b: _run([str(PEER), str(SIDE)], {**job, "batch": b}, folder) for b in args.batches}
        first = peers[args.batches[0]]
        job["primers"] = {n: _primer(n, first, Path(args.data)) for n in args.tasks}
        mine = [sys.executable, __file__, "--data", args.data, "--ours"]
        ours = _run(mine, job, folder)
    page = _page(args, ours, peers)
    print(page)
    if args.out is not None:
        args.out.write_text(page + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("DATADOSE_DATA"))
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--batches", type=_numbers, default=[1, 8, 32])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tasks", type=lambda s: s.split(","), default=list(TASKS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.data is None:
        parser.error("give the folder of the public data sets: --data FOLDER")
    return args


def _numbers(text: str) -> list[int]:
    return [int(n) for n in text.split(",")]


def _write_tasks(folder: Path, data: Path, names: list[str]) -> None:
    """The harness's own task files, with records of the checked files under them."""
    where = "import lm_eval, pathlib; print(pathlib.Path(lm_eval.__file__).parent / 'tasks')"
    found = subprocess.run([str(PEER), "-c", where], capture_output=True, text=True, check=True)
    home = Path(found.stdout.split()[-1])
    for name in names:
        ours, file = TASKS[name]
        chosen = choose(ours)
        records = chosen.benchmark.local(data, chosen.groups)
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
        split = BENCHMARKS.get(chosen.name)().hub
        assert split
        task = {
            "include": str(home / file),
            "task": f"parity_{name}",
            "dataset_path": "json",
            "dataset_name": None,
            "dataset_kwargs": {"data_files": {split.split: str(path)}},
            "training_split": None,
            "validation_split": None,
            "test_split": split.split,
            "fewshot_split": None,
            "fewshot_config": None,
            "num_fewshot": 0,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(task), "utf-8")


def _run(command: list[str], job: dict[str, Any], folder: Path) -> dict[str, Any]:
    out = folder / "out.json"
    (folder / "job.json").write_text(json.dumps({**job, "out": str(out)}), "utf-8")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    env |= {"OMP_NUM_THREADS": str(job["threads"]), "TOKENIZERS_PARALLELISM": "false"}
    start = time.monotonic()
    done = subprocess.run(
        [*command, str(folder / "job.json")], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-3000:]}")
    whole = time.monotonic() - start
    return {**json.loads(out.read_text("utf-8")), "whole": whole}


def _ours(path: Path) -> None:
    """datadose's side, in a process of its own."""
    job = json.loads(path.read_text("utf-8"))
    start = time.monotonic()
    import torch  # noqa: F401 - its import belongs to the time

    from datadose.evaluation import Form, ask_tasks
    from datadose.evaluation.benchmarks import read_tasks
    from datadose.models import load_base

    imported = time.monotonic()
    base = load_base("smollm2-135m", precision="fp32", threads=job["threads"])
    loaded = time.monotonic()
    found: dict[str, Any] = {"import": imported - start, "load": loaded - imported, "tasks": {}}
    for name in job["tasks"]:
        chosen = choose(TASKS[name][0])
        tasks = read_tasks(chosen, Path(job["data"]))[: job["limit"]]
        begin = time.monotonic()
        form = Form(chat=False, primer=job["primers"][name])
        answered = ask_tasks(base, chosen.benchmark, tasks, form)
        found["tasks"][name] = {
            "seconds": time.monotonic() - begin,
            "items": [
                {
                    "prompt": form.primer + t.plain,
                    "options": list(t.options),
                    "scores": list(a.scores),
                    "value": a.value,
                }
                for t, a in zip(tasks, answered, strict=True)
            ],
        }
    Path(job["out"]).write_text(json.dumps(found), "utf-8")


def _primer(name: str, peer: dict[str, Any], data: Path) -> str:
    """What the harness puts before a TruthfulQA question; nothing elsewhere."""
    if not name.startswith("truthfulqa"):
        return ""
    chosen = choose(TASKS[name][0])
    plain = chosen.benchmark.task(1, chosen.benchmark.local(data, ())[0]).plain
    theirs: str = peer["tasks"][name]["items"][0]["prompt"]
    return theirs.removesuffix(plain)


def _compare(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Requests that differ, choices that differ and their top-two gaps, the largest difference."""
    pairs = list(zip(ours["items"], theirs["items"], strict=True))
    other = sum((a["prompt"], a["options"]) != (b["prompt"], b["options"]) for a, b in pairs)
    gaps, largest = [], 0.0
    for a, b in pairs:
        largest = max(largest, *(abs(x - y) for x, y in zip(a["scores"], b["scores"], strict=True)))
        if a["scores"].index(max(a["scores"])) != b["scores"].index(max(b["scores"])):
            best, second = sorted(b["scores"], reverse=True)[:2]
            gaps.append(best - second)
    rates = [sum(x["value"] for x in side["items"]) / len(pairs) for side in (ours, theirs)]
    return {"items": len(pairs), "other": other, "gaps": gaps, "largest": largest, "rates": rates}


def _page(args: argparse.Namespace, ours: dict[str, Any], peers: dict[int, Any]) -> str:
    peer = version_of_peer()
    lines = [
        "# Multiple choice: datadose and lm-evaluation-harness",
        "",
        "Made by `python benchmarks/lm_eval_parity.py"
        f" --limit {args.limit} --batches {','.join(map(str, args.batches))}`"
        f" on {platform.machine()}, {args.threads} threads; fp32; torch {version('torch')},"
        f" transformers {version('transformers')}, lm-eval {peer}.",
        "",
        "| benchmark | items | requests that differ | choices that differ | their largest top-two"
        " gap (nats) | largest difference of a score | rate, datadose | rate, lm-eval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    wrong = items = 0
    widest = 0.0
    for name in args.tasks:
        for found in peers.values():
            c = _compare(ours["tasks"][name], found["tasks"][name])
            wrong, items = wrong + len(c["gaps"]), items + c["items"]
            widest = max([widest, *c["gaps"]])
        c = _compare(ours["tasks"][name], peers[args.batches[0]]["tasks"][name])
        gap = f"{max(c['gaps']):.1e}" if c["gaps"] else "-"
        lines.append(
            f"| {name} | {c['items']} | {c['other']} | {len(c['gaps'])} | {gap}"
            f" | {c['largest']:.1e} | {c['rates'][0]:.4f} | {c['rates'][1]:.4f} |"
        )
    verdict = "holds" if widest < CLOSE and wrong <= 0.01 * items else "does not hold"
    lines += [
        "",
        f"Over all batch sizes {wrong} of {items} choices differ; widest gap {widest:.1e} nats."
        f" Parity (gaps under {CLOSE:g} nats, at most 1% of items) {verdict}.",
        "",
        "| seconds | datadose |" + "".join(f" lm-eval, batch {b} |" for b in peers) + " ratio |",
        "|---|---|" + "---|" * len(peers) + "---|",
    ]
    for name in [*args.tasks, "asking, all", "imports", "load", "whole process"]:
        mine, theirs = _seconds(ours, name), [_seconds(p, name) for p in peers.values()]
        cells = "".join(f" {t:.1f} |" for t in theirs)
        lines.append(f"| {name} | {mine:.1f} |{cells} {min(theirs) / mine:.1f} |")
    return "\n".join(lines)


def _seconds(side: dict[str, Any], name: str) -> float:
    if name == "asking, all":
        return float(sum(t["seconds"] for t in side["tasks"].values()))
    keys = {"imports": "import", "load": "load", "whole process": "whole"}
    return float(side[keys[name]] if name in keys else side["tasks"][name]["seconds"])


def version_of_peer() -> str:
    """The harness's version."""
    code = "import importlib.metadata as m; print(m.version('lm_eval'))"
    done = subprocess.run([str(PEER), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
