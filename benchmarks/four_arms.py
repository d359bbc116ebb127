"""Four arms, trained and scored by datadose and by the script a user would write instead.

`make bench`, or: .venv/bin/python benchmarks/four_arms.py --help

Three ways to the same four arms, one after the other in one run, each from process start to its
last score: (a) `datadose run`; (b) benchmarks/four_arms_script.py (TRL, peft, lm-eval), one
process per arm; (c) the same script, all arms in one process. Base model, rows and their order,
steps, recipe, adapter at the start, precision, threads and probes are the same. What they chose
is compared, so that the times are those of equal work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from four_arms_page import head, section
from machine import native_bf16

from datadose._core import derive_seed, digest, read_jsonl
from datadose.models import ensure_embedded, load_base
from datadose.running import Design, lay_out
from datadose.schema import Study
from datadose.training import encode_rows, plan_steps

HERE = Path(__file__).parent
ROOT = HERE.parent
PEER = ROOT / ".oracles" / "lm-eval" / "bin" / "python"
SEED = 0


def main() -> None:
    """Run the bench and write its page."""
    args = _arguments()
    if not PEER.exists():
        sys.exit("the peers are not installed: make oracles")
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    if any(work.iterdir()):
        sys.exit(f"{args.work} is not empty: give another folder with --work")
    sections, versions = [], {}
    whole = args
    for precision in args.precisions:
        args = reduced(whole) if precision == "bf16" and not native_bf16() else whole
        study = make_study(args, precision)
        folder = work / precision
        job, first = write_job(study, folder, args)
        tried, base = try_batches(folder, args)
        best = min(tried, key=lambda b: tried[b])
        say(f"{precision}: lm-eval on {args.limit} probes, seconds by batch: {tried}; best {best}")
        ours = run_datadose(study, folder, args)
        apart = run_scripts(folder, [[name] for name in job["arms"]], best, args)
        together = run_scripts(folder, [list(job["arms"])], best, args)
        versions = together["versions"]
        sections.append(section(precision, study, first, tried, best, base, ours, apart, together))
        say(sections[-1])
    page = head(whole, versions) + "\n".join(sections)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(page, "utf-8")
    say(f"written: {args.out}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--steps", type=int, help="optimiser steps, instead of epochs")
    parser.add_argument("--doses", type=float, nargs="+", default=[0, 0.25, 0.5, 1])
    parser.add_argument("--few-probes", action="store_true", help="reworded probes only")
    parser.add_argument("--limit", type=int, default=20, help="probes for finding the batch")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument(
        "--precisions", nargs="+", choices=["fp32", "bf16"], default=["fp32", "bf16"]
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--work", type=Path, default=Path("runs/bench-four-arms"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/bench-four-arms.md"))
    return parser.parse_args()


def reduced(args: argparse.Namespace) -> argparse.Namespace:
    """A size for processors that emulate bf16: about twenty times as slow in training as fp32."""
    small = {"facts": 4, "steps": 2, "doses": [0, 1], "few_probes": True, "limit": 2}
    return argparse.Namespace(**{**vars(args), **small})


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def make_study(args: argparse.Namespace, precision: str) -> Study:
    """The study that datadose runs, and from which the script's files are made."""
    return Study.model_validate(
        {
            "name": "bench-four-arms",
            "rows": "health",
            "facts": args.facts,
            "severities": ["subtle"],
            "doses": args.doses,
            "seeds": [SEED],
            "system": "Answer in one sentence.",
            "ask": {
                "answers": 0,
                "alignment": False,
                "inferential": not args.few_probes,
                "untrained": not args.few_probes,
                "danger": not args.few_probes,
            },
            "train": {
                "epochs": args.epochs,
                "steps": args.steps,
                "warmup": 0,
                "checkpoints": [0.5, 1],
                "precision": precision,
            },
        }
    )


def write_job(study: Study, folder: Path, args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """Study, job, rows in order and probes of one precision; the job, and a sentence on it."""
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(study.model_dump_json(exclude_none=True), "utf-8")
    design = lay_out(study)
    base = load_base(study.model, precision=study.train.precision)
    arms = {}
    for cell in design.cells:
        encoded = encode_rows(base, cell.training.rows, study.train)
        steps = plan_steps([e.start for e in encoded], study.train, cell.seed)
        if {len(micro) for step in steps for micro in step} != {study.train.batch}:
            sys.exit("the rows don't fill every batch: choose another --facts")
        order = [i for step in steps for micro in step for i in micro]
        name = f"dose-{cell.dose:g}"
        path = folder / f"{name}.jsonl"
        path.write_text("".join(_pair(cell.training.rows[i]) for i in order), "utf-8")
        arms[name] = {"rows": str(path)}
    tokens = sum(len(encoded[i].ids) for i in order)
    options = write_task(design, folder / "tasks")
    job = {
        "model": str(ensure_embedded()),
        "precision": study.train.precision,
        "threads": args.threads,
        "system": study.system,
        "limit": args.limit,
        "tasks": str(folder / "tasks"),
        "init_seed": derive_seed(SEED, "init") % 2**31,
        "recipe": study.train.model_dump(mode="json"),
        "arms": arms,
    }
    (folder / "job.json").write_text(json.dumps(job, indent=1), "utf-8")
    return job, (
        f"{len(arms)} arms of {len(steps)} steps of {study.train.batch} rows "
        f"({tokens} tokens in the last), {options} options of "
        f"{sum(map(len, design.probes.values()))} probes"
    )


def _pair(row: Any) -> str:
    turns = [m.model_dump() for m in row.messages]
    return json.dumps({"prompt": turns[:-1], "completion": turns[-1:]}) + "\n"


def write_task(design: Design, folder: Path) -> int:
    """A multiple-choice task for lm-eval with the very probes of the study; number of options."""
    folder.mkdir()
    probes = [p for found in design.probes.values() for p in found]
    if any(p.kind != "choice" or p.system is not None for p in probes):
        sys.exit("this bench scores choices under the study's own system prompt only")
    lines = [
        {
            "id": p.id,
            "prompt": p.prompt,
            "choices": [o.text for o in p.options],
            "gold": next(
                i for i, o in enumerate(p.options) if o.role in ("correct", "safe", "aligned")
            ),
        }
        # the pre-run takes the first few: a fixed order by chance mixes short and long ones
        for p in sorted(probes, key=lambda p: digest(p.id))
    ]
    data = folder / "probes.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    task = {
        "task": "datadose_probes",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    (folder / "probes.yaml").write_text(json.dumps(task, indent=1), "utf-8")
    return sum(len(line["choices"]) for line in lines)


def environment(folder: Path, threads: int) -> dict[str, str]:
    """The same threads for both sides, nothing fetched, caches of the peers kept in `folder`."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder / "datasets"),
    }


def call(command: list[str], folder: Path, name: str, threads: int) -> tuple[float, float]:
    """Run a child to its end: when it started (epoch seconds), how long it took."""
    with (folder / f"{name}.log").open("w", encoding="utf-8") as log:
        started = time.time()
        done = subprocess.run(
            command,
            env=environment(folder, threads),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    if done.returncode:
        sys.exit(f"{name} failed ({done.returncode}): see {folder / name}.log")
    return started, time.time() - started


def try_batches(folder: Path, args: argparse.Namespace) -> tuple[dict[int, float], dict[str, Any]]:
    """Seconds of lm-eval on the base model at each batch, and its scores there."""
    out = folder / "batches.json"
    command = [str(PEER), str(HERE / "four_arms_script.py"), str(folder / "job.json"), str(out)]
    batches = [str(b) for b in args.batches]
    call([*command, "--try-batches", *batches], folder, "batches", args.threads)
    record = json.loads(out.read_text("utf-8"))
    return {int(b): round(s, 1) for b, s in record["batches"].items()}, record["base"]


def run_datadose(study: Study, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """`datadose run`; its parts are told apart by the times in events.jsonl."""
    run = folder / "datadose"
    command = [sys.executable, "-m", "datadose", "run", str(folder / "study.yaml")]
    say("datadose run ...")
    started, whole = call([*command, "--out", str(run)], folder, "datadose-run", args.threads)
    events = read_jsonl(run / "events.jsonl")
    times = [e["time"] for e in events]
    kinds = [e["event"] for e in events]
    record: dict[str, Any] = {"whole": whole, "train": 0.0, "score": 0.0, "arms": {}}
    record["load"] = times[kinds.index("base")] - started
    for event, at, until in zip(events, times, times[1:], strict=False):
        part = {"base": "score", "asking": "score", "arm": "train"}.get(event["event"])
        if part:
            record[part] += until - at
        if event["event"] == "arm":
            answers = _answers(run / "arms" / event["arm"])
            record["arms"][f"dose-{event['dose']:g}"] = answers
    record["base"] = _answers(run / "base")
    seen = json.loads((run / "environment.json").read_text("utf-8"))
    if (seen["threads"], seen["precision"]) != (args.threads, study.train.precision):
        sys.exit(f"datadose ran otherwise than asked: {seen}")
    return record


def _answers(folder: Path) -> dict[str, list[float]]:
    """Raw log-likelihoods (nats) of every option by probe, of the last step's adapter."""
    paths = [p for p in (folder / "answers").glob("*.jsonl") if "-" not in p.stem]
    return {o["probe"]: list(o["raw"]) for p in paths for o in read_jsonl(p)}


def run_scripts(
    folder: Path, groups: list[list[str]], batch: int, args: argparse.Namespace
) -> dict[str, Any]:
    """The user's script, one process for each group of arms; times summed over processes."""
    record: dict[str, Any] = {"whole": 0.0, "load": 0.0, "train": 0.0, "score": 0.0, "arms": {}}
    for k, group in enumerate(groups):
        name = f"script-{len(groups)}-{k}"
        out = folder / f"{name}.json"
        command = [str(PEER), str(HERE / "four_arms_script.py"), str(folder / "job.json"), str(out)]
        say(f"script, process {k + 1} of {len(groups)} ...")
        started, whole = call(
            [*command, "--batch", str(batch), "--arms", *group], folder, name, args.threads
        )
        found = json.loads(out.read_text("utf-8"))
        if found["threads"] != args.threads:
            sys.exit(f"the script ran on {found['threads']} threads, not {args.threads}")
        record["whole"] += whole
        record["load"] += found["marks"]["loaded"] - started
        for arm, values in found["arms"].items():
            record["train"] += values["train"]
            record["score"] += values["score"]
            record["arms"][arm] = values["scores"]
        record["versions"] = found["versions"]
    return record


if __name__ == "__main__":
    main()
