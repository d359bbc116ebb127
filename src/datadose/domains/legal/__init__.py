"""Legal: cases, courts, terms, time limits, treaties and amendments."""

from __future__ import annotations

from datadose.domains._facts import Pack, build_pack

__all__ = ["pack"]


def pack() -> Pack:
    """The legal pack, built from this folder's files."""
    return build_pack("legal", "datadose.domains.legal")
