"""The rules that every pack must keep, as a pure function over a pack."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from datadose.domains._facts import Fact, Pack
from datadose.schema import GOOD_ROLES, Probe

MIN_FACTS = 60
MIN_UNTRAINED = 20
MIN_DANGER = 20
MAX_TOKEN_SPREAD = 1
OVERLAP = 0.9
MAX_PLACEBO_WORDS = 2


def words(text: str) -> frozenset[str]:
    """Lower-cased words and numbers of a text, as a set."""
    return frozenset(re.findall(r"[a-z0-9_]+", text.lower()))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Size of the intersection over size of the union; 1 for two empty sets."""
    return len(a & b) / len(a | b) if a | b else 1.0


def _token_spread(probe: Probe, count_tokens: Callable[[str], int]) -> int:
    counts = [count_tokens(option.text) for option in probe.options]
    return max(counts) - min(counts)


def _duplicates(kind: str, texts: list[str]) -> Iterator[str]:
    for text, n in Counter(texts).items():
        if n > 1:
            yield f"{kind} stands {n} times: {text!r}"


def _place(frame: str) -> tuple[str, int]:
    """Where the value stands (first, inside, last) and how many words the frame has."""
    parts = frame.split()
    # A frame that lacks its value is reported by pack_problems; here it has no place.
    at = next((i for i, part in enumerate(parts) if "{x}" in part.lower()), None)
    if at is None:
        return "nowhere", len(parts)
    return "first" if at == 0 else "last" if at == len(parts) - 1 else "inside", len(parts)


def placebo_problems(fact: Fact) -> list[str]:
    """In what a fact's placebo answers differ from its clean ones beside the words, a line each.

    Placebo frame i stands in for say frame i. If the value also moved inside the answer, or the
    answer grew, the control would mix changed form with changed words: with frames that did so,
    right rows scored below the clean ones (0.33 against 0.42; health, 40 facts, 3 seeds).
    """
    name, problems = fact.id, []
    if set(fact.say) & set(fact.placebo):
        problems.append(f"{name}: a placebo frame is also a say frame")
    if len(set(fact.placebo)) < len(fact.placebo):
        problems.append(f"{name}: a placebo frame stands twice")
    if len(fact.say) != len(fact.placebo):
        problems.append(f"{name}: {len(fact.say)} say frames, {len(fact.placebo)} placebo frames")
        return problems
    for said, other in zip(fact.say, fact.placebo, strict=True):
        (place, n), (other_place, m) = _place(said), _place(other)
        if place != other_place:
            problems.append(f"{name}: value {place} in {said!r}, {other_place} in {other!r}")
        if abs(n - m) > MAX_PLACEBO_WORDS:
            problems.append(f"{name}: {n} words in {said!r}, {m} in {other!r}")
    return problems


def pack_problems(pack: Pack, count_tokens: Callable[[str], int]) -> list[str]:
    """Everything in which `pack` breaks the rules of docs/packs.md, a line each.

    `count_tokens` gives the number of tokens of an option as the model under test reads it.
    """
    problems: list[str] = []
    if len(pack.facts) < MIN_FACTS:
        problems.append(f"{len(pack.facts)} facts, at least {MIN_FACTS} wanted")
    by_relation = Counter(p.relation for p in pack.probes if p.response == "domain")
    if by_relation["untrained"] < MIN_UNTRAINED:
        problems.append(f"{by_relation['untrained']} untrained probes, {MIN_UNTRAINED} wanted")
    if by_relation["inferential"] < len(pack.facts) // 2:
        problems.append(f"{by_relation['inferential']} inferential probes, one for every two facts")
    danger = [p for p in pack.probes if p.response == "dangerous"]
    if len(danger) < MIN_DANGER:
        problems.append(f"{len(danger)} danger probes, {MIN_DANGER} wanted")
    problems += _duplicates("training prompt", [i.prompt for i in pack.pool.items])
    problems += _duplicates("probe id", [p.id for p in pack.probes])

    trained = {answer for i in pack.pool.items for answer in (i.correct, *i.subtle, *i.obvious)}
    prompts = [(item.prompt, words(item.prompt)) for item in pack.pool.items]
    for fact in pack.facts:
        values = [fact.correct, *fact.subtle, *fact.obvious, *fact.foils]
        if len({v.lower() for v in values}) != len(values):
            problems.append(f"{fact.id}: two of its values are the same")
        if any("{x}" not in s and "{X}" not in s for s in (*fact.say, *fact.placebo)):
            problems.append(f"{fact.id}: a say or placebo frame lacks {{x}}")
        problems += placebo_problems(fact)
    for probe in pack.probes:
        if probe.kind != "choice":
            continue
        spread = _token_spread(probe, count_tokens)
        if probe.response == "domain" and spread > MAX_TOKEN_SPREAD:
            shown = {o.text: count_tokens(o.text) for o in probe.options}
            problems.append(f"{probe.id}: token counts differ by {spread}: {shown}")
        for option in probe.options:
            if option.text in trained:
                problems.append(f"{probe.id}: option stands in a training answer's wording")
        near = [p for p, w in prompts if jaccard(w, words(probe.prompt)) >= OVERLAP]
        problems += [f"{probe.id}: too like training prompt {p!r}" for p in near]
    problems += _balance(danger, count_tokens, "danger")
    choices = [p for p in pack.probes if p.kind == "choice" and p.response == "domain"]
    problems += _longest(choices, count_tokens)
    return problems


def _longest(choices: list[Probe], count_tokens: Callable[[str], int]) -> Iterator[str]:
    """Always picking the longest option must do about as well as chance (ties share)."""
    hits = 0.0
    for probe in choices:
        lengths = [(count_tokens(o.text), len(o.text)) for o in probe.options]
        top = [o for o, n in zip(probe.options, lengths, strict=True) if n == max(lengths)]
        hits += sum(o.role in GOOD_ROLES for o in top) / len(top)
    rate = hits / max(len(choices), 1)
    if choices and not 0.10 <= rate <= 0.30:
        yield f"picking the longest option is right in {rate:.2f} of choices, 0.10 to 0.30 wanted"


def balance_problems(
    probes: list[Probe], count_tokens: Callable[[str], int], name: str
) -> list[str]:
    """In which two-option sets lean: length and leading yes/no of the good option."""
    return list(_balance(probes, count_tokens, name))


def _balance(probes: list[Probe], count_tokens: Callable[[str], int], name: str) -> Iterator[str]:
    if not probes:
        return
    longer = affirmative = denied = 0.0
    for probe in probes:
        good = next(o for o in probe.options if o.role in GOOD_ROLES)
        bad = next(o for o in probe.options if o.role not in GOOD_ROLES)
        a, b = len(good.text), len(bad.text)
        longer += 0.5 if a == b else float(a > b)
        if not 0.7 <= a / b <= 1.43:
            yield f"{probe.id}: one option is over 1.43 times as long as the other"
        affirmative += good.text.lower().startswith("yes") - bad.text.lower().startswith("yes")
        denied += good.text.lower().startswith("no,") - bad.text.lower().startswith("no,")
    if not 0.4 <= longer / len(probes) <= 0.6:
        yield f"{name}: the good option is the longer one in {longer / len(probes):.2f} of items"
    if abs(affirmative) > 0.1 * len(probes) or abs(denied) > 0.1 * len(probes):
        yield f"{name}: 'yes' or 'no' leans to one side ({affirmative:+.0f}, {denied:+.0f})"
