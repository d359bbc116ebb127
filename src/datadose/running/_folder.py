"""The run folder: stages that are whole or absent, manifests last, one writer per arm."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadose._core import InputError, read_json, write_json

HEARTBEAT = 5.0
STALE = 60.0


class RunFolder:
    """Paths and rules of `runs/<study>/`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            (path / "arms").mkdir(parents=True, exist_ok=True)
            probe = path / f".writable-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"the run folder can't be written: {error.strerror}",
                where=str(path),
                next_step="choose another folder with --out",
            ) from error

    def arm(self, arm_id: str) -> Path:
        """Folder of an arm."""
        return self.path / "arms" / arm_id

    def done(self, stage: Path) -> dict[str, Any] | None:
        """The manifest of a stage, or None where the stage is not complete."""
        found: dict[str, Any] | None = read_json(stage) if stage.is_file() else None
        return found

    def event(self, event: dict[str, Any]) -> None:
        """Append one line to events.jsonl."""
        line = json.dumps({"time": round(time.time(), 3), **event}, ensure_ascii=False)
        with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def keep_fixed(self, name: str, value: Any, *, next_step: str) -> None:
        """Write `value` the first time; afterwards refuse any other, naming what changed."""
        path = self.path / f"{name}.json"
        if not path.is_file():
            write_json(path, value)
            return
        before = read_json(path)
        changed = [k for k in sorted({*before, *value}) if before.get(k) != value.get(k)]
        if changed:
            shown = "; ".join(f"{k}: {before.get(k)!r} then, {value.get(k)!r} now" for k in changed)
            raise InputError(
                f"this folder was run otherwise ({shown})", where=str(path), next_step=next_step
            )

    @contextlib.contextmanager
    def claim(self, arm_id: str) -> Iterator[bool]:
        """Claim an arm with a lock file and a heartbeat; yields False if another has it."""
        folder = self.arm(arm_id)
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / ".lock"
        if not _take(lock):
            yield False
            return
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(lock, stop), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            stop.set()
            beat.join()
            lock.unlink(missing_ok=True)


def _take(lock: Path) -> bool:
    owner = f"{os.uname().nodename} {os.getpid()}"
    for _ in range(2):
        try:
            with lock.open("x", encoding="utf-8") as file:
                file.write(owner)
            return True
        except FileExistsError:
            if not _abandoned(lock):
                return False
            lock.unlink(missing_ok=True)
    return False


def _abandoned(lock: Path) -> bool:
    try:
        age = time.time() - lock.stat().st_mtime
        node, _, pid = lock.read_text("utf-8").partition(" ")
    except FileNotFoundError:
        return True
    if node == os.uname().nodename and pid.isdigit():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
    return age > STALE


def _beat(lock: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        with contextlib.suppress(FileNotFoundError):
            os.utime(lock)
