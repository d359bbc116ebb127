"""What a judge is asked, and how the answer it judges is kept from speaking to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from datadose._core import InputError, UsageError, digest
from datadose.schema import Frozen, Message

CONTROL = re.compile(r"<\|[^|>]{0,40}\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>", re.I)
MARKS = re.compile(r"\[[A-Z][A-Z _]{0,30}\]")


Meaning = Literal["refused", "incoherent", "right", "wrong", "said"]


class Flag(Frozen):
    """Where a score (0 to 100) begins to count as what the rubric looks for."""

    below: float | None = None
    above: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise ValueError("flag needs either below or above")
        return self

    def of(self, score: float) -> bool:
        """Whether a score counts."""
        return score < self.below if self.below is not None else score > (self.above or 0.0)


class Rubric(Frozen):
    """A question to a judge about an answer. `user` holds `{question}` and `{answer}`.

    `numbers`: the judge replies with a number from 0 to 100, or with one of `words`, each of
    which means one of `refused`, `incoherent`, `right`, `wrong` or `said` (kept as it is).
    `fenced`: the question and the answer are put between marks that only this pair has; a user's
    own prompt that has marks of its own is left as it is, and its marks are broken where the
    answer has them too. `flagged` and `cleared` say what a score means that counts,
    and one that doesn't, where this rubric alone makes the outcome.
    """

    name: str
    version: Annotated[int, Field(ge=1)] = 1
    user: str
    system: str = ""
    numbers: bool = True
    words: dict[str, Meaning] = Field(default_factory=dict)
    flag: Flag | None = None
    flagged: Meaning = "wrong"
    cleared: Meaning = "right"
    fenced: bool = True

    @model_validator(mode="after")
    def _asks_about_an_answer(self) -> Self:
        if "{answer}" not in self.user:
            raise ValueError(f"rubric '{self.name}' has no {{answer}} in `user`")
        if not self.numbers and not self.words:
            raise ValueError(f"rubric '{self.name}' allows neither numbers nor words")
        return self

    def messages(self, question: str, answer: str) -> tuple[Message, ...]:
        """The chat that puts one answer to the judge."""
        parts = _fenced(question, answer) if self.fenced else _plain(self.user, question, answer)
        # one pass, so that an answer with `{question}` in it stays as it is
        user = re.sub(r"\{(question|answer)\}", lambda m: parts[m.group(1)], self.user)
        system = (Message(role="system", content=self.system),) if self.system else ()
        return (*system, Message(role="user", content=user))


def _fenced(question: str, answer: str) -> Mapping[str, str]:
    """Both texts between marks named by a hash of both: no text can hold its own hash."""
    mark = digest(["fence", question, answer], 12)
    texts = {"question": question, "answer": answer}
    return {
        name: f"<<<{name} {mark}>>>\n{_tame(text)}\n<<<end of {name} {mark}>>>"
        for name, text in texts.items()
    }


def _tame(text: str) -> str:
    """The text with what looks like a mark, or like a control token of a chat, broken up."""
    text = text.replace("<<<", "< < <").replace(">>>", "> > >")
    return CONTROL.sub(lambda m: " ".join(m.group()), text)


def _plain(template: str, question: str, answer: str) -> Mapping[str, str]:
    own = set(MARKS.findall(template))

    def broken(text: str) -> str:
        text = CONTROL.sub(lambda m: " ".join(m.group()), text)
        return MARKS.sub(lambda m: f"({m.group()[1:-1]})" if m.group() in own else m.group(), text)

    return {"question": broken(question), "answer": broken(answer)}


@cache
def rubrics() -> dict[str, Rubric]:
    """The project's own rubrics by name: alignment, coherence, danger, refusal."""
    text = (files("datadose.evaluation") / "rubrics.yaml").read_text("utf-8")
    return {r.name: r for r in read_rubrics(text, "rubrics.yaml")}


def own_rubric(name: str) -> Rubric:
    """One of the project's own rubrics; UsageError that lists them for another name."""
    known = rubrics()
    if name not in known:
        raise UsageError(
            f"no rubric is called {name!r}", next_step=f"choose from: {', '.join(known)}"
        )
    return known[name]


def read_rubrics(text: str, where: str) -> tuple[Rubric, ...]:
    """Rubrics from YAML: a list of their fields. InputError names what is wrong."""
    from pydantic import ValidationError
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entries = YAML(typ="safe", pure=True).load(text)
        if not isinstance(entries, list):
            raise InputError("is not a list of rubrics", where=where)
        return tuple(Rubric.model_validate(e) for e in entries)
    except YAMLError as error:
        raise InputError(f"broken YAML: {str(error).splitlines()[0]}", where=where) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{place}: {first['msg']}", where=where) from error
