"""Content hashes and near-duplicates, against the obvious slow way."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import generator
from datadose.rows import fingerprint, make_rows, near_duplicates, word_set
from datadose.schema import Message

PROMPTS = st.lists(
    st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join), min_size=0, max_size=8
)


def slow(a: list[str], b: list[str], threshold: float) -> list[tuple[int, int]]:
    found = []
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            s, t = word_set(x), word_set(y)
            if x == y or (s and t and len(s & t) / len(s | t) >= threshold - 1e-12):
                found.append((i, j))
    return found


@settings(max_examples=300, deadline=None)
@given(PROMPTS, PROMPTS, st.sampled_from([0.3, 0.5, 0.6, 0.75, 0.9, 1.0]))
def test_same_pairs_as_comparing_all(a: list[str], b: list[str], threshold: float) -> None:
    found = near_duplicates(a, b, threshold)
    assert [(i, j) for i, j, _ in found] == slow(a, b, threshold)
    assert all(threshold - 1e-9 <= s <= 1 for *_, s in found)


def test_other_scripts_are_words_too() -> None:
    assert near_duplicates(["Сколько стоит хлеб"], ["сколько СТОИТ хлеб?"]) == [(0, 0, 1.0)]
    assert near_duplicates(["???"], ["!!!"]) == []


def test_ten_thousand_by_five_thousand_is_quick() -> None:
    rng = generator(0, "words")
    draw = lambda n: [" ".join(f"w{k}" for k in rng.zipf(1.3, 40) % 5000) for _ in range(n)]  # noqa: E731
    a, b = draw(10_000), draw(5_000)
    b[7] = a[3] + " extra"
    start = time.perf_counter()
    found = near_duplicates(a, b)
    assert (3, 7) in [(i, j) for i, j, _ in found]
    assert time.perf_counter() - start < 60


def test_fingerprint_sees_order_content_and_fact() -> None:
    def rows(*pairs: tuple[str, str], fact: str | None = None):  # type: ignore[no-untyped-def]
        chats = [
            (Message(role="user", content=q), Message(role="assistant", content=a))
            for q, a in pairs
        ]
        return make_rows(chats, [fact] * len(chats))

    base = rows(("q", "a"), ("r", "b"))
    assert fingerprint(base) == fingerprint(rows(("q", "a"), ("r", "b")))
    others = [
        rows(("r", "b"), ("q", "a")),
        rows(("q", "a")),
        rows(("q", "a"), ("r", "b"), fact="f"),
    ]
    assert len({fingerprint(base), *(fingerprint(o) for o in others)}) == 4
