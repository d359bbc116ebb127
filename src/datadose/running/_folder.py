"""The run folder: stages that are whole or absent, manifests last, one writer per arm."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from datadose._core import InputError, StageError, read_json, write_json

HEARTBEAT = 5.0
STALE = 60.0


class RunFolder:
    """Paths and rules of `runs/<study>/`.

    It is made by its first write, so that a study that is refused leaves nothing behind. Raises
    InputError where it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._claims: dict[str, _Claim] = {}
        place = next(p for p in (path, *path.absolute().parents) if p.exists())
        try:
            os.rmdir(tempfile.mkdtemp(dir=place, prefix=".", suffix=".tmp"))
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
        self.path.mkdir(parents=True, exist_ok=True)
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
    def alone(self, name: str) -> Iterator[None]:
        """Wait until no other process of this machine is inside the same `name`, then enter."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / f".{name}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def claim(self, arm_id: str) -> Iterator[bool]:
        """Claim an arm with a lock file and a heartbeat; yields False if another has it.

        What a killed process left half written in the arm's folder is swept away.
        """
        folder = self.arm(arm_id)
        folder.mkdir(parents=True, exist_ok=True)
        claim = _take(folder / ".lock")
        if claim is None:
            yield False
            return
        self._claims[arm_id] = claim
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(claim, stop), daemon=True)
        beat.start()
        try:
            _sweep(folder)
            yield True
        finally:
            stop.set()
            beat.join()
            del self._claims[arm_id]
            claim.release()

    def holder(self, arm_id: str) -> str | None:
        """Who holds an arm, by its lock: process and machine, or None where nobody does."""
        try:
            text = (self.arm(arm_id) / ".lock").read_text("utf-8", "replace")
        except FileNotFoundError:
            return None
        machine, _, rest = text.partition(" ")
        if not machine:
            return None
        return f"process {rest.partition(' ')[0]} on {machine.partition('/')[0]}"

    def keep_claim(self, arm_id: str) -> None:
        """Raise StageError where another machine took this claimed arm over.

        It may do so when this process stood still for longer than STALE.
        """
        claim = self._claims.get(arm_id)
        if claim is not None and not claim.mine():
            raise StageError(
                f"another process took this arm over: this one stood still for over {STALE:.0f} s",
                where=str(self.arm(arm_id)),
                next_step="run the same command again; it goes on with what is left",
            )


class _Claim:
    """A lock file held open: by the kernel's lock on this machine, by its text on others.

    The file is emptied on release and never removed, so that no two processes can ever hold
    locks on two files of that name.
    """

    def __init__(self, path: Path, descriptor: int, owner: bytes) -> None:
        self.path, self.descriptor, self.owner = path, descriptor, owner

    def mine(self) -> bool:
        """Whether the file still stands there and names this claim as its owner."""
        try:
            same = os.path.samestat(os.fstat(self.descriptor), self.path.stat())
        except FileNotFoundError:
            return False
        return same and os.pread(self.descriptor, 4096, 0) == self.owner

    def release(self) -> None:
        if self.mine():
            os.ftruncate(self.descriptor, 0)
        os.close(self.descriptor)


def _machine() -> str:
    """This machine since it was started: a lock from before a restart is nobody's."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        boot = ""
    return f"{os.uname().nodename}/{boot}"


def _take(lock: Path) -> _Claim | None:
    """Claim `lock`, or None while another process holds it.

    On one machine the kernel knows: its lock ends with the process, however that ends, and
    lasts while the process is merely stopped. Of other machines, and where a file system has
    no locks, only the heartbeat tells: an owner that was silent for STALE seconds is gone.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        here = _machine()
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        here = ""
    machine = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").partition(" ")[0]
    silent = time.time() - os.fstat(descriptor).st_mtime
    if machine and machine != here and silent < STALE:
        os.close(descriptor)
        return None
    owner = f"{_machine()} {os.getpid()} {secrets.token_hex(4)}".encode()
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, owner, 0)
    return _Claim(lock, descriptor, owner)


def _beat(claim: _Claim, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT):
        if claim.mine():
            os.utime(claim.descriptor)


def _sweep(folder: Path) -> None:
    """Remove the temporary names of writes that were killed; only the claim's holder writes."""
    for left in folder.rglob(".*.tmp"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
