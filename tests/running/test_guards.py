"""Guards at test time: an adapter that is dropped, merged falsely, or leaves the base changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose._core import GuardError
from datadose.running._guards import compare
from datadose.schema import Outcome


def scores(*values: float) -> list[Outcome]:
    return [
        Outcome(probe=str(i), kind="right", chosen=0, raw=(v,), per_token=(v,), calibrated=(v,))
        for i, v in enumerate(values)
    ]


BARE, TUNED = scores(-1.0, -2.0), scores(-0.1, -3.0)


def test_a_sound_adapter_passes_and_says_what_was_seen() -> None:
    found = compare(BARE, TUNED, scores(-0.11, -3.01), BARE, Path("adapter"), 0.5)
    assert [g["guard"] for g in found] == [
        "adapter at test",
        "merged equals unmerged",
        "base restored",
    ]


@pytest.mark.parametrize(
    ("unmerged", "merged", "after", "guard"),
    [
        (BARE, BARE, BARE, "adapter at test"),
        (TUNED, scores(-4.0, -9.0), BARE, "merged equals unmerged"),
        (TUNED, TUNED, scores(-1.0, -2.1), "base restored"),
    ],
)
def test_false_adapters_are_stopped(unmerged, merged, after, guard: str) -> None:
    with pytest.raises(GuardError) as caught:
        compare(BARE, unmerged, merged, after, Path("adapter"), 0.5)
    assert caught.value.guard == guard


def test_full_fine_tuning_has_nothing_to_merge_but_must_move_the_scores() -> None:
    found = compare(BARE, None, TUNED, BARE, Path("adapter"), 0.5)
    assert [(g["guard"], g["passed"]) for g in found] == [
        ("adapter at test", True),
        ("merged equals unmerged", None),
        ("base restored", True),
    ]
    assert found[1]["detail"] == "full fine-tuning"
    with pytest.raises(GuardError) as caught:
        compare(BARE, None, BARE, BARE, Path("adapter"), 0.5)
    assert caught.value.guard == "adapter at test"
