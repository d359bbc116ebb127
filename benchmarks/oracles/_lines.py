"""What every oracle's process shares: a job a line in, an answer a line out. Standard library only.

Answers leave by a copy of standard output, because compiled code of a peer may print to it.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
    """Answer every job of standard input with one line: its id and a list of answers."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        job = json.loads(line)
        try:
            found = answer(job)
        # a peer may raise anything, and the next table must still be asked
        except Exception as error:
            found = [{"failure": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}]
        out.write(json.dumps({"id": job["id"], "answers": found}) + "\n")
        out.flush()
