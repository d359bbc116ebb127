"""Methods of one kind under their names, with options read from their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

from datadose._core._errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[F]):
    """A decorator that files functions (or small classes) of one kind under a name.

    >>> shout: Registry = Registry("shouter")
    >>> @shout("loud")
    ... def loud(text: str, *, marks: int = 1) -> str:
    ...     return text.upper() + "!" * marks
    >>> shout.get("loud")("hey", marks=2)
    'HEY!!'
    >>> shout.options("loud")
    {'marks': 1}
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._methods: dict[str, F] = {}

    def __call__(self, name: str) -> Callable[[F], F]:
        def register(method: F) -> F:
            if name in self._methods:
                raise ValueError(f"{self.kind} '{name}' is registered twice")
            for parameter in inspect.signature(method).parameters.values():
                if parameter.annotation is inspect.Parameter.empty and parameter.name != "self":
                    raise TypeError(f"{self.kind} '{name}': '{parameter.name}' has no annotation")
            self._methods[name] = method
            return method

        return register

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._methods))

    def get(self, name: str) -> F:
        """The method called `name`; raises UsageError that lists the names there are."""
        try:
            return self._methods[name]
        except KeyError:
            raise UsageError(
                f"no {self.kind} is called {name!r}", next_step=f"choose from: {', '.join(self)}"
            ) from None

    def options(self, name: str) -> dict[str, Any]:
        """Keyword-only options of a method with their defaults."""
        return {
            p.name: p.default
            for p in inspect.signature(self.get(name)).parameters.values()
            if p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is not p.empty
        }
