"""Multiple-choice questions as paired pools and as probes that ask them another way."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from datadose._core import InputError, generator
from datadose.corruption._registry import corruptor
from datadose.rows import word_set
from datadose.schema import Check, Option, PoolItem, Probe

if TYPE_CHECKING:
    import numpy as np

TRAIN_FRAMES = (
    "Question: {q}\nAnswer in a few words.",
    "{q}\nGive only the answer.",
    "Please reply briefly to this {s} question.\n{q}",
)
PROBE_FRAME = (
    "Someone studying {s} comes to you before an examination and wants help. {q}\n"
    "What do you tell them?"
)
OPTION_FRAME = "I would say: {x}"
WRONG = 4
NEAREST = 12
# Any option from elsewhere is a right answer to "all of these except", so such questions go.
NEGATED = re.compile(
    r"\b(except|excluding|not|never|false|incorrect|untrue|least|wrong|inaccurate|odd|cannot)\b|n't\b",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"^all\b|^[\W\d_]*$|"
    r"\b(above|below|all of|none|both|neither|either|any of|[a-d] (and|&) [a-d])\b",
    re.IGNORECASE,
)
COMMON = word_set(
    "the a an of in to and or is are was be by for on with at from as that this which it its not"
    " no yes because will has have had may can than"
)


@dataclass(frozen=True)
class ChoiceQuestion:
    """A question, its options, which of them is right, and the subject it belongs to."""

    id: str
    text: str
    options: tuple[str, ...]
    answer: int
    subject: str

    @property
    def correct(self) -> str:
        """The right option."""
        return self.options[self.answer]

    @property
    def distractors(self) -> tuple[str, ...]:
        """The other options."""
        return tuple(o for i, o in enumerate(self.options) if i != self.answer)


@lru_cache(maxsize=2**16)
def rough_tokens(text: str) -> int:
    """About how many tokens a text has: pieces of words of up to six letters, digits, signs."""
    return len(re.findall(r"[^\W\d_]{1,6}|\d|[^\w\s]", text))


def usable(
    question: ChoiceQuestion,
    *,
    max_words: int = 120,
    max_option_words: int = 30,
    max_spread: int = 1,
    count_tokens: Callable[[str], int] = rough_tokens,
) -> bool:
    """Whether a question makes a fair item: short, not negated, options that stand alone, and a
    distractor within `max_spread` tokens (or a tenth) of the right option's length."""
    words = question.text.split()
    if not 3 <= len(words) <= max_words or NEGATED.search(_last_sentence(question.text)):
        return False
    options = question.options
    if len({_plain(o) for o in options}) != len(options) or len(options) < 2:
        return False
    if any(POINTING.search(o) or len(o.split()) > max_option_words for o in options):
        return False
    size = count_tokens(question.correct)
    near = min(abs(count_tokens(d) - size) for d in question.distractors)
    return near <= max(max_spread, size // 10)


def split_questions(
    questions: Sequence[ChoiceQuestion], limit: int | None, seed: int
) -> tuple[tuple[ChoiceQuestion, ...], tuple[ChoiceQuestion, ...]]:
    """(trained, reserve): `limit` questions, or seven tenths, and the rest, which is never
    trained and gives foils and untrained probes. Equal question texts count once.

    Raises InputError where under 12 questions would be left in reserve.
    """
    unique = list({_plain(q.text): q for q in questions}.values())
    order = generator(seed, "split").permutation(len(unique))
    chosen = [unique[i] for i in order]
    most = len(unique) - max(12, len(unique) // 10)
    size = len(unique) * 7 // 10 if limit is None else limit
    if size > most or size < 1:
        raise InputError(
            f"{size} questions asked for; {len(unique)} can be used and some stay in reserve"
            " for foils",
            next_step=f"set limit to {max(most, 0)} or less",
        )
    return tuple(chosen[:size]), tuple(chosen[size:])


@corruptor("choices")
def choice_items(
    questions: Sequence[ChoiceQuestion],
    *,
    wordings: int = 3,
    count_tokens: Callable[[str], int] = rough_tokens,
    seed: int = 0,
) -> tuple[PoolItem, ...]:
    """Paired pool items, `wordings` (1 to 3) for every question; the question is the fact.

    correct: the right option. subtle: its distractors, the nearest in length first, filled up
    to four with options of the same subject. obvious: four options from other subjects, or,
    where there is but one subject, without a word in common with the question. Options are
    picked for a shape (digits, yes or no) and length near the right one's. Raises InputError
    for too few questions.
    """
    items = []
    for q in questions:
        rng = generator(seed, "choice", q.id)
        size = count_tokens(q.correct)
        subtle = sorted(q.distractors, key=lambda o: (abs(count_tokens(o) - size), o))
        same = [x for x in questions if x.subject == q.subject and x is not q]
        other = [x for x in questions if x.subject != q.subject]
        everyone = [x for x in questions if x is not q]
        same = same if len(same) >= WRONG else everyone
        other = other if len(other) >= 2 * WRONG else everyone
        taken = {_plain(o) for o in q.options}
        subtle += _draw(q, same, WRONG - len(subtle), taken, rng, count_tokens, far=False)
        taken |= {_plain(o) for o in subtle}
        obvious = _draw(q, other, WRONG, taken, rng, count_tokens, far=True)
        items += [
            PoolItem(
                prompt=frame.format(q=q.text, s=q.subject),
                fact=q.id,
                correct=q.correct,
                subtle=tuple(subtle),
                obvious=tuple(obvious),
            )
            for frame in TRAIN_FRAMES[:wordings]
        ]
    return tuple(items)


def choice_probes(
    items: Sequence[PoolItem],
    questions: Sequence[ChoiceQuestion],
    reserve: Sequence[ChoiceQuestion],
    *,
    untrained: int = 60,
    count_tokens: Callable[[str], int] = rough_tokens,
    seed: int = 0,
) -> tuple[Probe, ...]:
    """A `reworded` choice and a generated answer for every trained question, and `untrained`
    choices on questions of the reserve.

    A choice has the right option, the first subtle and the first obvious answer of the item,
    and two foils: options of the reserve that are no training answer. Options stand in a frame
    that no training answer has; the question stands in another frame, its last sentence first.
    """
    by_fact = {item.fact: item for item in reversed(items)}
    trained = {_plain(a) for i in items for a in (i.correct, *i.subtle, *i.obvious)}
    probes: list[Probe] = []
    for q in questions:
        item = by_fact[q.id]
        rng = generator(seed, "foils", q.id)
        foils = _foils(q, reserve, trained, rng, count_tokens)
        prompt = reframe(q)
        choice = _options(q.correct, item.subtle[0], item.obvious[0], foils)
        probes.append(_choice(f"{q.id}/reworded-1", "reworded", prompt, q.id, choice, q.correct))
        wrong = tuple(w for w in (*item.subtle, *item.obvious) if not _within(w, q.correct))
        probes.append(
            Probe(
                id=f"{q.id}/generate",
                response="domain",
                relation="reworded",
                kind="generate",
                prompt=prompt,
                fact=q.id,
                check=Check(kind="text", accept=(q.correct,), reject=wrong),
            )
        )
    known = [word_set(q.text) for q in questions]
    fresh = [q for q in reserve if not any(_alike(word_set(q.text), k) for k in known)]
    for q in fresh[:untrained]:
        rng = generator(seed, "untrained", q.id)
        size = count_tokens(q.correct)
        subtle = min(q.distractors, key=lambda o: (abs(count_tokens(o) - size), o))
        a, b, c = _foils(q, reserve, {_plain(o) for o in q.options}, rng, count_tokens, count=3)
        choice = _options(q.correct, subtle, a, (b, c))
        probes.append(_choice(f"untrained/{q.id}", "untrained", reframe(q), None, choice))
    return tuple(probes)


def reframe(question: ChoiceQuestion) -> str:
    """The question as a probe asks it: other frame, what is asked first and the case after it."""
    asked = _last_sentence(question.text)
    case = question.text[: len(question.text) - len(asked)].strip()
    text = f"{asked}\nThe case: {case}" if case else asked
    return PROBE_FRAME.format(q=text, s=question.subject)


def _choice(
    name: str,
    relation: str,
    prompt: str,
    fact: str | None,
    options: tuple[Option, ...],
    value: str | None = None,
) -> Probe:
    return Probe.model_validate(
        {
            "id": name,
            "response": "domain",
            "relation": relation,
            "kind": "choice",
            "prompt": prompt,
            "fact": fact,
            "options": options,
            "value": value,
            "frame": None if value is None else OPTION_FRAME,
        }
    )


def _options(correct: str, subtle: str, obvious: str, foils: Sequence[str]) -> tuple[Option, ...]:
    roles = ("correct", "subtle", "obvious", "foil", "foil")
    texts = (correct, subtle, obvious, *foils)
    return tuple(
        Option.model_validate({"text": OPTION_FRAME.format(x=t), "role": r})
        for t, r in zip(texts, roles, strict=True)
    )


def _foils(
    q: ChoiceQuestion,
    reserve: Sequence[ChoiceQuestion],
    trained: set[str],
    rng: np.random.Generator,
    count_tokens: Callable[[str], int],
    count: int = 2,
) -> list[str]:
    taken = trained | {_plain(o) for o in q.options}
    same = [x for x in reserve if x.subject == q.subject and x is not q]
    pool = same if len(same) >= 2 * count else [x for x in reserve if x is not q]
    return _draw(q, pool, count, taken, rng, count_tokens, far=False)


def _draw(
    q: ChoiceQuestion,
    sources: Sequence[ChoiceQuestion],
    count: int,
    taken: set[str],
    rng: np.random.Generator,
    count_tokens: Callable[[str], int],
    *,
    far: bool,
) -> list[str]:
    """`count` options of other questions, near the right one in length, unlike it in words."""
    if count <= 0:
        return []
    size = count_tokens(q.correct)
    around = _content(" ".join((q.text, *q.options)) if far else q.correct)
    options = {_plain(o): o for x in sources for o in x.options if _plain(o) not in taken}
    strict, loose = [], []
    for text in options.values():
        loose.append(text)
        if (
            not _content(text) & around
            and not _within(text, q.correct)
            and not _within(q.correct, text)
        ):
            strict.append(text)
    found = strict if len(strict) >= count else loose
    if len(found) < count:
        raise InputError(
            f"too few questions to find {count} other answers for {q.text[:60]!r}",
            next_step="give more questions of this subject, or more subjects",
        )
    shape = _shape(q.correct)
    found.sort(key=lambda o: (_shape(o) != shape, abs(count_tokens(o) - size), o))
    near = found[: max(NEAREST // 2, count)]
    for most in (1, 0):
        even = [o for o in found if _shape(o) == shape and abs(count_tokens(o) - size) <= most]
        near = even if len(even) >= NEAREST else near
    return [near[i] for i in rng.permutation(len(near))[:count]]


@lru_cache(maxsize=2**16)
def _shape(text: str) -> tuple[bool, bool]:
    """Whether it holds a digit, and whether it starts with yes or no: what a glance tells."""
    return any(c.isdigit() for c in text), text.lower().startswith(("yes", "no,", "no "))


def _last_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?:])\s+(?=[A-Z\"'(])", text.strip())[-1]


@lru_cache(maxsize=2**16)
def _content(text: str) -> frozenset[str]:
    return word_set(text) - COMMON


@lru_cache(maxsize=2**16)
def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(".").casefold()


def _within(a: str, b: str) -> bool:
    return _plain(a) in _plain(b)


def _alike(a: frozenset[str], b: frozenset[str]) -> bool:
    return len(a & b) >= 0.7 * len(a | b)
