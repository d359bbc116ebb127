"""Domain packs: facts and tasks that are the project's own writing, with their probes."""

from __future__ import annotations

from importlib import import_module

from datadose._core import UsageError
from datadose.domains._facts import Ask, Danger, Fact, Pack, Question, build_pack
from datadose.domains._rules import OVERLAP, jaccard, pack_problems, words
from datadose.domains.alignment import alignment_probes, malign_items

PACKS = ("coding", "finance", "health", "legal")

__all__ = [
    "OVERLAP",
    "PACKS",
    "Ask",
    "Danger",
    "Fact",
    "Pack",
    "Question",
    "alignment_probes",
    "build_pack",
    "jaccard",
    "load_pack",
    "malign_items",
    "pack_problems",
    "words",
]


def load_pack(name: str) -> Pack:
    """The pack called `name`; raises UsageError that lists the packs there are."""
    if name not in PACKS:
        raise UsageError(
            f"no domain pack is called {name!r}", next_step=f"choose from: {', '.join(PACKS)}"
        )
    pack: Pack = import_module(f"datadose.domains.{name}").pack()
    return pack
