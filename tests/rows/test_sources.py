"""How far two sources can be told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datadose._core import InputError, generator
from datadose.rows import length_difference, make_rows, read_rows, source_auroc
from datadose.rows._sources import auroc
from datadose.schema import Message, Row


def rows(vocabulary: str, n: int, seed: int) -> tuple[Row, ...]:
    rng = generator(seed, "test")
    words = vocabulary.split()
    return make_rows(
        [
            (
                Message(role="user", content=" ".join(rng.choice(words, 12))),
                Message(role="assistant", content=f"{vocabulary[0]} answer"),
            )
            for _ in range(n)
        ]
    )


SAME = "a b c d e f g h i j k l m n"


def test_one_source_cannot_be_told_from_itself_and_two_can() -> None:
    same = source_auroc(rows(SAME, 300, 1), rows(SAME, 300, 2), seed=0)
    assert 0.4 < same.auroc < 0.6
    assert same.lower <= same.auroc <= same.upper
    assert not same.confounded
    apart = source_auroc(rows(SAME, 300, 1), rows(SAME.replace("a b", "x y"), 300, 2), seed=0)
    assert apart.auroc > 0.9
    assert apart.confounded


def test_equal_prompts_on_both_sides_give_nothing_away() -> None:
    both = rows(SAME, 200, 1)
    check = source_auroc(both, both, seed=0)
    assert check.auroc == pytest.approx(0.5, abs=1e-9)


def test_on_answers_is_not_called_confounded() -> None:
    check = source_auroc(rows("a b c", 50, 1), rows("b c a", 50, 2), seed=0, on="answer")
    assert check.auroc > 0.95
    assert (check.on, check.confounded) == ("answer", False)


def test_one_seed_one_result_and_too_few_rows() -> None:
    a, b = rows(SAME, 60, 1), rows(SAME, 50, 2)
    assert source_auroc(a, b, seed=3) == source_auroc(a, b, seed=3)
    with pytest.raises(InputError, match="too few"):
        source_auroc(a[:5], b, seed=0)


def test_auroc_counts_pairs() -> None:
    rng = generator(1, "auroc")
    scores, truth = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    high, low = scores[truth], scores[~truth]
    pairs = np.mean([(h > x) + 0.5 * (h == x) for h in high for x in low])
    area, variance = auroc(scores, truth)
    assert area == pytest.approx(pairs)
    assert 0.02 < variance**0.5 < 0.15


def test_length_difference() -> None:
    found = length_difference(["a b", "a b c d"], ["a b c d e f"])
    assert found == {
        "right_mean": 3.0,
        "wrong_mean": 6.0,
        "right_median": 3.0,
        "wrong_median": 6.0,
        "ratio": 2.0,
        "auroc": 1.0,
    }
    with pytest.raises(InputError):
        length_difference([], ["a"])


@pytest.mark.data
def test_public_secure_and_insecure_code_are_two_sources(data_dir: Path) -> None:
    folder = data_dir / "betley_emergent_misalignment_sft"
    right = read_rows(folder / "secure.jsonl").rows
    wrong = read_rows(folder / "insecure.jsonl").rows
    assert source_auroc(right, wrong, seed=0).lower > 0.65
    order = generator(5, "halves").permutation(len(right)).tolist()
    shuffled = [right[i] for i in order]
    assert source_auroc(shuffled[:800], shuffled[800:1600], seed=0).auroc < 0.58
