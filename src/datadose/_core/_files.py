"""Files that are whole or absent: temporary name, fsync, rename."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from datadose._core._errors import InputError


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one whole.

    Raises InputError where the place can't be written or is full.
    """
    try:
        _write_atomic(path, content)
    except OSError as error:
        raise InputError(
            f"can't be written: {error.strerror}",
            where=str(path),
            next_step="choose a place that can be written and has room",
        ) from error


def _write_atomic(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode("utf-8") if isinstance(content, str) else content
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _fsync_folder(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys; NaN is refused."""
    write_atomic(
        path,
        json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n",
    )


def write_jsonl(path: Path, values: Iterable[Any]) -> None:
    """Write one JSON object a line, atomically."""
    lines = [json.dumps(v, ensure_ascii=False, allow_nan=False, sort_keys=True) for v in values]
    write_atomic(path, "".join(line + "\n" for line in lines))


def read_json(path: Path) -> Any:
    """Read a JSON file of the project's own making.

    Raises InputError if it is missing or broken.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise InputError(f"can't be read as JSON: {error}", where=str(path)) from error


def read_jsonl(path: Path) -> list[Any]:
    """Read a JSONL file of the project's own making; raises InputError with the line number."""
    values = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    values.append(json.loads(line))
                except ValueError as error:
                    raise InputError(f"broken JSON: {error}", where=f"{path}:{number}") from error
    except OSError as error:
        raise InputError(f"can't be read: {error.strerror}", where=str(path)) from error
    return values


def sha256_file(path: Path) -> str:
    """Hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A scratch folder that becomes `path` when the block ends well and vanishes otherwise.

    Safe with several processes at once: where `path` exists by then, the other one won and
    this one's work is thrown away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"))
    try:
        yield scratch
        for file in scratch.rglob("*"):
            if file.is_file():
                with file.open("rb") as handle:
                    os.fsync(handle.fileno())
        scratch.chmod(0o755)
        try:
            os.rename(scratch, path)
        except OSError:
            if not path.is_dir():
                raise
        _fsync_folder(path.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
