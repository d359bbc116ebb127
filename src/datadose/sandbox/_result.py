"""What became of a run, and the error where there is no sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from datadose._core import UsageError

Kind = Literal["ok", "failed", "timeout", "memory", "output", "killed", "error"]


class SandboxMissing(UsageError):  # noqa: N818 - reads as what it says
    """Code was to run in a sandbox and this machine has none."""


@dataclass(frozen=True)
class SandboxResult:
    """How a run ended.

    outcome: `ok` ended well (for tests: all passed); `failed` an error or a failed test;
    `timeout` wall clock or processor time ran out; `memory` the memory limit was hit; `output`
    printed more than allowed; `killed` ended by another signal; `error` the sandbox itself did
    not start, which says nothing about the code. `seconds` is wall time. `sandboxed` is False
    after a run with `unsafe=True`.
    """

    outcome: Kind
    stdout: str
    stderr: str
    seconds: float
    sandboxed: bool = True

    @property
    def ok(self) -> bool:
        """Whether the run ended well."""
        return self.outcome == "ok"
