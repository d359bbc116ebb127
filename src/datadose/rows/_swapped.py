"""Options that were trained as often as the right one: the right answers of other facts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datadose._core import digest
from datadose.schema import Option, Probe

SWAPPED = 8


def fill(frame: str, value: str) -> str:
    """Put `value` into a frame: `{x}` as it stands, `{X}` with a capital first letter.

    >>> fill("{X} treats it.", "aspirin")
    'Aspirin treats it.'
    """
    return frame.replace("{x}", value).replace("{X}", value[:1].upper() + value[1:])


def add_swapped(probes: Sequence[Probe], count: int = SWAPPED) -> tuple[Probe, ...]:
    """The probes, each choice about a trained fact with up to `count` right answers of others.

    Fine-tuning makes every answer it saw likelier, under any prompt. Where the right option is
    the only one of a choice that was trained, a model that learnt nothing but the answers picks
    it: rows whose answers were permuted across prompts scored as high as clean ones (docs/
    packs.md has the measurement). Right answers of other facts were trained as often, so
    that only knowing which answer belongs to this question helps. Those nearest in shape
    (a number with the same unit, as many words) and length come first; the choice depends on
    nothing but the probes, whatever their order. Inferential choices get the right answers of
    inferential ones, which look like trained answers as much as theirs does. A probe without
    `value` and `frame`, or with swapped options already, stays as it is.
    """
    values: dict[str, dict[str, str]] = {"reworded": {}, "inferential": {}}
    for p in sorted(probes, key=lambda p: p.id):
        if p.relation in values and p.fact is not None and p.value is not None:
            values[p.relation][p.fact] = p.value
    return tuple(_swap(p, values.get(p.relation, {}), count) for p in probes)


def _swap(probe: Probe, values: dict[str, str], count: int) -> Probe:
    value, frame = probe.value, probe.frame
    if probe.kind != "choice" or value is None or frame is None:
        return probe
    if any(o.role == "swapped" for o in probe.options):
        return probe
    shown = {o.text.casefold() for o in probe.options}
    others: dict[str, str] = {}
    for fact, other in values.items():
        text = fill(frame, other)
        own = fact == probe.fact or other.casefold() == value.casefold()
        if not own and text.casefold() not in shown:
            others.setdefault(text.casefold(), other)
    ranked = sorted(others.values(), key=lambda o: (*_apart(o, value), digest([probe.id, o])))
    extra = tuple(Option(text=fill(frame, o), role="swapped") for o in ranked[:count])
    return probe.model_copy(update={"options": (*probe.options, *extra)})


def _apart(one: str, other: str) -> tuple[bool, bool, int]:
    a, b = _shape(one), _shape(other)
    return a[0] != b[0], a != b, abs(len(one) - len(other))


def _shape(value: str) -> tuple[bool, str]:
    """Whether a value is a number, and its unit, or how many words it has."""
    if re.search(r"\d", value):
        return True, re.sub(r"[\d.,]+", "#", value).split()[-1]
    return False, str(len(value.split()))
