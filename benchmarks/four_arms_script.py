"""The four arms as a user of TRL, peft and lm-eval scripts them: fine-tune, then score.

Runs in the environment of benchmarks/oracles/lm-eval.txt; benchmarks/four_arms.py writes its job
file and calls it once per arm, or once for all arms. It leaves times and scores in a JSON file.
Where its user has a choice, it takes the faster one: no activation checkpointing, no logging, no
intermediate saves, lm-eval on the model in memory, without its own list of tasks.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

TASK = "datadose_probes"


def load(folder: str) -> tuple[Any, Any]:
    """The base model in fp32 and its tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, AutoTokenizer.from_pretrained(folder)


def train(model: Any, tokenizer: Any, arm: dict[str, Any], job: dict[str, Any], out: Path) -> Any:
    """The base with a trained adapter on it, which is saved in `out` as well."""
    import torch
    from datasets import load_dataset
    from peft import LoraConfig, get_peft_model
    from trl import SFTConfig, SFTTrainer

    recipe = job["recipe"]
    torch.manual_seed(job["init_seed"])
    lora = LoraConfig(
        r=recipe["rank"],
        lora_alpha=recipe["alpha"],
        lora_dropout=recipe["dropout"],
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    config = SFTConfig(
        output_dir=str(out),
        num_train_epochs=1,  # the file holds the rows of all epochs, in datadose's order
        train_sampling_strategy="sequential",
        per_device_train_batch_size=recipe["batch"],
        gradient_accumulation_steps=recipe["accumulate"],
        learning_rate=recipe["lr"],
        lr_scheduler_type=recipe["schedule"],
        warmup_steps=0,
        weight_decay=recipe["weight_decay"],
        max_grad_norm=recipe["clip"],
        max_length=recipe["max_length"],
        completion_only_loss=True,
        activation_checkpointing=False,
        bf16=job["precision"] == "bf16",
        use_cpu=True,
        dataloader_pin_memory=False,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=get_peft_model(model, lora),
        args=config,
        train_dataset=load_dataset("json", data_files=arm["rows"], split="train"),
        processing_class=tokenizer,
    )
    trainer.train()
    trainer.save_model(str(out))
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def score(
    model: Any, tokenizer: Any, job: dict[str, Any], batch: int, limit: int | None = None
) -> dict[str, list[float]]:
    """Log-likelihood (nats) of every option of every probe, by lm-eval's multiple choice."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    kind = "bfloat16" if job["precision"] == "bf16" else None
    found = simple_evaluate(
        model=HFLM(
            pretrained=model, tokenizer=tokenizer, batch_size=batch, mixed_precision_dtype=kind
        ),
        tasks=[TASK],
        task_manager=TaskManager(include_path=job["tasks"], include_defaults=False),
        apply_chat_template=True,
        system_instruction=job["system"],
        limit=limit,
        bootstrap_iters=0,
    )
    return {
        s["doc"]["id"]: [float(value) for value, _ in s["filtered_resps"]]
        for s in found["samples"][TASK]
    }


def main() -> None:
    """Train and score the arms named, or find the best batch for scoring on the base model."""
    marks = {"start": time.time()}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--arms", nargs="*", default=[])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--try-batches", nargs="*", type=int, default=[])
    args = parser.parse_args()
    job = json.loads(args.job.read_text("utf-8"))

    import torch

    torch.set_num_threads(job["threads"])
    from lm_eval.models import huggingface  # noqa: F401
    from trl import SFTTrainer  # noqa: F401

    marks["imported"] = time.time()
    model, tokenizer = load(job["model"])
    marks["loaded"] = time.time()
    record: dict[str, Any] = {"marks": marks, "arms": {}, "batches": {}, "threads": 0}
    record["threads"] = torch.get_num_threads()
    if args.try_batches:
        score(model, tokenizer, job, 1, limit=2)  # first use is slow, whatever the batch
    for batch in args.try_batches:
        began = time.time()
        record["base"] = score(model, tokenizer, job, batch, job["limit"])
        record["batches"][str(batch)] = time.time() - began
    for name in args.arms:
        began = time.time()
        tuned = train(model, tokenizer, job["arms"][name], job, args.out.with_suffix("") / name)
        trained = time.time()
        scores = score(tuned, tokenizer, job, args.batch)
        record["arms"][name] = {
            "train": trained - began,
            "score": time.time() - trained,
            "scores": scores,
        }
        model = tuned.unload()
    record["versions"] = _versions()
    args.out.write_text(json.dumps(record), "utf-8")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {n: version(n) for n in ("torch", "transformers", "peft", "trl", "lm_eval")}


if __name__ == "__main__":
    main()
