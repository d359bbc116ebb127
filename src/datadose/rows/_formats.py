"""The record formats of chat data, each as a pure function from one record to one chat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from datadose.schema import Message

Record = Mapping[str, Any]
PAIRS = (("prompt", "completion"), ("prompt", "response"), ("question", "answer"))
SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "system": "system",
}
ROLES = ("system", "user", "assistant")
SHOWN = 60


class Problem(NamedTuple):
    """What is wrong with one field of one record."""

    field: str
    what: str
    seen: str = ""


class Turn(NamedTuple):
    """One turn as the file has it; `field` is its place in the record."""

    role: Any
    content: Any
    field: str


def shorten(value: Any) -> str:
    """The value as it would be typed, cut to a length that fits on a line.

    >>> shorten("x" * 100)[-3:]
    '...'
    """
    if isinstance(value, str | bytes):
        value = value[: SHOWN + 1]
    text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _from_messages(record: Record, key: str, role: str, content: str) -> list[Turn] | Problem:
    value = record.get(key)
    if not isinstance(value, list):
        return Problem(key, "must be a list of turns", shorten(value))
    if not value:
        return Problem(key, "has no turns", "[]")
    turns = []
    for i, turn in enumerate(value):
        if not isinstance(turn, Mapping):
            return Problem(f"{key}[{i}]", "must be an object", shorten(turn))
        for name in (role, content):
            if name not in turn:
                return Problem(f"{key}[{i}].{name}", "is missing", shorten(sorted(turn)))
        turns.append(Turn(turn[role], turn[content], f"{key}[{i}].{content}"))
    return turns


def _chat(record: Record) -> list[Turn] | Problem:
    return _from_messages(record, "messages", "role", "content")


def _sharegpt(record: Record) -> list[Turn] | Problem:
    value = record.get("conversations")
    plain = isinstance(value, list) and any(isinstance(t, Mapping) and "role" in t for t in value)
    names = ("role", "content") if plain else ("from", "value")
    turns = _from_messages(record, "conversations", *names)
    if isinstance(turns, Problem):
        return turns
    return _system(record) + [t._replace(role=_speaker(t.role)) for t in turns]


def _speaker(role: Any) -> Any:
    return SPEAKERS.get(role, role) if isinstance(role, str) else role


def _system(record: Record) -> list[Turn]:
    value = record.get("system")
    return [] if value is None or value == "" else [Turn("system", value, "system")]


def _alpaca(record: Record) -> list[Turn] | Problem:
    for name in ("instruction", "output"):
        if name not in record:
            return Problem(name, "is missing", shorten(sorted(map(str, record))))
    if record.get("history"):
        return Problem(
            "history", "is not read: write earlier turns as messages", shorten(record["history"])
        )
    asked, extra = record["instruction"], record.get("input")
    if extra is not None and not isinstance(extra, str):
        return Problem("input", "must be text", shorten(extra))
    if extra and isinstance(asked, str) and asked.strip():
        asked = f"{asked}\n\n{extra}"
    return [
        *_system(record),
        Turn("user", asked, "instruction"),
        Turn("assistant", record["output"], "output"),
    ]


def _pair(record: Record) -> list[Turn] | Problem:
    for ask, answer in PAIRS:
        if ask in record and answer in record:
            break
    else:
        missing = next(
            (b if a in record else a for a, b in PAIRS if (a in record) != (b in record)), "prompt"
        )
        return Problem(missing, "is missing", shorten(sorted(map(str, record))))
    if isinstance(record[ask], list) and isinstance(record[answer], list):
        first = _from_messages(record, ask, "role", "content")
        last = _from_messages(record, answer, "role", "content")
        if isinstance(first, Problem):
            return first
        return last if isinstance(last, Problem) else _system(record) + first + last
    return [
        *_system(record),
        Turn("user", record[ask], ask),
        Turn("assistant", record[answer], answer),
    ]


FORMATS: dict[str, Callable[[Record], list[Turn] | Problem]] = {
    "chat": _chat,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "pair": _pair,
}


def format_of(record: Record) -> str | None:
    """The format whose keys this record has, or None."""
    if "messages" in record:
        return "chat"
    if "conversations" in record:
        return "sharegpt"
    if "instruction" in record and "output" in record:
        return "alpaca"
    if any(ask in record and answer in record for ask, answer in PAIRS):
        return "pair"
    return None


def detect(records: Iterable[Any]) -> str | None:
    """The format that most of the records have; ties go to the first of FORMATS."""
    votes = Counter(format_of(r) for r in records if isinstance(r, Mapping))
    del votes[None]
    return max(FORMATS, key=lambda name: votes[name]) if votes else None


def convert(name: str, record: Any) -> tuple[tuple[Message, ...], list[Problem]]:
    """The chat of one record in format `name`, and everything that is wrong with it."""
    if not isinstance(record, Mapping):
        return (), [Problem("row", "must be a JSON object", shorten(record))]
    turns = FORMATS[name](record)
    if isinstance(turns, Problem):
        return (), [turns]
    problems = [p for i, turn in enumerate(turns) for p in _turn_problems(turn, i)]
    problems = problems or _order_problems(turns)
    fact = record.get("fact")
    if fact is not None and not (isinstance(fact, str) and fact.strip()):
        problems.append(Problem("fact", "must be text", shorten(fact)))
    if problems:
        return (), problems
    return tuple(Message(role=t.role, content=t.content) for t in turns), []


def _turn_problems(turn: Turn, place: int) -> list[Problem]:
    role, content, field = turn
    if role not in ROLES:
        where = field.rsplit(".", 1)[0] + ".role" if "." in field else field
        return [Problem(where, f"role must be one of {', '.join(ROLES)}", shorten(role))]
    if role == "system" and place:
        return [Problem(field, "a system turn must come first", shorten(content))]
    if not isinstance(content, str):
        return [Problem(field, "must be text", shorten(content))]
    if not content.strip() and role != "system":
        what = "the answer is empty" if role == "assistant" else "the prompt is empty"
        return [Problem(field, what, shorten(content))]
    # A lone surrogate can be written in JSON but never saved, hashed or tokenised.
    if not content.isascii() and any("\ud800" <= c <= "\udfff" for c in content):
        return [Problem(field, "has half of a surrogate pair: not valid text", ascii(content)[:60])]
    return []


def _order_problems(turns: list[Turn]) -> list[Problem]:
    said = [t for t in turns if t.role != "system"]
    if not said:
        return [Problem(turns[-1].field, "has no user and no assistant turn")]
    for i, turn in enumerate(said):
        wanted = ("user", "assistant")[i % 2]
        if turn.role != wanted:
            what = f"two {turn.role} turns in a row" if i else f"starts with {turn.role}, not user"
            return [Problem(turn.field, what, shorten(turn.content))]
    if said[-1].role != "assistant":
        return [
            Problem(said[-1].field, "the last turn must be the assistant's", shorten(said[-1].role))
        ]
    return []
