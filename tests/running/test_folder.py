"""Claims on an arm: one holder at a time, whatever becomes of the holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datadose._core import InputError, StageError
from datadose.running import RunFolder, _folder

CHILD = """
import sys, time
from pathlib import Path
from datadose.running import _folder
_folder.HEARTBEAT = 0.05
with _folder.RunFolder(Path(sys.argv[1])).claim("a") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the claim on arm `a` of the folder."""
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def free(folder: Path) -> bool:
    with RunFolder(folder).claim("a") as mine:
        return mine


def lock(folder: Path) -> Path:
    return folder / "arms" / "a" / ".lock"


def elsewhere(path: Path, *, silent: float) -> None:
    """A lock as a process of another machine leaves it, silent for so many seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("another-machine/0 12 abcd")
    os.utime(path, (time.time() - silent,) * 2)


def test_a_claim_ends_with_its_block_and_not_before(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.claim("a") as mine:
        assert mine
        assert not free(tmp_path)
        with run.claim("b") as other:
            assert other
        run.keep_claim("a")
    assert free(tmp_path)
    with pytest.raises(RuntimeError, match="stage"), run.claim("a"):
        raise RuntimeError("stage")
    assert free(tmp_path)


def test_a_killed_process_frees_its_arm_at_once(tmp_path: Path, holder) -> None:
    assert not free(tmp_path)
    holder.kill()
    holder.wait()
    assert lock(tmp_path).read_text()
    assert free(tmp_path)


def test_a_stopped_process_keeps_its_arm_however_long(tmp_path: Path, holder) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    time.sleep(0.2)
    os.utime(lock(tmp_path), (time.time() - 1000,) * 2)
    assert not free(tmp_path)
    os.kill(holder.pid, signal.SIGCONT)
    assert not free(tmp_path)


def test_the_heart_beats(tmp_path: Path, holder) -> None:
    os.utime(lock(tmp_path), (1, 1))
    deadline = time.monotonic() + 20
    while lock(tmp_path).stat().st_mtime < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert time.time() - lock(tmp_path).stat().st_mtime < 20


def test_a_number_that_a_living_process_has_by_chance_is_no_claim(tmp_path: Path) -> None:
    """Process numbers are used again; a lock file that nobody holds open is nobody's."""
    lock(tmp_path).parent.mkdir(parents=True)
    lock(tmp_path).write_text(f"{_folder._machine()} {os.getppid()} abcd")
    assert free(tmp_path)


def test_of_another_machine_the_heartbeat_tells(tmp_path: Path) -> None:
    elsewhere(lock(tmp_path), silent=_folder.STALE / 2)
    assert not free(tmp_path)
    elsewhere(lock(tmp_path), silent=_folder.STALE * 2)
    assert free(tmp_path)


def test_without_locks_of_the_file_system_the_heartbeat_tells(tmp_path, monkeypatch) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(_folder.fcntl, "flock", no_locks)
    with RunFolder(tmp_path).claim("a") as mine:
        assert mine
        assert not free(tmp_path)
        os.utime(lock(tmp_path), (1, 1))
        assert free(tmp_path)


def test_an_owner_that_was_taken_over_stops_and_leaves_the_new_one_alone(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    with run.claim("a"):
        elsewhere(lock(tmp_path), silent=0)
        with pytest.raises(StageError, match="took this arm over") as caught:
            run.keep_claim("a")
        assert caught.value.next_step
    assert lock(tmp_path).read_text() == "another-machine/0 12 abcd"
    with run.claim("b"):
        (tmp_path / "arms" / "b" / ".lock").unlink()
        with pytest.raises(StageError, match="took this arm over"):
            run.keep_claim("b")


def test_of_many_that_want_an_abandoned_arm_one_gets_it(tmp_path: Path) -> None:
    elsewhere(lock(tmp_path), silent=1000)
    race = """
import os, sys
from pathlib import Path
from datadose.running import RunFolder
run, tried, ended = RunFolder(Path(sys.argv[1])), os.pipe(), os.pipe()
for _ in range(12):
    if not os.fork():
        os.close(ended[1])
        with run.claim("a") as mine:
            os.write(tried[1], str(int(mine)).encode())
            os.read(ended[0], 1)
        os._exit(0)
print(sorted(os.read(tried[0], 1) for _ in range(12)).count(b"1"))
"""
    command = [sys.executable, "-c", race, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_what_a_killed_write_left_is_swept_by_the_next_claim(tmp_path: Path) -> None:
    arm = tmp_path / "arms" / "a"
    (arm / "answers").mkdir(parents=True)
    (arm / ".adapter.x1.tmp").mkdir()
    (arm / ".adapter.x1.tmp" / "weights").write_text("half")
    (arm / "answers" / ".p.jsonl.x2.tmp").write_text("half")
    (arm / "rows.jsonl").write_text("whole")
    assert free(tmp_path)
    assert sorted(p.name for p in arm.rglob("*")) == [".lock", "answers", "rows.jsonl"]


def test_a_folder_is_made_by_its_first_write(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "deep" / "run")
    assert not list(tmp_path.iterdir())
    run.event({"event": "note"})
    assert (tmp_path / "deep" / "run" / "events.jsonl").is_file()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be written"):
        RunFolder(tmp_path / "file" / "run")


def test_one_at_a_time_inside_the_same_name(tmp_path: Path) -> None:
    run, inside, worst = RunFolder(tmp_path / "run"), [0], [0]

    def enter() -> None:
        with run.alone("steps"):
            inside[0] += 1
            worst[0] = max(worst[0], inside[0])
            time.sleep(0.02)
            inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worst == [1]
