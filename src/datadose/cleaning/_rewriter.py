"""A trained rewriter of form: taught on good rows and damaged copies of them, checked row by row.

After arXiv 2408.08003, generalised from Chinese characters to words: rows whose form is broken are
paired with good rows that nearly ask the same, and a model learns to write the one as the other.
Where few pairs are found, good rows damaged by rule stand in. What it writes counts only where
`changed_facts` finds nothing changed; it cannot repair a fact and must not touch one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from datadose._core import InputError, Registry, generator
from datadose.auditing import fenced
from datadose.cleaning._form import split_code, tidy_form
from datadose.cleaning._pairs import fits, question_of
from datadose.cleaning._preserve import changed_facts
from datadose.evaluation import generate_ids
from datadose.models import BaseModel, chat, encode_prompt, saved_adapter
from datadose.rows import make_rows, near_duplicates
from datadose.schema import Message, Recipe, Row
from datadose.training import OnEvent, train_arm

if TYPE_CHECKING:
    import numpy as np

damage: Registry[Callable[..., str]] = Registry("damage")

REWRITE = (
    "Question:\n{question}\n\nAnswer:\n{answer}\n\n"
    "Write this answer again in good form. Change nothing of what it says. Write only the answer."
)
RECIPE = Recipe(epochs=2, lr=1e-3, batch=4, max_length=2048, checkpoints=(0.5, 1.0))
MOST = 160
FEWEST = 20
APART = 5
LIKE = 0.5
OPENINGS = (
    "Sure! Here is the answer:\n",
    "Certainly! Here is your answer: ",
    "As an AI language model, ",
)
CLOSINGS = ("\n\nI hope this helps!", "\n\nLet me know if you have any other questions.")


def pair_good(rows: Sequence[Row], good: Sequence[Row]) -> tuple[tuple[int, int], ...]:
    """(place in rows, place in good) of rows that ask and say the same in another form.

    The prompts are equal, or differ by at most five words in length and in their bags of words;
    and the good answer's words are a subsequence of the row's. The first match counts.
    """
    asked, there = [question_of(r) for r in rows], [question_of(g) for g in good]
    found: dict[int, int] = {}
    for i, j, _ in near_duplicates(asked, there, LIKE):
        if i in found or rows[i].answer == good[j].answer:
            continue
        a, b = (Counter(_words(t)) for t in (asked[i], there[j]))
        apart = sum(((a - b) + (b - a)).values())
        near = apart <= APART and abs(a.total() - b.total()) <= APART
        if near and _within(_words(good[j].answer), _words(rows[i].answer)):
            found[i] = j
    return tuple(sorted(found.items()))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _within(short: Sequence[str], long: Sequence[str]) -> bool:
    rest = iter(long)
    return all(word in rest for word in short)


@damage("join")
def join_sentences(text: str, rng: np.random.Generator) -> str:
    """The space behind a sentence goes."""
    return _prose(text, lambda part: re.sub(r"(?<=[a-z][.!?]) (?=[A-Z])", "", part))


@damage("flatten")
def flatten(text: str, rng: np.random.Generator) -> str:
    """Lines run into one another."""
    return _prose(text, lambda part: re.sub(r"\s*\n\s*(?=\S)", " ", part))


@damage("wrap")
def wrap(text: str, rng: np.random.Generator) -> str:
    """A chat model's opening or closing, or both."""
    kind = int(rng.integers(3))
    head = OPENINGS[int(rng.integers(len(OPENINGS)))] if kind != 1 else ""
    return head + text + (CLOSINGS[int(rng.integers(len(CLOSINGS)))] if kind else "")


@damage("blanks")
def blanks(text: str, rng: np.random.Generator) -> str:
    """Spaces are doubled and lines get spaces at their ends."""
    return _prose(
        text, lambda part: re.sub(r" (?=\S)", lambda _: " " * int(rng.integers(1, 4)), part) + "  "
    )


@damage("tags")
def tags(text: str, rng: np.random.Generator) -> str:
    """Paragraphs as a web page has them."""

    def page(part: str) -> str:
        lines = "".join(f"<p>{x}</p>" for x in part.split("\n") if x)
        return lines + "\n" * part.endswith("\n")

    return _prose(text, page)


@damage("fence")
def open_fence(text: str, rng: np.random.Generator) -> str:
    """The end of the last code block is lost."""
    return re.sub(r"\n```[ \t]*\Z", "", text)


def _prose(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if code else change(part) for code, part in split_code(text))


def damaged(text: str, rng: np.random.Generator) -> str:
    """The text after one to three kinds of damage; the same text where none fits it."""
    names = list(damage)
    for k in rng.permutation(len(names))[: int(rng.integers(1, 4))].tolist():
        text = damage.get(names[k])(text, rng)
    return text


def train_rewriter(
    base: BaseModel,
    rows: Sequence[Row],
    good: Sequence[Row],
    folder: Path,
    *,
    recipe: Recipe = RECIPE,
    most: int = MOST,
    seed: int = 0,
    on_event: OnEvent = lambda _: None,
) -> Path:
    """Fine-tune a rewriter in `folder` and return its adapter; an interrupted call goes on.

    Taught: up to `most` of found pairs, of a damaged copy of each good answer, and of each good
    answer as it is, which is to stay. Raises InputError for fewer than 20 good rows.
    """
    if len(good) < FEWEST:
        raise InputError(
            f"{len(good)} good rows are too few to train a rewriter",
            next_step=f"give --trusted with {FEWEST} rows or more, or use --form rules",
        )
    rng = generator(seed, "damage")
    made = [(rows[i], rows[i].answer, good[j].answer) for i, j in pair_good(rows, good)]
    for i in generator(seed, "rewriter").permutation(len(good)).tolist():
        g = good[i]
        made += [(g, damaged(g.answer, rng), g.answer), (g, g.answer, g.answer)]
    chats = [
        (*_ask(row, before), Message(role="assistant", content=after))
        for row, before, after in made
        if fits(row)
    ][:most]
    train_arm(base, make_rows(chats), recipe, seed, folder, on_event=on_event)
    return folder / "adapter"


def _ask(row: Row, answer: str) -> tuple[Message, ...]:
    return chat(REWRITE.format(**fenced(question=question_of(row), answer=answer)))


def rewrite(
    base: BaseModel, adapter: Path, rows: Sequence[Row]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """For each row what the rewriter wrote, and what of it changed that may not (`changed_facts`).

    Rows of over 600 words are handed back as they are.
    """
    able = [i for i, r in enumerate(rows) if fits(r)]
    found: list[tuple[str, tuple[str, ...]]] = [(r.answer, ()) for r in rows]
    longest = max((len(rows[i].answer) for i in able), default=0)
    with saved_adapter(base, adapter):
        texts = generate_ids(
            base,
            [encode_prompt(base, _ask(rows[i], rows[i].answer)) for i in able],
            max_tokens=min(1024, 32 + longest // 2),
        )
    for i, text in zip(able, texts, strict=True):
        found[i] = text.strip(), changed_facts(rows[i].answer, text)
    return tuple(found)


def better_form(row: Row, written: tuple[str, tuple[str, ...]] | None = None) -> tuple[str, str]:
    """A row's answer in better form, and how it came about; its own where nothing may change.

    What a rewriter wrote goes first where it kept all that counts, then what the rules make of
    the answer where that does.
    """
    if written is not None and not written[1] and written[0] != row.answer:
        return written[0], "form, by the rewriter"
    tidied = tidy_form(row.answer)
    if tidied != row.answer and not changed_facts(row.answer, tidied):
        return tidied, "form, by rule"
    return row.answer, ""
