"""The record of a computed finance item, and how its values are put into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from datadose.domains._facts import Ask, Fact, Question
from datadose.schema import Check

# Options are sentences, as training answers are: a bare number is not how a tuned model begins.
RESULT = "The result is {x}."


# Options are sentences, as training answers are: a bare number is not how a tuned model begins.
RESULT = "The result is {x}."


@dataclass(frozen=True)
class Then:
    """An inferential question: what follows from the item's value, and in which unit."""

    ask: str
    follows: Callable[[float], float]
    unit: str


@dataclass(frozen=True)
class Item:
    """A computed fact before its values are put into words. `unit` has no digits.

    `subtle` and `obvious` map the name of a slip to the value that it gives; the first of each
    is shown in the probes.
    """

    id: str
    source: str
    unit: str
    right: float
    subtle: Mapping[str, float]
    obvious: Mapping[str, float]
    foils: tuple[float, float]
    ask: tuple[str, str, str, str]
    probes: tuple[str, str]
    say: tuple[str, str]
    placebo: tuple[str, str]
    then: Then | None = None

    def fact(self) -> Fact:
        """The item with its values in words."""
        a, b = (put(x, self.unit) for x in self.foils)
        return Fact(
            id=f"finance/{self.id}",
            source=self.source,
            correct=put(self.right, self.unit),
            subtle=tuple(put(x, self.unit) for x in self.subtle.values()),
            obvious=tuple(put(x, self.unit) for x in self.obvious.values()),
            foils=(a, b),
            ask=self.ask,
            say=self.say,
            placebo=self.placebo,
            probes=tuple(Ask(ask=x, option=RESULT) for x in self.probes),
            inferential=() if self.then is None else (self._question(self.then),),
            check=Check(kind="value", value=self.right),
        )

    def _question(self, then: Then) -> Question:
        shown = (self.right, next(iter(self.subtle.values())), next(iter(self.obvious.values())))
        correct, subtle, obvious, a, b = (
            put(then.follows(x), then.unit) for x in (*shown, *self.foils)
        )
        return Question(
            ask=then.ask,
            correct=correct,
            subtle=subtle,
            obvious=obvious,
            foils=(a, b),
            option=RESULT,
        )


def put(value: float, unit: str) -> str:
    """A value with its unit, to the cent.

    >>> put(37.5, "percent"), put(41.666, "")
    ('37.5 percent', '41.67')
    """
    return f"{round(value, 2):.12g} {unit}".strip()
