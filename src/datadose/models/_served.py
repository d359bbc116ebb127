"""A chat model behind any URL that speaks the chat-completions protocol.

Judges and writers share this client. Every question ends in a `Reply`: answered, declined or
failed, with the reason; what was answered once is never asked again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

from datadose._core import StageError, UsageError, need_extra
from datadose.models._replies import Ask, Reply, ReplyCache, price_of, reply_of

if TYPE_CHECKING:
    import httpx2

AGAIN = frozenset({408, 409, 425, 429})
NO_USE = frozenset({401, 403, 404})
LONGEST_WAIT = 120.0
MOST_BYTES = 8_000_000
GIVE_UP = 20
"""Questions in a row that nothing came of, after which the server is taken to be gone."""


@dataclass(frozen=True)
class Served:
    """Where a chat model is and how it may be asked.

    url: up to and without `/chat/completions`. key: name of the environment variable that holds
    the key, none for an open server. parallel: questions under way at once. per_minute: most
    questions begun a minute, retries included, 0 for no limit. timeout: seconds without a byte.
    attempts: how often one question is sent at most. wait: seconds before the first retry,
    doubling from there to a minute unless the server says Retry-After. price: money for a
    million tokens in and out, budget: most that may be spent by one call of `ask`.
    """

    url: str
    model: str
    key: str | None = None
    parallel: int = 8
    per_minute: float = 0
    timeout: float = 60.0
    attempts: int = 6
    wait: float = 0.5
    price: tuple[float, float] | None = None
    budget: float | None = None


class _PassingError(Exception):
    """A fault that may be gone the next time; `after` is what the server asked to wait."""

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


class _RefusedError(Exception):
    """The server will not answer this question however often it is sent."""


@dataclass
class _Pace:
    """When the next question may be sent: by the rate limit, and after a Retry-After."""

    per_minute: float
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + (60.0 / self.per_minute if self.per_minute else 0.0)
        if turn > now:
            time.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)


class ChatClient:
    """Asks a served model; replies are kept in `cache` by content, where one is given.

    Use it as a context manager, or call `close`.
    """

    def __init__(self, served: Served, cache: Path | None = None) -> None:
        need_extra("httpx2", "served")
        need_extra("stamina", "served")
        import logging

        import httpx2

        # without a handler of its own, Python prints each of its warnings to stderr
        logging.getLogger("stamina").addHandler(logging.NullHandler())
        self.served = served
        self.sent = 0
        self._cache = ReplyCache(cache) if cache is not None else None
        self._pace = _Pace(served.per_minute)
        self._lock = threading.Lock()
        self._logprobs = True
        self._lost = 0
        self._secret = _secret(served)
        try:
            self._http = httpx2.Client(
                base_url=served.url.rstrip("/") + "/",
                headers={"Authorization": f"Bearer {self._secret}"} if self._secret else {},
                timeout=httpx2.Timeout(served.timeout),
                limits=httpx2.Limits(max_connections=served.parallel + 1),
            )
        except httpx2.InvalidURL as error:
            raise UsageError(
                f"no url: {error}", where=served.url, next_step="mend the judge's url"
            ) from error

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def price(self, asks: Sequence[Ask]) -> float | None:
        """What asking these would cost at most, about; None without a price. Kept replies are
        free."""
        if self.served.price is None:
            return None
        return price_of([a for a in asks if self._kept(a) is None], self.served.price)

    def ask(
        self, asks: Sequence[Ask], *, on_reply: Callable[[Reply], None] = lambda _: None
    ) -> list[Reply]:
        """A reply to every question, in order. Equal questions of equal `sample` are one.

        Raises UsageError where it would cost more than the budget, StageError where the server
        takes no question at all (wrong key, no such model or address), or is gone.
        """
        cost = self.price(asks)
        if cost is not None and self.served.budget is not None and cost > self.served.budget:
            raise UsageError(
                f"asking {self.served.model} {len(asks)} questions would cost about {cost:.2f},"
                f" over the budget of {self.served.budget:.2f}",
                next_step="raise the budget, ask fewer samples, or name a cheaper judge",
            )
        told = threading.Lock()
        over: list[StageError] = []

        def one(ask: Ask) -> Reply:
            try:
                reply = self._one(ask, over)
            except StageError as error:
                over.append(error)
                raise
            with told:
                on_reply(reply)
            return reply

        waiting: dict[str, Future[Reply]] = {}
        pool = ThreadPoolExecutor(max_workers=self.served.parallel)
        try:
            keys = [ask.key(self.served.url, self.served.model) for ask in asks]
            for key, ask in zip(keys, asks, strict=True):
                if key not in waiting:
                    waiting[key] = pool.submit(one, ask)
            return [waiting[key].result() for key in keys]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _kept(self, ask: Ask) -> Reply | None:
        if self._cache is None:
            return None
        return self._cache.get(ask.key(self.served.url, self.served.model))

    def _one(self, ask: Ask, over: list[StageError]) -> Reply:
        """`over` holds why the stage ended, once it has: then nothing more is sent, though the
        threads that wait for their turn have not yet been told."""
        import httpx2
        import stamina

        kept = self._kept(ask)
        if kept is not None:
            return kept
        tries = 0
        try:
            for attempt in stamina.retry_context(
                on=_again,
                attempts=self.served.attempts,
                timeout=None,
                wait_initial=self.served.wait,
                wait_max=60.0,
                wait_jitter=self.served.wait,
            ):
                with attempt:
                    if over:
                        raise over[0]
                    tries += 1
                    reply = self._send(ask, tries)
        except _RefusedError as error:
            return Reply("failed", note=str(error), attempts=tries)
        except (_PassingError, httpx2.RequestError) as error:
            note = f"no answer after {tries} attempts: {_name(error)}"
            self._count_lost(note)
            return Reply("failed", note=note, attempts=tries)
        self._lost = 0
        if self._cache is not None:
            self._cache.put(ask, self.served.url, self.served.model, reply)
        return reply

    def _count_lost(self, note: str) -> None:
        with self._lock:
            self._lost += 1
            gone = self._lost >= GIVE_UP
        if gone:
            raise StageError(
                f"nothing came of {GIVE_UP} questions in a row: {note}",
                where=f"{self.served.url} model {self.served.model}",
                next_step="see to the server; the same command goes on, what was answered is kept",
            )

    def _send(self, ask: Ask, tries: int) -> Reply:
        self._pace.wait()
        with self._lock:
            self.sent += 1
        body = ask.body(self.served.model, logprobs=self._logprobs)
        with self._http.stream("POST", "chat/completions", json=body) as response:
            status, headers = response.status_code, response.headers
            data = bytearray()
            for part in response.iter_bytes():
                data += part
                if len(data) > MOST_BYTES:
                    raise _RefusedError(f"the reply is longer than {MOST_BYTES} bytes")
        text = data.decode("utf-8", "replace")
        if status != 200 and self._secret:
            # a server may say the key back; what it says goes to notes and files
            text = text.replace(self._secret, "[key]")
        if status in AGAIN or status >= 500:
            after = _retry_after(headers)
            if after is not None and after > LONGEST_WAIT:
                raise _RefusedError(f"HTTP {status}: the server asks to wait {after:.0f} s")
            if after is not None:
                self._pace.hold(after)
            raise _PassingError(f"HTTP {status}", after)
        if status in NO_USE:
            raise StageError(
                f"the server refuses every question: HTTP {status} {_short(text)}",
                where=f"{self.served.url} model {self.served.model}",
                next_step="mend the url, the model's name, or the key; what was answered is kept",
            )
        if status != 200:
            if "logprobs" in body and "logprobs" in text:
                self._logprobs = False
                raise _PassingError("the server knows no logprobs", 0.0)
            raise _RefusedError(f"HTTP {status}: {_short(text)}")
        try:
            reply = reply_of(json.loads(text))
        except ValueError as error:
            raise _PassingError(f"a broken reply: {error}") from error
        return reply.after(tries)


def _again(error: Exception) -> bool | float:
    """Whether to send again; how long to wait where the server said so."""
    import httpx2

    if isinstance(error, _PassingError):
        return True if error.after is None else error.after
    return isinstance(error, httpx2.RequestError)


def _name(error: Exception) -> str:
    return str(error) if isinstance(error, _PassingError) else type(error).__name__


def _short(text: str) -> str:
    return " ".join(text.split())[:200]


def _retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds of a Retry-After header, which may be a number or a date; None without one."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _secret(served: Served) -> str:
    """The key, without the line end that files of keys have; empty for an open server."""
    if served.key is None:
        return ""
    found = os.environ.get(served.key, "").strip()
    if not found or not found.isascii() or not found.isprintable():
        what = "holds no key" if not found else "holds what can't be a key"
        raise UsageError(
            f"the environment variable {served.key} {what}",
            where=served.url,
            next_step=f"export {served.key}=..., or leave out `key` for an open server",
        )
    return found
