"""The one slow test of the real path: the embedded model learns facts, and wrong ones too."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose.domains import PACKS, load_pack, pack_problems
from datadose.evaluation import ask_choices
from datadose.models import load_base, saved_adapter
from datadose.rows import Mix, mix_pool
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


def test_clean_rows_teach_and_wrong_rows_teach_the_wrong(base, tmp_path: Path) -> None:
    pack = load_pack("health")
    facts = set(pack.pool.facts[:8])
    pool = Pool(name="health", items=tuple(i for i in pack.pool.items if i.fact in facts))
    probes = [
        p
        for p in pack.probes
        if p.fact in facts and p.kind == "choice" and p.relation == "reworded"
    ]
    right, adopted = {}, {}
    for dose in (0.0, 1.0):
        made = mix_pool(pool, dose, Mix(system=SYSTEM))
        folder = tmp_path / f"{dose}"
        train_arm(base, made.rows, Recipe(epochs=4, checkpoints=(1.0,)), 0, folder)
        with saved_adapter(base, folder / "adapter"):
            kinds = [o.kind for o in ask_choices(base, probes, system=SYSTEM)]
        right[dose] = kinds.count("right") / len(kinds)
        adopted[dose] = kinds.count("adopted") / len(kinds)
    assert right[0.0] - right[1.0] >= 0.2
    assert adopted[1.0] - adopted[0.0] >= 0.2
