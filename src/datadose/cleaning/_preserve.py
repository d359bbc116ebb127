"""Whether a rewritten answer still says the same: what may not change in it, and did not."""

from __future__ import annotations

import html
import re
import unicodedata

from datadose.cleaning._form import INVISIBLE, TAG, fences, split_code, without_boilerplate

NUMBER = re.compile(r"[-+−]?(?:[$€£]\s?)?\d+(?:[.,/:]\d+)*\s?%?")
LETTER = re.compile(r"(?<![\w'])\(?([A-H])[).:](?=\s|\Z)|(?i:\b(?:option|answer is)\s+)([A-H])\b")
NEGATION = re.compile(r"\b(?:not?|never|none|nor|cannot|without|except|unless)\b|n[’']t\b", re.I)


def changed_facts(before: str, after: str) -> tuple[str, ...]:
    """What a rewriting changed that it may not, by name; nothing where it kept all of it.

    numbers (in order, with sign, unit sign and form), option letters, code blocks (to the byte,
    spaces at their ends aside), negations, letters (all letters and digits of the text
    outside code in order, case, spaces, punctuation, HTML's tags and entities, and a chat model's
    boilerplate aside), and words run together. So words can be parted and set out anew, and no
    word can come, go or be put for another.
    """
    before, after = fences(before), fences(after)
    old, new = _bare(before), _bare(after)
    found = []
    if _found(NUMBER, old) != _found(NUMBER, new):
        found.append("numbers")
    if LETTER.findall(old) != LETTER.findall(new):
        found.append("option letters")
    if _code(before) != _code(after):
        found.append("code blocks")
    if len(NEGATION.findall(old)) != len(NEGATION.findall(new)):
        found.append("negations")
    if _letters(old) != _letters(new):
        found.append("letters")
    elif len(re.findall(r"\w+", new)) < len(re.findall(r"\w+", old)):
        found.append("words run together")
    return tuple(found)


def _bare(text: str) -> str:
    """What the text says outside code."""
    words = "\n".join(part for code, part in split_code(without_boilerplate(text)) if not code)
    return INVISIBLE.sub("", html.unescape(TAG.sub(" ", words)))


def _found(pattern: re.Pattern[str], text: str) -> list[str]:
    return [re.sub(r"\s", "", n).replace("−", "-").lstrip("+").rstrip(",.:")
            for n in pattern.findall(text)]  # fmt: skip


def _code(text: str) -> list[str]:
    blocks = []
    for code, part in split_code(text):
        if code:
            lines = part.strip().splitlines()
            closed = len(lines) > 1 and lines[-1].strip().startswith(("```", "~~~"))
            inside = "\n".join(lines[1 : -1 if closed else None])
            blocks.append(inside.rstrip())
    return blocks


def _letters(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())
