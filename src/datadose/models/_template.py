"""Chats to token ids: where the answer starts, which token ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from datadose._core import GuardError
from datadose.models._load import BaseModel
from datadose.schema import Message

TOGETHER = 1024


@dataclass(frozen=True)
class Encoded:
    """Token ids of one chat up to and including the end token; the answer begins at `start`."""

    ids: tuple[int, ...]
    start: int

    @property
    def trained(self) -> int:
        """Number of answer tokens, end token included."""
        return len(self.ids) - self.start


def chat(prompt: str, system: str | None = None) -> tuple[Message, ...]:
    """One user turn, after a system turn if one is given."""
    turns = [Message(role="system", content=system)] if system is not None else []
    return (*turns, Message(role="user", content=prompt))


def render(tokenizer: Any, messages: Sequence[Message], *, open_answer: bool) -> str:
    """The template's text; `open_answer` ends it where an answer is to begin."""
    turns = [m.model_dump() for m in messages]
    text: str = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=open_answer
    )
    return text


def encode_prompt(base: BaseModel, messages: Sequence[Message]) -> tuple[int, ...]:
    """Ids of a prompt, ready for an answer."""
    text = render(base.tokenizer, messages, open_answer=True)
    return tuple(base.tokenizer(text, add_special_tokens=False)["input_ids"])


def encode_answer(base: BaseModel, messages: Sequence[Message], answer: str) -> Encoded:
    """Ids of a prompt and an answer as training and scoring both see them.

    Raises GuardError when the template does not survive the round trip (prompt ids are not a
    prefix of the chat's, the answer's text is changed) or gives no end token to train.
    """
    return encode_answers(base, [(messages, answer)])[0]


def encode_answers(
    base: BaseModel, pairs: Sequence[tuple[Sequence[Message], str]]
) -> list[Encoded]:
    """`encode_answer` of many prompts and answers, `TOGETHER` to a call of the tokenizer."""
    parts = (pairs[at : at + TOGETHER] for at in range(0, len(pairs), TOGETHER))
    return [encoded for part in parts for encoded in _encode(base, part)]


def _encode(base: BaseModel, pairs: Sequence[tuple[Sequence[Message], str]]) -> Iterator[Encoded]:
    opened = [render(base.tokenizer, messages, open_answer=True) for messages, _ in pairs]
    texts = [
        render(base.tokenizer, (*turns, Message(role="assistant", content=a)), open_answer=False)
        for turns, a in pairs
    ]
    ids = base.tokenizer([*opened, *texts], add_special_tokens=False, return_attention_mask=False)[
        "input_ids"
    ]
    prompts, chats = ids[: len(pairs)], ids[len(pairs) :]
    answers = [answer for _, answer in pairs]
    for part in zip(answers, opened, texts, prompts, chats, strict=True):
        yield _encoded(base, *part)


def _encoded(
    base: BaseModel, answer: str, opened: str, text: str, prompt: list[int], ids: list[int]
) -> Encoded:
    if not text.startswith(opened):
        raise GuardError(
            "template round trip",
            "the prompt is not the beginning of the whole chat",
            where=base.name,
            next_step="use a chat template that renders turns one after the other",
        )
    tail = text[len(opened) :]
    if ids[: len(prompt)] != prompt:
        ids = _apart(base, prompt, tail, ids)
    if not tail.lstrip().startswith(answer.strip()):
        raise GuardError(
            "template round trip",
            f"the template changes the answer {answer[:60]!r} into {tail[:60]!r}",
            where=base.name,
        )
    for place in range(len(prompt), len(ids)):
        if ids[place] in base.end_ids:
            return Encoded(tuple(ids[: place + 1]), len(prompt))
    raise GuardError(
        "end token trained",
        f"the chat template ends an answer with none of the tokens {sorted(base.end_ids)}",
        where=base.name,
        next_step="set the model's eos_token to the token that ends a turn",
    )


def _apart(base: BaseModel, prompt: list[int], tail: str, ids: list[int]) -> list[int]:
    """Prompt ids and then those of the tail by itself, for an answer whose first characters the
    tokenizer joins to the prompt's last (an indented line of code after a line break): a model
    that is asked has the prompt's tokens behind it, and never meets the joined one."""
    apart = [*prompt, *base.tokenizer(tail, add_special_tokens=False)["input_ids"]]
    if base.tokenizer.decode(apart) != base.tokenizer.decode(ids):
        raise GuardError(
            "template round trip",
            f"the tokens of {tail[:60]!r} by themselves are not its text after the prompt",
            where=base.name,
            next_step="strip the spaces and line breaks that the answer begins with",
        )
    return apart
