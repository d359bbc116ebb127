"""Errors to exit codes: a user's mistake is a clear message, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from datadose._core import DatadoseError, StageError
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
    except OSError as error:
        print(f"datadose: {_as_stage(error)}", file=sys.stderr)  # noqa: T201
        return StageError.exit_code
    except Exception as error:
        message = getattr(error, "format_message", None)
        if type(error).__name__ == "Abort":
            return 130
        if message is None:
            raise
        print(f"datadose: {message()}\nnext: datadose --help", file=sys.stderr)  # noqa: T201
        return 3


def _as_stage(error: OSError) -> StageError:
    """What the system refused, with the way out."""
    again = "the same command goes on from what is finished"
    ways = {
        **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), f"make room there; {again}"),
        **dict.fromkeys(
            (errno.EACCES, errno.EPERM, errno.EROFS),
            "give this user the right to it, or choose another place",
        ),
    }
    return StageError(
        error.strerror or str(error) or type(error).__name__,
        where=str(error.filename or ""),
        next_step=ways.get(error.errno or 0, f"mend this; {again}"),
    )
