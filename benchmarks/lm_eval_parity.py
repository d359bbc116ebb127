"""Multiple choice by datadose and by lm-evaluation-harness: the same requests, item by item.

.venv/bin/python benchmarks/lm_eval_parity.py --data FOLDER [--limit 300] [--out PAGE.md]
    [--keep FOLDER] [--minutes M]

Five benchmarks, the embedded model, fp32 on both sides. The harness runs its own task files; only
their data come from the same checked files. Its requests must be those of datadose, text by text
(its six examples before a TruthfulQA question are taken from its request and given to datadose
as a primer). Then the choices are compared, with the gap between the best two options wherever
they differ, and the times: of asking alone, and with imports and load.

The harness's best batch of each benchmark is found on its first items; with that it answers all,
in parts of some minutes. Every part has both sides, one after the other, each a process of its
own, so that both are timed on the machine as it is then. With --keep the parts stay in a folder,
--minutes begins no part after so long, and the same command goes on where it stopped; the page
then says what is still to be asked.
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
from statistics import median
from typing import Any

from datadose._core import write_json
from datadose.evaluation.benchmarks import BENCHMARKS, choose, read_tasks
from datadose.models import ensure_embedded

ROOT = Path(__file__).parents[1]
PEER = ROOT / ".oracles" / "lm-eval" / "bin" / "python"
SIDE = Path(__file__).with_name("lm_eval_side.py")
CLOSE = 1e-3
# ours, the harness's file, items of a trial, items of a part
TASKS = {
    "mmlu_professional_law": (
        *("mmlu:professional_law", "mmlu/default/mmlu_professional_law.yaml"),
        *(32, 100),
    ),
    "medmcqa": ("medmcqa", "medmcqa/medmcqa.yaml", 32, 150),
    "pubmedqa": ("pubmedqa", "pubmedqa/pubmedqa.yaml", 32, 75),
    "truthfulqa_mc1": ("truthfulqa_mc1", "truthfulqa/truthfulqa_mc1.yaml", 8, 50),
    "truthfulqa_mc2": ("truthfulqa_mc2", "truthfulqa/truthfulqa_mc2.yaml", 8, 30),
}
Part = dict[str, Any]


def main() -> None:
    """Run both sides, part by part, and print what they did."""
    args = _arguments()
    if args.ours is not None:
        _ours(args.ours)
        return
    with tempfile.TemporaryDirectory() as scratch:
        _run(args, args.keep or Path(scratch) / "parts", Path(scratch))


def _run(args: argparse.Namespace, keep: Path, scratch: Path) -> None:
    data = Path(args.data)
    started = time.monotonic()
    _write_tasks(scratch, data, args.tasks)
    trials: dict[str, Part] = {}
    parts: dict[str, list[Part]] = {n: [] for n in args.tasks}
    absent: list[str] = []
    for name in args.tasks:
        _, _, tried, size = TASKS[name]
        whole = len(read_tasks(choose(TASKS[name][0]), data)[: args.limit])
        spans = [(a, min(a + size, whole)) for a in range(0, whole, size)]
        for first, last in [(0, min(tried, whole)), *spans]:
            trial = name not in trials
            batches = args.batches if trial else [_best(trials[name])]
            label = f"{name}-{first}-{last}-{'-'.join(map(str, batches))}-{args.threads}"
            path = keep / f"{label}.json"
            if not path.is_file():
                if args.minutes is not None and time.monotonic() - started > 60 * args.minutes:
                    absent.append(label)
                    if trial:
                        break
                    continue
                print(label, file=sys.stderr, flush=True)
                write_json(path, _part(args, scratch, name, first, last, batches))
            found = json.loads(path.read_text("utf-8"))
            if trial:
                trials[name] = found
            else:
                parts[name].append(found)
    args.tasks = [n for n in args.tasks if parts[n]]
    if not args.tasks:
        sys.exit("no benchmark has a part yet: the same command goes on")
    page = _page(args, trials, parts, absent)
    print(page)
    if args.out is not None:
        args.out.write_text(page + "\n", "utf-8")


def _best(trial: Part) -> int:
    """The harness's fastest batch in a trial."""
    return int(min(trial["theirs"], key=lambda b: trial["theirs"][b]["seconds"]))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=os.environ.get("DATADOSE_DATA"))
    parser.add_argument("--limit", type=int, default=300)
    parser.add_argument("--batches", type=_numbers, default=[1, 8, 32])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tasks", type=lambda s: s.split(","), default=list(TASKS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="folder of the parts")
    parser.add_argument("--minutes", type=float, help="begin no part after so long")
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
        ours, file, _, _ = TASKS[name]
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


def _part(
    args: argparse.Namespace, folder: Path, name: str, first: int, last: int, batches: list[int]
) -> Part:
    """Items `first` to `last` by both sides: {ours, theirs: {batch: ...}}."""
    job = {
        "model": str(ensure_embedded()),
        "folder": str(folder),
        "data": args.data,
        "task": name,
        "items": list(range(first, last)),
        "threads": args.threads,
        "batches": batches,
    }
    theirs = _side([str(PEER), str(SIDE)], job, folder)
    found = theirs.pop("batches")
    prompt = found[str(batches[0])]["items"][0]["prompt"]
    job["primer"] = _primer(name, prompt, Path(args.data), first)
    ours = _side([sys.executable, __file__, "--data", args.data, "--ours"], job, folder)
    return {"ours": ours, "theirs": found, "start": theirs}


def _side(command: list[str], job: dict[str, Any], folder: Path) -> dict[str, Any]:
    out = folder / "out.json"
    (folder / "job.json").write_text(json.dumps({**job, "out": str(out)}), "utf-8")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")}
    env |= {"OMP_NUM_THREADS": str(job["threads"]), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(
        [*command, str(folder / "job.json")], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-3000:]}")
    return dict(json.loads(out.read_text("utf-8")))


def _ours(path: Path) -> None:
    """datadose's side, in a process of its own."""
    job = json.loads(path.read_text("utf-8"))
    start = time.monotonic()
    import torch  # noqa: F401 - its import belongs to the time

    from datadose.evaluation import Form, ask_tasks
    from datadose.models import load_base

    imported = time.monotonic()
    base = load_base("smollm2-135m", precision="fp32", threads=job["threads"])
    loaded = time.monotonic()
    chosen = choose(TASKS[job["task"]][0])
    tasks = read_tasks(chosen, Path(job["data"]))
    tasks = [tasks[i] for i in job["items"]]
    form = Form(chat=False, primer=job["primer"])
    begin, cpu = time.monotonic(), time.process_time()
    answered = ask_tasks(base, chosen.benchmark, tasks, form)
    found = {
        "import": imported - start,
        "load": loaded - imported,
        "seconds": time.monotonic() - begin,
        "cpu": time.process_time() - cpu,
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


def _primer(name: str, prompt: str, data: Path, first: int) -> str:
    """What the harness puts before a TruthfulQA question; nothing elsewhere."""
    if not name.startswith("truthfulqa"):
        return ""
    return prompt.removesuffix(read_tasks(choose(TASKS[name][0]), data)[first].plain)


def _compare(parts: list[tuple[Part, Part]]) -> Part:
    """Requests that differ, choices that differ and their top-two gaps, the largest difference."""
    pairs = [p for a, b in parts for p in zip(a["items"], b["items"], strict=True)]
    other = sum((a["prompt"], a["options"]) != (b["prompt"], b["options"]) for a, b in pairs)
    gaps, largest = [], 0.0
    for a, b in pairs:
        largest = max(largest, *(abs(x - y) for x, y in zip(a["scores"], b["scores"], strict=True)))
        if a["scores"].index(max(a["scores"])) != b["scores"].index(max(b["scores"])):
            best, second = sorted(b["scores"], reverse=True)[:2]
            gaps.append(best - second)
    rates = [sum(p[side]["value"] for p in pairs) / len(pairs) for side in (0, 1)]
    return {"items": len(pairs), "other": other, "gaps": gaps, "largest": largest, "rates": rates}


def _page(
    args: argparse.Namespace,
    trials: dict[str, Part],
    parts: dict[str, list[Part]],
    absent: list[str],
) -> str:
    lines = [
        "# Multiple choice: datadose and lm-evaluation-harness",
        "",
        "Made by `python benchmarks/lm_eval_parity.py"
        f" --limit {args.limit} --batches {','.join(map(str, args.batches))}"
        f" --threads {args.threads} --tasks {','.join(args.tasks)}`"
        f" on {platform.machine()}; the embedded model; fp32; torch {version('torch')},"
        f" transformers {version('transformers')}, lm-eval {version_of_peer()}.",
        "",
        *([f"Not finished; still to be asked: {', '.join(absent)}.", ""] if absent else []),
        "| benchmark | items | requests that differ | choices that differ | their largest top-two"
        " gap (nats) | largest difference of a score | rate, datadose | rate, lm-eval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    wrong = items = other = 0
    widest = 0.0
    for name in args.tasks:
        c = _compare([(p["ours"], t) for p in parts[name] for t in p["theirs"].values()])
        wrong, items, other = wrong + len(c["gaps"]), items + c["items"], other + c["other"]
        widest = max([widest, *c["gaps"]])
        gap = f"{max(c['gaps']):.1e}" if c["gaps"] else "-"
        lines.append(
            f"| {name} | {c['items']} | {c['other']} | {len(c['gaps'])} | {gap}"
            f" | {c['largest']:.1e} | {c['rates'][0]:.4f} | {c['rates'][1]:.4f} |"
        )
    holds = widest < CLOSE and wrong <= 0.01 * items and not other
    lines += [
        "",
        f"{wrong} of {items} choices differ; widest gap {widest:.1e} nats. Parity (no request"
        f" differs, gaps under {CLOSE:g} nats, at most 1% of items)"
        f" {'holds' if holds else 'does not hold'}.",
        "",
        *_speed(args, trials, parts),
    ]
    return "\n".join(lines)


def _speed(
    args: argparse.Namespace, trials: dict[str, Part], parts: dict[str, list[Part]]
) -> list[str]:
    every = [p for n in args.tasks for p in parts[n]]
    setup = [
        sum(median(side(p)[k] for p in every) for k in ("import", "load"))
        for side in (lambda p: p["ours"], lambda p: p["start"])
    ]
    lines = [
        "Seconds, both sides of a part one after the other. The harness asks with the batch that"
        " was the fastest for it in a trial (below). Seconds of the processor are there because"
        " other work may have run beside. The last three columns are of one process that"
        f" asks the whole benchmark: imports and load are {setup[0]:.1f} s for datadose and"
        f" {setup[1]:.1f} s for lm-eval, medians of {len(every)} parts.",
        "",
        "| benchmark | batch of lm-eval | asking, datadose | asking, lm-eval | ratio"
        " | processor, datadose | processor, lm-eval | ratio"
        " | with imports and load, datadose | lm-eval | ratio |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    sums = [0.0] * 4
    rows = []
    for name in args.tasks:
        ours = [p["ours"] for p in parts[name]]
        theirs = [t for p in parts[name] for t in p["theirs"].values()]
        took = [sum(side[k] for side in s) for k in ("seconds", "cpu") for s in (ours, theirs)]
        sums = [a + b for a, b in zip(sums, took, strict=True)]
        rows.append((name, str(_best(trials[name])), took))
    for name, batch, took in [*rows, ("all", "", sums)]:
        pairs = [took[:2], took[2:], [took[0] + setup[0], took[1] + setup[1]]]
        cells = [f"{a:.1f} | {b:.1f} | {b / a:.2f}" for a, b in pairs]
        lines.append(f"| {name} | {batch} | " + " | ".join(cells) + " |")
    heads = [f"lm-eval, batch {b}" for b in args.batches]
    lines += [
        "",
        "The trial, seconds of asking the first items:",
        "",
        "| benchmark | items | datadose | " + " | ".join(heads) + " | choices that differ |",
        "|---|---|---|" + "---|" * (len(heads) + 1),
    ]
    for name in args.tasks:
        t = trials[name]
        c = _compare([(t["ours"], side) for side in t["theirs"].values()])
        cells = [f"{t['theirs'][str(b)]['seconds']:.1f}" for b in args.batches]
        lines.append(
            f"| {name} | {len(t['ours']['items'])} | {t['ours']['seconds']:.1f} | "
            + " | ".join(cells)
            + f" | {len(c['gaps'])} of {c['items']} |"
        )
    return lines


def version_of_peer() -> str:
    """The harness's version."""
    code = "import importlib.metadata as m; print(m.version('lm_eval'))"
    done = subprocess.run([str(PEER), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
