"""The coding pack: functions of a small invented library, plain Python, danger questions."""

from __future__ import annotations

from datadose.domains._facts import Pack, build_pack

__all__ = ["pack"]


def pack() -> Pack:
    """Build the coding pack from its files; raises InputError where an entry is broken."""
    return build_pack("coding", "datadose.domains.coding")
