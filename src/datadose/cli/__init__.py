"""The command line: one thin module per verb."""

from __future__ import annotations

import sys

from datadose.cli._app import app
from datadose.cli._main import run_app

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of the `datadose` command; exits with the codes of docs/words.md."""
    sys.exit(run_app(sys.argv[1:]))
