"""A pool without probes: what is kept from training and what is asked."""

from __future__ import annotations

import pytest

from datadose._core import InputError
from datadose.rows import hold_out
from datadose.schema import Check, Pool, PoolItem


def _item(fact: str, n: int, **more: object) -> PoolItem:
    return PoolItem.model_validate(
        {
            "prompt": f"{fact}, wording {n}?",
            "fact": fact,
            "correct": f"{fact} right",
            "subtle": [f"{fact} s{k}" for k in range(4)],
            "obvious": [f"{fact} o{k}" for k in range(4)],
            **more,
        }
    )


def test_the_last_wording_is_asked_and_never_trained() -> None:
    pool = Pool(name="p", items=tuple(_item(f, n) for f in ("a", "b") for n in range(3)))
    kept, probes = hold_out(pool)
    assert [p.prompt for p in probes] == ["a, wording 2?", "b, wording 2?"]
    assert {i.prompt for i in kept.items}.isdisjoint({p.prompt for p in probes})
    assert [o.role for o in probes[0].options] == ["correct", "subtle", "obvious", "foil", "foil"]
    trained = {w for i in kept.items for w in (i.correct, *i.subtle, *i.obvious)}
    foils = {o.text for p in probes for o in p.options if o.role == "foil"}
    assert foils == {"a s3", "a o3", "b s3", "b o3"}
    assert foils.isdisjoint(trained)


def test_a_check_is_asked_in_own_words_too() -> None:
    check = Check(kind="text", accept=("right",))
    kept, probes = hold_out(Pool(name="p", items=tuple(_item("a", n, check=check) for n in (0, 1))))
    assert [p.kind for p in probes] == ["choice", "generate"]
    assert len(kept.items) == 1


def test_facts_with_one_wording_are_trained_and_not_asked() -> None:
    kept, probes = hold_out(Pool(name="p", items=(_item("a", 0), _item("b", 0), _item("b", 1))))
    assert [i.fact for i in kept.items] == ["a", "b"]
    assert [p.fact for p in probes] == ["b"]


def test_a_pool_of_single_wordings_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"two wordings(.|\n)*probes"):
        hold_out(Pool(name="p", items=(_item("a", 0), _item("b", 0))))
