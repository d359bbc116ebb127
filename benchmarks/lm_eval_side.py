"""lm-evaluation-harness's side of benchmarks/lm_eval_parity.py; runs in the peer's environment.

argv: a file of JSON with model, folder (of task files), task, items, batches, threads, out.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer items of a task once for every batch size, and write scores and times."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    start = time.monotonic()
    import torch
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(job["threads"])
    imported = time.monotonic()
    manager = TaskManager(include_path=job["folder"], include_defaults=False)
    model = HFLM(pretrained=job["model"], dtype="float32", device="cpu", batch_size=1)
    loaded = time.monotonic()
    name = f"parity_{job['task']}"
    found: dict[str, Any] = {"import": imported - start, "load": loaded - imported, "batches": {}}
    for batch in job["batches"]:
        model.batch_size_per_gpu = batch
        tasks = manager.load(name)
        begin, cpu = time.monotonic(), time.process_time()
        done = evaluator.evaluate(
            model, tasks, samples={name: job["items"]}, bootstrap_iters=0, log_samples=True
        )
        took = {"seconds": time.monotonic() - begin, "cpu": time.process_time() - cpu}
        samples = sorted(done["samples"][name], key=lambda s: s["doc_id"])
        found["batches"][str(batch)] = {
            **took,
            "items": [
                {
                    "prompt": s["arguments"][0][0],
                    "options": [a[1] for a in s["arguments"]],
                    "scores": [r[0][0] for r in s["resps"]],
                    "value": s["acc"],
                }
                for s in samples
            ],
        }
    Path(job["out"]).write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    main()
