"""Load a base model once, by the name of the embedded one, a folder, or a hub id."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datadose._core import InputError, StageError, digest, need_extra, sha256_file
from datadose.models import _embedded, _tiny

Precision = Literal["fp32", "bf16"]


@dataclass
class BaseModel:
    """A base model in memory, with all that names it.

    `weights` and `template` are hashes that enter every arm id. `precision` is the autocast
    type; the weights themselves stay in fp32.
    """

    name: str
    description: str
    model: Any
    tokenizer: Any
    weights: str
    template: str
    precision: Precision
    device: str

    @property
    def end_ids(self) -> frozenset[int]:
        """Token ids that end an answer."""
        ids = self.model.generation_config.eos_token_id
        ids = ids if isinstance(ids, list) else [ids]
        return frozenset(i for i in (*ids, self.tokenizer.eos_token_id) if i is not None)

    @property
    def pad_id(self) -> int:
        """Id that fills up batches; masks go by position, since it may equal an end token."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id)

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text by itself, without special ones."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def environment(self) -> dict[str, Any]:
        """What must not change between the parts of one run: resume refuses if it does."""
        import torch

        return {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
            "device": self.device,
            "machine": platform.machine(),
        }


def fast_bf16(device: str) -> bool:
    """Whether this processor multiplies bf16 faster than fp32."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def load_base(
    name: str,
    *,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> BaseModel:
    """Load the model called `name`: `smollm2-135m`, `tiny`, a local folder or a hub id.

    `threads` sets how many the processor's work is spread over. Raises InputError with the way
    out where there is no such model or no hub, MissingExtraError without `datadose[local]`.
    """
    for module in ("torch", "transformers", "peft", "safetensors"):
        need_extra(module, "local")
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if name == _tiny.TINY:
        model, tokenizer = _tiny.build_tiny()
        weights, description = f"tiny-{digest(_tiny.TEMPLATE)}", _tiny.DESCRIPTION
    else:
        folder, description = _locate(name, say)
        model, tokenizer = _from_folder(folder)
        weights = _weights_hash(folder)
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "its tokenizer has no chat template", where=name, next_step="use an instruct model"
        )
    model.requires_grad_(False)
    model.eval().to(device)
    chosen: Precision = "fp32"
    if precision == "bf16" or (precision == "auto" and fast_bf16(device)):
        chosen = "bf16"
    template = digest([tokenizer.chat_template, sorted(tokenizer.get_vocab().items())])
    return BaseModel(name, description, model, tokenizer, weights, template, chosen, device)


def _locate(name: str, say: Callable[[str], None]) -> tuple[Path, str]:
    if name == _embedded.EMBEDDED:
        return _embedded.ensure_embedded(say), _embedded.DESCRIPTION
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(
                "is a folder without config.json",
                where=name,
                next_step="name a folder that transformers can load, or a hub id",
            )
        return path, path.name
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise InputError(
            f"no model is called {name!r}: not the embedded one, not a folder, not a hub id",
            next_step=f"use `{_embedded.EMBEDDED}`, a folder, or `owner/name`",
        )
    from huggingface_hub import snapshot_download

    try:
        patterns = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
        return Path(snapshot_download(name, allow_patterns=patterns)), name
    except Exception as error:
        raise StageError(
            f"the model {name!r} can't be fetched from the hub: {type(error).__name__}",
            next_step=f"use the embedded model `{_embedded.EMBEDDED}` or a local folder",
        ) from error


def _from_folder(folder: Path) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="sdpa", use_safetensors=True
    )
    return model, AutoTokenizer.from_pretrained(folder)


def _weights_hash(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError("holds no .safetensors file", where=str(folder))
    return digest([sha256_file(file) for file in files])
