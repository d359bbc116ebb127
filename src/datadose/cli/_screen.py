"""Untrusted text on a terminal."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Without what could move the cursor or recolour the terminal: rows are untrusted."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
