"""More processes on one run folder: each trains and asks the arms that it can claim."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from datadose._core import read_json


def threads_for(folder: Path, workers: int) -> int:
    """Threads for each of `workers` processes: what the folder was begun with, or a fair
    share."""
    known = folder / "environment.json"
    if known.is_file():
        return int(read_json(known)["threads"])
    return fair_share(workers)


def fair_share(workers: int) -> int:
    """Threads for each of `workers` processes, of OMP_NUM_THREADS or of the processor's cores."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))
    return max(1, cores // workers)


@contextlib.contextmanager
def helpers(folder: Path, count: int, threads: int) -> Iterator[None]:
    """`count` processes at work on the arms of `folder`, ended on leaving.

    They run the folder's own study.yaml. One that fails says so on stderr and leaves its arm to
    the others; one whose parent is gone stops by itself.
    """
    command = [sys.executable, "-m", "datadose", "run", str(folder / "study.yaml")]
    command += ["--out", str(folder), "--only-arms"]
    running = [
        subprocess.Popen(
            command,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
