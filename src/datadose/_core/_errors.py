"""Every error that datadose raises on purpose.

DatadoseError
├── UsageError          exit 3: a wrong option, a wrong combination of options
│   └── MissingExtraError   an optional dependency is not installed
├── InputError          exit 3: a file or value of the user's is wrong
└── StageError          exit 4: a stage of a run failed
    └── GuardError          a guard found a silent error and stopped the arm
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass


class DatadoseError(Exception):
    """Base of all errors meant for a user.

    `what` says what is wrong with the value seen, `where` names file, line or key,
    `next_step` is the next thing to try. The command line prints these three and no
    traceback, and exits with `exit_code`.
    """

    exit_code = 4

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        self.what = what
        self.where = where
        self.next_step = next_step
        super().__init__(self.__str__())

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.next_step:
            lines.append(f"next: {self.next_step}")
        return "\n".join(lines)


class UsageError(DatadoseError):
    """The command was called in a way that can't work."""

    exit_code = 3


class MissingExtraError(UsageError):
    """An optional dependency is missing; the message holds its install command."""


@dataclass(frozen=True)
class Issue:
    """One thing wrong with a user's input: where it is, the field, and the value seen."""

    where: str
    what: str
    seen: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" (seen: {self.seen})" if self.seen else "")


class InputError(DatadoseError):
    """A file or a value given by the user is wrong; `issues` lists every place."""

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        next_step: str = "",
        issues: Sequence[Issue] = (),
        total: int | None = None,
    ) -> None:
        self.issues = tuple(issues)
        self.total = len(self.issues) if total is None else total
        super().__init__(what, where=where, next_step=next_step)

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        lines += [f"  {issue}" for issue in self.issues]
        if self.total > len(self.issues):
            lines.append(f"  ... and {self.total - len(self.issues)} more")
        if self.next_step:
            lines.append(f"next: {self.next_step}")
        return "\n".join(lines)


class StageError(DatadoseError):
    """A stage of a run failed; what was finished before it is kept."""

    exit_code = 4


class GuardError(StageError):
    """A guard stopped an arm: its result would have looked smooth and been false."""

    def __init__(self, guard: str, what: str, *, where: str = "", next_step: str = "") -> None:
        self.guard = guard
        super().__init__(f"guard '{guard}': {what}", where=where, next_step=next_step)


def need_extra(module: str, extra: str) -> None:
    """Raise MissingExtraError unless `module` can be imported.

    >>> need_extra("json", "local")
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtraError(
            f"{module} is not installed", next_step=f"pip install 'datadose[{extra}]'"
        )
