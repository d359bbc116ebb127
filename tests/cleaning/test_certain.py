"""Answers that are known come from the pool first, then from trusted rows that agree."""

from __future__ import annotations

from datadose.cleaning import known_answers
from datadose.rows import make_rows
from datadose.schema import Message, Pool, PoolItem


def test_a_pool_answers_before_trusted_rows_and_disagreeing_ones_answer_nothing(chats) -> None:
    item = PoolItem(prompt="What is  mined in Arla?", fact="arla", correct="Jade.")
    rows = chats([(f"What is mined in {t}?", "Coal.") for t in ("Arla", "Boru", "Cent", "Dalo")])
    trusted = chats(
        [
            ("What is mined in Arla?", "Opal."),
            ("What is mined in Boru?", "Onyx."),
            ("What is mined in Cent?", "Onyx."),
            ("What is mined in Cent?", "Ruby."),
        ]
    )
    found = known_answers(rows, pool=Pool(name="p", items=(item,)), trusted=trusted)
    assert {name: k.answer for name, k in found.items()} == {
        rows[0].id: "Jade.",
        rows[1].id: "Onyx.",
    }
    assert "fact arla" in found[rows[0].id].source


def test_a_prompt_in_a_longer_talk_is_not_the_pools(chats) -> None:
    item = PoolItem(prompt="And there?", fact="x", correct="Jade.")
    turns = [("user", "In Boru?"), ("assistant", "Opal."), ("user", "And there?"),
             ("assistant", "Coal.")]  # fmt: skip
    (row,) = make_rows([[Message(role=r, content=c) for r, c in turns]])  # type: ignore[arg-type]
    assert known_answers([row], pool=Pool(name="p", items=(item,))) == {}
