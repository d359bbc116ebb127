"""The health pack: facts of medicine and nutrition, computed doses, danger questions."""

from __future__ import annotations

from datadose.domains._facts import Pack, build_pack
from datadose.domains.health.computed import computed_facts

__all__ = ["pack"]


def pack() -> Pack:
    """Build the health pack from its files; raises InputError where an entry is broken."""
    return build_pack("health", "datadose.domains.health", computed=computed_facts())
