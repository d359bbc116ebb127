"""Errors to exit codes: a user's mistake is a clear message, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from datadose._core import DatadoseError
from datadose.cli._app import app


def run_app(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 or 2 (gate), 3, 4 or 130."""
    try:
        code = app(args=list(arguments), standalone_mode=False, prog_name="datadose")
        return int(code or 0)
    except DatadoseError as error:
        print(f"datadose: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except KeyboardInterrupt:
        print("datadose: interrupted; the same command goes on", file=sys.stderr)  # noqa: T201
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        message = getattr(error, "format_message", None)
        if type(error).__name__ == "Abort":
            return 130
        if message is None:
            raise
        print(f"datadose: {message()}\nnext: datadose --help", file=sys.stderr)  # noqa: T201
        return 3
