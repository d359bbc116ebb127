"""The one slow test of the real path: the embedded model learns facts from clean rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose.domains import PACKS, load_pack, pack_problems
from datadose.evaluation import ask_choices
from datadose.models import load_base, saved_adapter
from datadose.rows import Mix, add_swapped, mix_pool
from datadose.schema import Pool, Recipe
from datadose.training import train_arm

pytestmark = pytest.mark.slow
SYSTEM = "Answer in one sentence."


@pytest.fixture(scope="module")
def base():
    return load_base("smollm2-135m")


@pytest.mark.parametrize("name", PACKS)
def test_packs_keep_their_rules_under_the_embedded_tokenizer(base, name: str) -> None:
    def count(text: str) -> int:
        return len(base.tokenizer(text, add_special_tokens=False)["input_ids"])

    assert pack_problems(load_pack(name), count) == []


def test_clean_rows_teach_facts_that_are_then_asked_in_other_words(base, tmp_path: Path) -> None:
    pack = load_pack("health")
    facts = set(pack.pool.facts[:12])
    pool = Pool(name="health", items=tuple(i for i in pack.pool.items if i.fact in facts))
    probes = add_swapped(
        [
            p
            for p in pack.probes
            if p.fact in facts and p.kind == "choice" and p.relation == "reworded"
        ]
    )

    def rate() -> float:
        kinds = [o.kind for o in ask_choices(base, probes, system=SYSTEM)]
        return kinds.count("right") / len(kinds)

    before = rate()
    rows = mix_pool(pool, 0.0, Mix(system=SYSTEM)).rows
    train_arm(base, rows, Recipe(epochs=3, checkpoints=(1.0,)), 0, tmp_path)
    with saved_adapter(base, tmp_path / "adapter"):
        assert rate() - before >= 0.15
    assert rate() == before
