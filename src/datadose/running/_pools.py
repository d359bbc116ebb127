"""A pool by its name: a pack's, or a file's."""

from __future__ import annotations

from pathlib import Path

from datadose.rows import read_pool
from datadose.schema import Pool


def named_pool(name: Path | None) -> Pool | None:
    """The pool of the pack of this name, else the one in this file; None for no name."""
    from datadose.domains import PACKS, load_pack

    if name is None:
        return None
    return load_pack(str(name)).pool if str(name) in PACKS else read_pool(name)
