"""bergson's side of benchmarks/gradients.py: runs in .oracles/bergson, without datadose.

python benchmarks/gradients_bergson.py JOB RESULT

JOB: model (a folder), precision, threads, tokens (a batch's padded tokens), projection (0 keeps
whole gradients), rows (ids and the place where the answer starts), run (a folder that is not
there). RESULT: processor seconds of the collection (model loaded, rows encoded), squared norms if
nothing was projected.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import bergson
import numpy as np
import torch
from bergson import IndexConfig, collect_gradients, load_gradients
from bergson.data import allocate_batches
from bergson.utils.worker_utils import create_processor, setup_model_and_peft
from datasets import Dataset


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(job["threads"])
    config = IndexConfig(
        run_path=job["run"],
        model=job["model"],
        precision=job["precision"],
        projection_dim=job["projection"],
        token_batch_size=job["tokens"],
        loss_reduction="sum",
    )
    config.partial_run_path.mkdir(parents=True)
    rows = job["rows"]
    data = Dataset.from_dict(
        {
            "input_ids": [r["ids"] for r in rows],
            "labels": [[-100] * r["start"] + r["ids"][r["start"] :] for r in rows],
            "length": [len(r["ids"]) for r in rows],
        }
    )
    model, targets = setup_model_and_peft(config)
    processor = create_processor(model, config, targets)
    batches = allocate_batches(data["length"][:], job["tokens"])
    began, clock = time.process_time(), time.perf_counter()
    collect_gradients(model, data, processor, config, batches=batches, target_modules=targets)
    result = {
        "version": bergson.__version__,
        "seconds": time.process_time() - began,
        "wall": time.perf_counter() - clock,
    }
    found = load_gradients(config.partial_run_path)
    result["width"] = int(found.shape[1])
    if not job["projection"]:
        result["norms"] = np.square(found.astype(np.float64)).sum(1).tolist()
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")


if __name__ == "__main__":
    main()
