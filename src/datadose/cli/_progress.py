"""Progress on stderr: a line per arm, and a running step counter on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """Shows the events of a run; plain lines where stderr is no terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.last = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "step":
            self._step(event)
        elif kind == "note":
            self._line(event["text"])
        elif kind == "base":
            self._line(f"{event['pool']}: asking the base model {event['probes']} probes")
        elif kind == "arm":
            where = f"{event['series']} dose {event['dose']:g} seed {event['seed']}"
            self._line(f"[{event['number']}/{event['of']}] {where}")
        elif kind == "set":
            where = f"{event['set']}, {event['rows']} rows, seed {event['seed']}"
            self._line(f"[{event['number']}/{event['of']}] {where}")
        elif kind == "judging":
            self._line(f"{event['judge']}: judging arm {event['number']} of {event['of']}")
        elif kind == "next":
            self._line(f"{event['series']}: {_next(event)}")
        elif kind == "arm done" and event["number"] < event["of"]:
            self._line(f"    done, about {_clock(event['seconds_left'])} left")

    def _step(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        if self.terminal and (now - self.last > 0.5 or event["step"] == event["of"]):
            self.last = now
            text = f"    step {event['step']}/{event['of']}, loss {event['loss']:.3f}"
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def _line(self, text: str) -> None:
        start = "\r\x1b[K" if self.terminal else ""
        sys.stderr.write(f"{start}{text}\n")
        sys.stderr.flush()


def _next(event: dict[str, Any]) -> str:
    if event["stop"] is not None:
        return f"no further dose: {event['why']}"
    width = event["expected"]
    ahead = "" if width is None else f"; {width:.3g} wide after it"
    return f"next, {event['why']}{ahead}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
