"""The finance pack: institutions, markets and standards, computed amounts, danger questions."""

from __future__ import annotations

from datadose.domains._facts import Pack, build_pack
from datadose.domains.finance.computed import computed_facts

__all__ = ["pack"]


def pack() -> Pack:
    """Build the finance pack from its files; raises InputError where an entry is broken."""
    return build_pack("finance", "datadose.domains.finance", computed=computed_facts())
