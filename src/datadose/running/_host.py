"""One base model in memory for many arms: requests are collected, and adapters swapped."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datadose.models import BaseModel, saved_adapter
from datadose.running._opened import Named, check_weights, load_named

WAIT = 0.02  # seconds without a new request before those at hand are computed
MOST = 512  # requests computed together at most

# Payloads that came together to their results, or to the error that each one met.
Work = Callable[[BaseModel, Sequence[Any]], Sequence[Any]]


@dataclass
class _Request:
    adapter: Path | None
    key: Hashable
    payload: Any
    work: Work
    future: Future[Any] = field(default_factory=Future)


class Host:
    """A base and the thread that computes on it; `swaps` counts how often an adapter went on."""

    def __init__(self, base: BaseModel) -> None:
        self.base = base
        self.swaps = 0
        self._on: Path | None = None
        self._stack = contextlib.ExitStack()
        self._queue: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, daemon=True, name="datadose-host")
        self._thread.start()

    def submit(self, adapter: Path | None, key: Hashable, payload: Any, work: Work) -> Future[Any]:
        """Have `work` done on the base with `adapter` on it (None: bare).

        Requests of one adapter and one `key` that come close together go to `work` as one list.
        """
        request = _Request(adapter, key, payload, work)
        self._queue.put(request)
        return request.future

    def _serve(self) -> None:
        while True:
            requests = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(requests) < MOST:
                    requests.append(self._queue.get(timeout=WAIT))
            groups: dict[tuple[Path | None, Hashable], list[_Request]] = {}
            for request in requests:
                if request.future.set_running_or_notify_cancel():
                    groups.setdefault((request.adapter, request.key), []).append(request)
            # the adapter that is on goes first, then one after the other
            for _, group in sorted(groups.items(), key=lambda item: self._turn(item[0][0])):
                self._do(group)

    def _turn(self, adapter: Path | None) -> tuple[bool, str]:
        return adapter != self._on, str(adapter or "")

    def _do(self, group: Sequence[_Request]) -> None:
        try:
            self._put_on(group[0].adapter)
            results = group[0].work(self.base, [r.payload for r in group])
            for request, result in zip(group, results, strict=True):
                if isinstance(result, Exception):
                    request.future.set_exception(result)
                else:
                    request.future.set_result(result)
        except Exception as error:
            for request in group:
                if not request.future.done():
                    request.future.set_exception(error)

    def _put_on(self, adapter: Path | None) -> None:
        if adapter == self._on:
            return
        self._on = None
        self._stack.close()
        if adapter is not None:
            self._stack.enter_context(saved_adapter(self.base, adapter))
            self.swaps += 1
        self._on = adapter


_hosts: dict[tuple[str, str], Host] = {}
_loading = threading.Lock()


def host_of(named: Named, precision: str) -> Host:
    """The host of a model's base, loaded by the first call and kept while the process lives.

    Raises InputError where the base has other weights than the arm was trained on.
    """
    with _loading:
        key = (named.base, precision)
        if key not in _hosts:
            _hosts[key] = Host(load_named(named, precision=precision))
        check_weights(named, _hosts[key].base)
        return _hosts[key]
