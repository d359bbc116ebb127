"""Arms that several processes share: each is claimed, done once, and waited for where held."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from datadose.running._folder import RunFolder

TELL_EVERY = 60.0


def do_arms(
    run: RunFolder,
    jobs: Mapping[str, Callable[[int], None]],
    tell: Callable[[dict[str, Any]], None],
) -> None:
    """Call the job of every arm id under its claim, in order; a job is given its number, from 1.

    An arm that another process holds is left for later, until all are done.
    """
    waiting = list(jobs)
    total, started = len(waiting), time.monotonic()
    done, told = 0, -math.inf
    while waiting:
        left = []
        for arm in waiting:
            with run.claim(arm) as mine:
                if not mine:
                    left.append(arm)
                    continue
                jobs[arm](done + 1)
            done += 1
            spent = time.monotonic() - started
            tell(
                {
                    "event": "arm done",
                    "arm": arm,
                    "number": done,
                    "of": total,
                    "seconds_left": round(spent / done * (total - done)),
                }
            )
        if len(left) == len(waiting):
            if time.monotonic() - told >= TELL_EVERY:
                told = time.monotonic()
                tell({"event": "note", "text": _who_holds(run, left)})
            time.sleep(1.0)
        waiting = left


def _who_holds(run: RunFolder, arms: Sequence[str]) -> str:
    holders = list(dict.fromkeys(h for arm in arms if (h := run.holder(arm)) is not None))
    return f"waiting for {len(arms)} arms held by {', '.join(holders) or 'another process'}"
