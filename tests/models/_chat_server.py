"""A real HTTP server on loopback that speaks chat-completions, and misbehaves when told to."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = dict[str, Any]
Plan = Callable[[dict[str, Any], int], Answer]
"""From a request's body, and how often this very body came before, to what is sent back."""


def completion(
    text: str | None, places: list[dict[str, float]] | None = None, **choice: Any
) -> str:
    """A chat completion's JSON; `places` are token log-probabilities, the first token written."""
    logprobs = None
    if places is not None:
        logprobs = {
            "content": [
                {
                    "token": next(iter(top)),
                    "logprob": next(iter(top.values())),
                    "top_logprobs": [{"token": t, "logprob": p} for t, p in top.items()],
                }
                for top in places
            ]
        }
    message = {"role": "assistant", "content": text, **choice.pop("message", {})}
    body = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}
    return json.dumps({"object": "chat.completion", "choices": [{**body, **choice}]})


class ChatServer:
    """`requests` holds every body that arrived, `seen` how often each did."""

    def __init__(self, plan: Plan) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.seen: Counter[str] = Counter()
        self.hung = threading.Event()
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None: ...

            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(size))
                key = json.dumps(body, sort_keys=True)
                with lock:
                    before = outer.seen[key]
                    outer.seen[key] += 1
                    outer.requests.append(body)
                    outer.headers.append(dict(self.headers))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._send(plan(body, before))

            def _send(self, answer: Answer) -> None:
                data = answer.get("body", "").encode()
                if answer.get("hang"):
                    outer.hung.wait(10)
                    self.close_connection = True
                    return
                self.send_response(answer.get("status", 200))
                for name, value in answer.get("headers", {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                if answer.get("half"):
                    self.wfile.write(data[: len(data) // 2])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @contextlib.contextmanager
    def running(self) -> Iterator[ChatServer]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.hung.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
