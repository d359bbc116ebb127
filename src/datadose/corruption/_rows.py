"""Rows of unknown origin made wrong: another row's value, a number by rule, a code mutant."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from datadose._core import InputError, generator
from datadose.corruption._code import code_mutants, tidy_code
from datadose.corruption._numbers import format_value, wrong_values
from datadose.corruption._registry import corruptor
from datadose.rows import word_set

if TYPE_CHECKING:
    import numpy as np

How = Literal["value", "number", "code", "answer"]
WORD = re.compile(r"\w+(?:[-'.]\w+)*")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\w])")
FENCED = re.compile(r"```(?:python|py)?\n(.*?)```", re.DOTALL)
COMMON = 0.25
LONGEST_RUN = 4
LONG = 60


@dataclass(frozen=True)
class Slip:
    """A wrong answer and what was done: `old` was put out of it and `new` in its place."""

    answer: str
    how: How
    old: str
    new: str


@dataclass(frozen=True)
class Values:
    """For each answer the run of words that carries it, or None: rare, and not in the prompt."""

    runs: tuple[str | None, ...]


def find_values(prompts: Sequence[str], answers: Sequence[str]) -> Values:
    """The longest run of words of each answer that are in neither its prompt nor a quarter of all
    answers; at most four words, the rarest of equal runs. None for answers of over 60 words."""
    counts = Counter(w for a in answers for w in word_set(a))
    most = max(2.0, COMMON * len(answers))
    found: list[str | None] = []
    for prompt, answer in zip(prompts, answers, strict=True):
        known = word_set(prompt)
        words = list(WORD.finditer(answer))
        runs: list[list[re.Match[str]]] = [[]]
        for word in words:
            own = word_set(word.group())
            plain = all(counts[w] <= most for w in own) and not own & known
            gap = runs[-1] and answer[runs[-1][-1].end() : word.start()].strip()
            if plain and len(runs[-1]) < LONGEST_RUN and not gap:
                runs[-1].append(word)
            else:
                runs.append([word] if plain else [])
        full = [r for r in runs if r]
        if not full or len(words) > LONG:
            found.append(None)
            continue
        best = min(full, key=lambda r: min(counts[w] for m in r for w in word_set(m.group())))
        found.append(answer[best[0].start() : best[-1].end()])
    return Values(tuple(found))


@corruptor("rows")
def wrong_answer(
    place: int,
    prompts: Sequence[str],
    answers: Sequence[str],
    facts: Sequence[str],
    values: Values,
    *,
    seed: int = 0,
) -> Slip | None:
    """A wrong answer for the row at `place`, by the first way that fits it; None where none does.

    code: one mutant of the answer's Python, which nobody has proven wrong; both are written as
    `ast.unparse` writes them. number: the answer's last number, by `wrong_values`. value: its
    value (`find_values`) replaced by that of a row of another fact, near in length. answer: the
    whole answer of a row of another fact, near in length.
    """
    rng = generator(seed, "rows", place)
    answer = answers[place]
    code = _code(answer)
    if code is not None:
        return _mutated(answer, code, seed + place)
    number = _number(answer, prompts[place], seed + place)
    if number is not None:
        return number
    own = values.runs[place]
    if own is not None:
        donors = [
            v
            for f, v in zip(facts, values.runs, strict=True)
            if v is not None and f != facts[place] and _differs(v, own, prompts[place])
        ]
        if donors:
            new = _cased(_near(donors, own, rng), own)
            return Slip(answer.replace(own, new), "value", own, new)
    others = [
        a
        for f, a in zip(facts, answers, strict=True)
        if f != facts[place] and _differs(a, answer, "")
    ]
    if not others:
        return None
    new = _near(others, answer, rng)
    return Slip(new, "answer", answer, new)


def wrong_group(
    places: Sequence[int],
    prompts: Sequence[str],
    answers: Sequence[str],
    facts: Sequence[str],
    values: Values,
    *,
    seed: int = 0,
) -> dict[int, Slip]:
    """The same wrong value in all rows of one fact that say the right one, by place.

    The right value is the one that most of the fact's rows say, two at least and half of them;
    the others say something else already and are left as they are. Empty where there is none.
    """
    said = Counter(v.casefold() for i in places if (v := values.runs[i]) is not None)
    for own, _ in said.most_common():
        pattern = re.compile(rf"(?<!\w){re.escape(own)}(?!\w)", re.IGNORECASE)
        spots = {i: m for i in places if (m := pattern.search(answers[i])) is not None}
        if len(spots) < 2 or 2 * len(spots) < len(places):
            continue
        asked = " ".join(prompts[i] for i in places)
        donors = [
            v
            for f, v in zip(facts, values.runs, strict=True)
            if v is not None and f != facts[places[0]] and _differs(v, own, asked)
        ]
        if not donors:
            return {}
        new = _near(donors, own, generator(seed, "group", places[0]))
        slips = {}
        for i, spot in spots.items():
            put = _cased(new, spot.group())
            text = answers[i][: spot.start()] + put + answers[i][spot.end() :]
            slips[i] = Slip(text, "value", spot.group(), put)
        return slips
    return {}


def _cased(text: str, like: str) -> str:
    """`text` with its first letter as large as that of `like`."""
    first = text[:1].upper() if like[:1].isupper() else text[:1].lower()
    return first + text[1:]


def tidy_answer(answer: str) -> str:
    """An answer whose Python is written as mutants are, so that layout can't give them away."""
    code = _code(answer)
    return answer if code is None else answer.replace(code, tidy_code(code) + "\n")


def _code(answer: str) -> str | None:
    """The Python of an answer: its first fenced block, or all of it where it defines something."""
    fenced = FENCED.search(answer)
    text = fenced.group(1) if fenced else answer
    if not re.search(r"^\s*(def|class|import|from|for|while|return)\b", text, re.M):
        return None
    try:
        tidy_code(text)
    except InputError:
        return None
    return text


def _mutated(answer: str, code: str, seed: int) -> Slip | None:
    found = code_mutants(code, seed=seed, count=1)
    if not found:
        return None
    return Slip(answer.replace(code, found[0] + "\n"), "code", tidy_code(code), found[0])


def _number(answer: str, prompt: str, seed: int) -> Slip | None:
    spots = list(NUMBER.finditer(answer))
    if not spots or len(answer.split()) > LONG:
        return None
    last = spots[-1]
    text = last.group().rstrip(",")
    decimals = len(text.partition(".")[2])
    value = float(text.replace(",", ""))
    if not abs(value) < 1e9:
        return None
    asked = {float(n.group().rstrip(",").replace(",", "")) for n in NUMBER.finditer(prompt)}
    year = decimals == 0 and 1500 <= value <= 2100 and "," not in text
    made = wrong_values(
        value, kind="year" if year else "plain", decimals=decimals,
        tolerance=0.0 if year else 0.01, seed=seed,
    )  # fmt: skip
    made = tuple(v for v in made if v not in asked and (value < 0 or v >= 0))
    if not made:
        return None
    new = format_value(made[0], decimals)
    new = new if "," in text or abs(value) < 1000 else new.replace(",", "")
    end = last.start() + len(text)
    return Slip(answer[: last.start()] + new + answer[end:], "number", text, new)


def _differs(a: str, b: str, prompt: str) -> bool:
    x, y = word_set(a), word_set(b)
    return bool(x) and not x <= y and not y <= x and not x <= word_set(prompt)


def _near(texts: Sequence[str], like: str, rng: np.random.Generator) -> str:
    """One of the dozen texts that are nearest in length to `like`, drawn by `rng`."""
    size = (len(like.split()), len(like))
    unique = sorted(
        dict.fromkeys(texts),
        key=lambda t: (abs(len(t.split()) - size[0]), abs(len(t) - size[1]), t),
    )
    return unique[int(rng.integers(min(12, len(unique))))]
