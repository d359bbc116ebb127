"""Rows inside a prompt: what they say must not pass for the prompt's own words."""

from __future__ import annotations


def fenced(**parts: str) -> dict[str, str]:
    """Each part between lines of #, of which there are more than any part has in a row.

    So no part can end its own fence or open another.

    >>> fenced(answer="yes")["answer"]
    '###\\nyes\\n###'
    >>> fenced(answer="#### no")["answer"]
    '#####\\n#### no\\n#####'
    """
    mark = "###"
    while any(mark in text for text in parts.values()):
        mark += "#"
    return {name: f"{mark}\n{text}\n{mark}" for name, text in parts.items()}
