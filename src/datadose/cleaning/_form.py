"""Form repaired by rule, code aside: spaces, fences, joined fields, markup, boilerplate."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

from datadose._core import Registry

form_rule: Registry[Callable[[str], str]] = Registry("form rule")

FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,}).*$", re.MULTILINE)
GAP = r"[ \t]+"
OPENING = re.compile(
    r"\A(?:\s*(?:as an ai(?: language)? model,"
    r"|(?:sure|certainly|of course|absolutely|great question)[!.,:]"
    r"[^\n.!:\d]{0,60}?(?=\n|here\b|\Z)"
    r"|here(?:'s| is| are) (?:the|your|a|an)(?: [a-z]+){0,4}:)\s*)+".replace(" ", GAP),
    re.IGNORECASE,
)
CLOSING = re.compile(
    r"(?:\s*(?:i hope (?:this|that) helps[^\n\d]{0,40}"
    r"|(?:please )?(?:let me know|feel free to ask)[^\n\d]{0,100}"
    r"|(?:is there )?anything else (?:i can|you)[^\n\d]{0,60}"
    r"|if you have any (?:other |more |further )?questions[^\n\d]{0,100}))+\s*\Z".replace(" ", GAP),
    re.IGNORECASE,
)
TAG = re.compile(r"</?(?:p|br|div|span|b|i|em|strong|font|li|ul|ol)(?:\s[^<>]{0,200})?/?>", re.I)
LINE_TAG = re.compile(r"<(?:br|/p|/div|/li)\b[^<>]{0,200}>", re.I)
ABOUT_MARKUP = re.compile(r"\b(?:tags?|html|xml|elements?|css|markup)\b", re.I)
# joiners (200c, 200d) are no junk: Persian and emoji need them
INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad]")
CODE = re.compile(
    r"^\s*(?:def |class |import |from \S+ import|for .*:$|while .*:$|if .*:$|return\b|@\w|#include"
    r"|public |function |const |let |var |fn |SELECT |>>> |\$ )",
    re.MULTILINE,
)
INLINE = re.compile(r"(`[^`\n]*`)")


def tidy_form(text: str, rules: Sequence[str] | None = None) -> str:
    """The text after all form rules (or those named), each applied outside fenced code alone.

    A text that would be left empty comes back as it was. Raises UsageError for an unknown rule.
    """
    found = text
    for name in ORDER if rules is None else rules:
        found = form_rule.get(name)(found)
    return found if found.strip() else text


def without_boilerplate(text: str) -> str:
    """The text without a chat model's openings and closings."""
    opened = OPENING.sub("", text)
    if opened != text:
        opened = opened[:1].upper() + opened[1:]
    shorter = CLOSING.sub("", opened)
    return shorter if shorter.strip() else text


def outside_code(text: str, change: Callable[[str], str]) -> str:
    """`change` applied to what is no code; fences and code, fenced or not, stay to the byte."""
    return "".join(
        part if code or _is_code(part) else change(part) for code, part in split_code(text)
    )


def _is_code(text: str) -> bool:
    ends = sum(line.rstrip().endswith((";", "{", "}")) for line in text.splitlines())
    return ends > 1 or CODE.search(text) is not None


def split_code(text: str) -> list[tuple[bool, str]]:
    """(is code, part) in order; a block that is never closed ends with the text."""
    parts: list[tuple[bool, str]] = []
    at, opened = 0, -1
    for mark in FENCE.finditer(text):
        if opened < 0:
            parts.append((False, text[at : mark.start()]))
            at = opened = mark.start()
        else:
            parts.append((True, text[at : mark.end()]))
            at, opened = mark.end(), -1
    parts.append((opened >= 0, text[at:]))
    return [p for p in parts if p[1]]


@form_rule("fences")
def fences(text: str) -> str:
    """A fence that stands behind other text gets a line of its own; the last open one is closed."""
    text = re.sub(r"(?<=[^\s`])[ \t]*(```[a-z]*\n)", r"\n\1", text)
    if len(FENCE.findall(text)) % 2:
        text = text.rstrip() + "\n```"
    return text


@form_rule("markup")
def markup(text: str) -> str:
    """The tags and entities of a web page become the text that they stand for.

    Not where the answer is about markup, nor for a single tag that breaks no line.
    """

    def plain(part: str) -> str:
        tags = len(TAG.findall(part))
        if ABOUT_MARKUP.search(part) or (tags < 2 and not LINE_TAG.search(part)):
            return part
        return html.unescape(TAG.sub("", LINE_TAG.sub("\n", part)))

    return outside_code(text, plain)


@form_rule("joined")
def joined(text: str) -> str:
    """A sentence or a field that runs into the next gets a space between; web names don't."""

    def apart(part: str) -> str:
        part = re.sub(r"\b([a-z]{2,}[.!?])(?=[A-Z][a-z]*\s)", r"\1 ", part)
        return re.sub(r"\b((?:[Aa]nswer|[Rr]esult|[Ss]olution|[Nn]ote):)(?=\w)", r"\1 ", part)

    def spoken(part: str) -> str:
        return "".join(x if x[:1] == "`" else apart(x) for x in INLINE.split(part))

    return outside_code(text, spoken)


@form_rule("boilerplate")
def boilerplate(text: str) -> str:
    """What a chat model says before and after the answer, and not of it, goes."""
    return without_boilerplate(text)


@form_rule("spaces")
def spaces(text: str) -> str:
    """Invisible characters, spaces at lines' ends, runs of spaces and of empty lines go."""

    def even(part: str) -> str:
        part = INVISIBLE.sub("", part).replace("\u00a0", " ").replace("\r\n", "\n")
        part = re.sub(r"[ \t]+(?=\n)", "", part)
        lines = part.split("\n")  # a table's columns are set with spaces
        lines = [x if "|" in x else re.sub(r"(?<=\S)[ \t]{2,}(?=\S)", " ", x) for x in lines]
        part = "\n".join(lines)
        return re.sub(r"\n{3,}", "\n\n", part)

    found = outside_code(text, even)
    return found if _is_code(found.split("\n", 1)[0]) else found.strip()


ORDER = ("fences", "markup", "spaces", "joined", "boilerplate", "spaces")
