"""Runs `datadose run` in children, kills some of them at named moments; a script, not a test.

`_driver.py STUDY FOLDER` runs the study whole in FOLDER/whole; then in FOLDER/killed with ten
kills, uniform over the time that the whole run took; then in FOLDER/shared by two processes at
once. FOLDER/report.json says what happened. Children are forked from here, so that what they
import is imported once.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLS = 10
WANTED = ("write", "step", "score", "step", "score")
START = ("start", "")
Moment = tuple[str, str]


def run(study: Path, out: Path) -> int:
    from datadose.cli._main import run_app

    return run_app(["run", str(study), "--out", str(out)])


def fork(work: Callable[[], int], log: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = work()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def watch(out: Path, reached: Callable[[Moment], None]) -> None:
    """Call `reached` just before every training step, batch of an arm's scoring, and rename."""
    from datadose.evaluation import _choices
    from datadose.running import _stages
    from datadose.training import _local

    step, score, adapter = _local._Run.step, _choices.answer_steps, _stages.saved_adapter
    asked: list[Any] = []

    def watched_step(self: Any, *args: Any) -> Any:
        reached(("step", f"{self.folder.name}/{len(self.losses)}"))
        return step(self, *args)

    def watched_score(*args: Any) -> Any:
        if asked:
            asked[1] += 1
            reached(("score", f"{asked[0]}/{asked[1]}"))
        return score(*args)

    @contextlib.contextmanager
    def watched_adapter(base: Any, folder: Path, *, merge: bool = True) -> Any:
        asked[:] = [f"{folder.relative_to(out)}/{merge}", 0]
        with adapter(base, folder, merge=merge) as wrapped:
            yield wrapped
        asked.clear()

    def watched_move(move: Any) -> Any:
        def moved(source: Any, target: Any, **more: Any) -> None:
            # names under a temporary folder are of chance: they would not come again
            if Path(target).is_relative_to(out) and ".tmp" not in Path(target).parent.suffix:
                reached(("write", str(Path(target).relative_to(out))))
            move(source, target, **more)

        return moved

    _local._Run.step = watched_step
    _choices.answer_steps = watched_score
    _stages.saved_adapter = watched_adapter
    os.replace, os.rename = watched_move(os.replace), watched_move(os.rename)


def measured(study: Path, out: Path, log: Path) -> list[tuple[float, Moment]]:
    """Every moment of an unbroken run and its time, as a share of the whole."""
    moments = log.with_name("moments.json")

    def work() -> int:
        found: list[tuple[float, Moment]] = []
        watch(out, lambda moment: found.append((time.monotonic(), moment)))
        began = time.monotonic()
        code = run(study, out)
        whole = time.monotonic() - began
        moments.write_text(json.dumps([((t - began) / whole, m) for t, m in found]))
        return code

    _, status = os.waitpid(fork(work, log), 0)
    assert status == 0, log.read_text()
    return [(t, (kind, name)) for t, (kind, name) in json.loads(moments.read_text())]


def choose(moments: list[tuple[float, Moment]]) -> list[tuple[Moment, float]]:
    """One moment in each tenth of the run, near its middle; among them those of WANTED.

    A write of WANTED is one of an arm's. Where nothing of note happens in a tenth, and in the
    first, the kill comes from outside, so long after the last moment before (share of the run).
    """
    firsts = {START: 0.0}
    for t, moment in moments:
        firsts.setdefault(moment, t)
    middle = [(k + 0.5) / KILLS for k in range(KILLS)]

    def nearest(k: int, kind: str | None) -> tuple[float, Moment] | None:
        fits = [
            (abs(t - middle[k]), m)
            for m, t in firsts.items()
            if k / KILLS <= t < (k + 1) / KILLS
            and (kind is None or m[0] == kind)
            and (kind != "write" or m[1].startswith("arms/"))
        ]
        return min(fits) if fits and k else None

    chosen: dict[int, Moment] = {}
    for kind in WANTED:
        found = [(nearest(k, kind), k) for k in range(KILLS) if k not in chosen]
        (_, moment), k = min((n, k) for n, k in found if n is not None)
        chosen[k] = moment
    targets = []
    for k in range(KILLS):
        some = (0.0, chosen[k]) if k in chosen else nearest(k, None)
        before = max((t, m) for m, t in firsts.items() if t < (k or 0.1) / KILLS)
        targets.append((some[1], 0.0) if some else (before[1], (k + 0.3) / KILLS - before[0]))
    return targets


def stage(out: Path) -> str:
    """Where a killed run stood, by what it left: an arm's lock names its owner until taken over."""
    if not (out / "arms").is_dir() or not list((out / "base").rglob("*.json")):
        return "base"
    for arm in sorted((out / "arms").iterdir()):
        if (arm / ".lock").is_file() and (arm / ".lock").read_text():
            if not (arm / "rows.json").is_file():
                return "rows"
            return "evaluation" if (arm / "train.json").is_file() else "training"
    return "results"


def kills(study: Path, folder: Path) -> list[dict[str, Any]]:
    """Run whole, then with ten kills; says of each where it fell and what it left."""
    log = folder / "log.txt"
    began = time.monotonic()
    targets = choose(measured(study, folder / "whole", log))
    whole = time.monotonic() - began
    out = folder / "killed"
    report = []
    for target, delay in targets:
        ear, mouth = os.pipe()

        def work(target: Moment = target, delay: float = delay, mouth: int = mouth) -> int:
            def reached(moment: Moment) -> None:
                if moment == target:
                    os.kill(os.getpid(), signal.SIGKILL) if not delay else os.write(mouth, b"!")

            reached(START)
            watch(out, reached)
            return run(study, out)

        pid = fork(work, log)
        os.close(mouth)
        if os.read(ear, 1):
            time.sleep(delay * whole)
            os.kill(pid, signal.SIGKILL)
        os.close(ear)
        _, status = os.waitpid(pid, 0)
        name = Path(target[1]).name
        report.append(
            {
                "kind": "outside" if delay else target[0],
                "moment": target[1],
                "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                "stage": stage(out),
                "half_written": [p.name for p in out.rglob(f".{name}.*.tmp")] if name else [],
            }
        )
    return report


def pair(study: Path, folder: Path) -> list[int]:
    """Two processes on one folder; each leaves a line in trained.txt for an arm that it trains."""
    trained = folder / "trained.txt"

    def work() -> int:
        from datadose.running import _stages

        real = _stages.train_arm

        def noted(base: Any, rows: Any, recipe: Any, seed: int, arm: Path, **more: Any) -> Any:
            with trained.open("a") as file:
                file.write(f"{os.getpid()} {arm.name}\n")
            return real(base, rows, recipe, seed, arm, **more)

        _stages.train_arm = noted
        return run(study, folder / "shared")

    children = [fork(work, folder / "log.txt") for _ in range(2)]
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


def main() -> None:
    study, folder = Path(sys.argv[1]), Path(sys.argv[2])
    # imported, never used, before the forks: threads do not survive one
    for name in ("torch", "transformers", "peft", "safetensors.torch", "matplotlib.pyplot"):
        importlib.import_module(name)
    importlib.import_module("datadose.running")
    report = {"kills": kills(study, folder), "pair": pair(study, folder)}
    (folder / "report.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
