"""Questions put to a served chat model, its replies, and the cache of them by content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from datadose._core import digest, read_json, write_json
from datadose.schema import Message

CACHE_VERSION = 1
BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8


@dataclass(frozen=True)
class Ask:
    """One question. `sample` counts repeats of the same question, which are never one another's
    reply; `top_logprobs` (0 to 20) asks for the likeliest tokens at every place."""

    messages: tuple[Message, ...]
    max_tokens: int = 8
    temperature: float = 0.0
    top_logprobs: int = 0
    sample: int = 0

    def key(self, url: str, model: str) -> str:
        """Content address of the question at this model."""
        return digest([CACHE_VERSION, url.rstrip("/"), model, self._plain()], 32)

    def body(self, model: str, *, logprobs: bool = True) -> dict[str, Any]:
        """The request's JSON."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [m.model_dump() for m in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        if self.top_logprobs and logprobs:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return body

    def _plain(self) -> dict[str, Any]:
        return {**asdict(self), "messages": [m.model_dump() for m in self.messages]}


@dataclass(frozen=True)
class Place:
    """One token of a reply, with the log-probabilities (nats) of the likeliest tokens there."""

    token: str
    top: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Reply:
    """What came of a question.

    `answered`: `text`, and `places` where the server gave log-probabilities. `declined`: the
    server's own filter or the model's refusal field, said in `note`. `failed`: no reply, `note`
    says why. `attempts` is how often it was sent, 0 for a kept reply.
    """

    kind: Literal["answered", "declined", "failed"]
    text: str = ""
    places: tuple[Place, ...] = ()
    note: str = ""
    attempts: int = 0

    def after(self, attempts: int) -> Reply:
        """The same, sent so often."""
        return replace(self, attempts=attempts)


def reply_of(body: Any) -> Reply:
    """The reply in a chat completion's JSON; ValueError where it is none."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("no choice with a message in it") from error
    if refusal:
        return Reply("declined", note=f"refusal: {str(refusal)[:200]}")
    if choice.get("finish_reason") == "content_filter":
        return Reply("declined", note="content filter")
    if isinstance(text, list):
        text = "".join(p.get("text", "") for p in text if isinstance(p, dict))
    if not isinstance(text, str):
        if choice.get("finish_reason") == "length":
            return Reply("answered", note="cut off before it said anything")
        raise ValueError("a message without content")
    return Reply("answered", text=text, places=_places(choice.get("logprobs")))


def _places(logprobs: Any) -> tuple[Place, ...]:
    """Log-probabilities by place; none where they are missing or not what the protocol says."""
    try:
        found = tuple(
            Place(
                str(c["token"]),
                tuple((str(t["token"]), float(t["logprob"])) for t in c["top_logprobs"]),
            )
            for c in logprobs["content"]
        )
    except (KeyError, TypeError, ValueError):
        return ()
    return found if all(p.top for p in found) else ()


class ReplyCache:
    """Replies on disk, one file each under the hash of its question; failures are not kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Reply | None:
        """The reply kept under `key`, None without one."""
        path = self._path(key)
        if not path.is_file():
            return None
        kept = read_json(path)["reply"]
        places = tuple(Place(p["token"], tuple(map(tuple, p["top"]))) for p in kept["places"])
        return Reply(kept["kind"], kept["text"], places, kept["note"])

    def put(self, ask: Ask, url: str, model: str, reply: Reply) -> None:
        """Keep an answered or declined reply beside its question."""
        if reply.kind != "failed":
            asked = {"url": url, "model": model, "ask": ask._plain()}
            write_json(self._path(ask.key(url, model)), {**asked, "reply": asdict(reply)})

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.json"


def price_of(asks: Iterable[Ask], price: tuple[float, float]) -> float:
    """Upper estimate of what asking costs, at money per million tokens in and out.

    A token is taken for three bytes, which English text stays under, and every reply for as long
    as it may be.
    """
    total = 0.0
    for ask in asks:
        size = sum(len(m.content.encode("utf-8")) for m in ask.messages)
        tokens = size / BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * len(ask.messages)
        total += tokens * price[0] + ask.max_tokens * price[1]
    return total / 1e6
