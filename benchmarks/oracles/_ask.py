"""Ask an oracle in its own process: a job a line in, an answer a line out, come what may."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# calibrate.py, whose studies are used here, is one folder up
sys.path.insert(0, str(HERE.parent))
ORACLES = ("pybmds", "psignifit", "robustmargin")
PATIENCE = 900.0
Job = dict[str, Any]
Answer = dict[str, Any]


def python_of(oracle: str) -> Path:
    return ROOT / ".oracles" / oracle / "bin" / "python"


def ask(oracle: str, jobs: list[Job], seconds: float = float("inf")) -> list[list[Answer]]:
    """The answers to every job, in order; after `seconds` no more are waited for.

    An oracle that dies, or is silent for `PATIENCE` seconds, loses the job it was at: that one gets
    a `failure`, and the rest goes to a new process.
    """
    found: list[list[Answer]] = []
    until = time.monotonic() + seconds
    while len(found) < len(jobs) and time.monotonic() < until:
        rest = jobs[len(found) :]
        got, why = _serve(oracle, rest, until)
        found += got
        if why:
            found.append([{"failure": why}])
    return found


def _serve(oracle: str, jobs: list[Job], until: float) -> tuple[list[list[Answer]], str]:
    """What one process answered, and why it stopped before the end (empty where it did not)."""
    command = [str(python_of(oracle)), str(HERE / f"ask_{oracle}.py")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    # a file, since two full pipes would wait for each other
    with (
        TemporaryFile() as feed,
        subprocess.Popen(
            command,
            stdin=_filled(feed, jobs),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        got: list[list[Answer]] = []
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            # unbuffered, since a line that waits in a buffer would look like silence
            tail = b""
            while len(got) < len(jobs):
                left = until - time.monotonic()
                if left <= 0 or not waiting.select(min(left, PATIENCE)):
                    process.kill()
                    return got, f"silent for {PATIENCE:.0f} s" if left > PATIENCE else ""
                part = os.read(process.stdout.fileno(), 1 << 16)
                if not part:
                    break
                *lines, tail = (tail + part).split(b"\n")
                for line in lines:
                    got.append(json.loads(line)["answers"])
                    print(f"\r{oracle}: {len(got)} of {len(jobs)}", end="", file=sys.stderr)
        print(file=sys.stderr)
        code = process.wait()
    return got, "" if len(got) == len(jobs) else died(code)


def _filled(feed: IO[bytes], jobs: list[Job]) -> IO[bytes]:
    feed.write(b"".join(json.dumps({**j, "id": i}).encode() + b"\n" for i, j in enumerate(jobs)))
    feed.seek(0)
    return feed


def died(code: int) -> str:
    if code < 0:
        return f"its process ended by {signal.Signals(-code).name}"
    return f"its process ended with exit code {code}"


def versions() -> dict[str, str]:
    """What is installed of every oracle and what it computes with."""
    code = (
        "import sys, json; from importlib.metadata import version;"
        "print(json.dumps({n: version(n) for n in sys.argv[1:]}))"
    )
    made = {}
    for oracle in ORACLES:
        names = [oracle, "numpy", "scipy"]
        done = subprocess.run(
            [str(python_of(oracle)), "-c", code, *names], capture_output=True, text=True, check=True
        )
        got = json.loads(done.stdout)
        made[oracle] = ", ".join(f"{n} {got[n]}" for n in names)
    return made
