"""Models as they are named: bare, with an adapter, or an arm of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from datadose._core import InputError
from datadose.evaluation import Form
from datadose.models import chat as chat_of
from datadose.models import encode_prompt, fresh_adapter, load_base
from datadose.running import Named, evaluate, name_model, opened
from datadose.schema import Recipe


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter on `tiny` that changes what it answers."""
    folder = tmp_path_factory.mktemp("trained") / "adapter"
    base = load_base("tiny", precision="fp32")
    with fresh_adapter(base, Recipe(rank=4), 0) as wrapped:
        for name, p in wrapped.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(p, std=0.5, generator=torch.Generator().manual_seed(1))
        wrapped.save_pretrained(folder)
    return folder


def arm(folder: Path, adapter: Path, weights: str) -> Path:
    """A run folder with one arm, as far as opening it needs."""
    made = folder / "arms" / "0123"
    made.mkdir(parents=True)
    (folder / "study.yaml").write_text("name: s\nmodel: tiny\nrows: health\n")
    (made / "rows.json").write_text(json.dumps({"arm": {"base": weights}}))
    (made / "rows.jsonl").write_text("")
    (made / "adapter").symlink_to(adapter)
    return made


def test_names(tmp_path: Path, adapter: Path) -> None:
    assert name_model("smollm2-135m") == Named("smollm2-135m")
    assert name_model("owner/name") == Named("owner/name")
    assert name_model(str(tmp_path)) == Named(str(tmp_path))
    assert name_model(f"tiny+{adapter}") == Named("tiny", adapter)
    with pytest.raises(InputError, match="no folder with trained weights"):
        name_model(f"tiny+{tmp_path}")


def test_an_arm_is_opened_on_the_base_it_was_trained_on(tmp_path: Path, adapter: Path) -> None:
    base = load_base("tiny", precision="fp32")
    folder = arm(tmp_path / "run", adapter, base.weights)
    with pytest.raises(InputError, match="not trained to its end"):
        name_model(str(folder))
    (folder / "train.json").write_text("{}")
    assert name_model(str(folder)) == Named("tiny", folder / "adapter", base.weights)
    assert name_model(f"tiny+{folder}") == Named("tiny", folder / "adapter", base.weights)
    assert name_model(f"tiny+{folder / 'adapter'}") == Named("tiny", folder / "adapter")
    ids = torch.tensor([encode_prompt(base, chat_of("Who are you?"))])
    with torch.no_grad(), opened(name_model(str(folder)), precision="fp32") as (own, trained):
        bare = own.model(ids).logits
        with trained():
            changed = own.model(ids).logits
        after = own.model(ids).logits
    assert torch.equal(bare, after)
    assert not torch.allclose(bare, changed, atol=1e-3)
    (tmp_path / "run" / "study.yaml").unlink()
    with pytest.raises(InputError, match="is gone"):
        name_model(str(folder))


def test_another_base_than_the_arms_is_refused(tmp_path: Path, adapter: Path) -> None:
    folder = arm(tmp_path / "run", adapter, "other")
    (folder / "train.json").write_text("{}")
    for name in (str(folder), f"tiny+{folder}"):
        with (
            pytest.raises(InputError, match="trained on other weights"),
            opened(name_model(name)),
        ):
            pass


def test_what_is_calibrated_is_calibrated_on_the_bare_base(adapter: Path) -> None:
    asked = {"data": None, "precision": "fp32"}
    form = Form(limit=3)
    bare = evaluate("tiny", ["probes:alignment"], form, **asked)[1]
    tuned = evaluate(f"tiny+{adapter}", ["probes:alignment"], form, **asked)[1]
    for a, b in zip(bare, tuned, strict=True):
        if "raw" in a:
            priors = [
                [x - y for x, y in zip(r["raw"], r["calibrated"], strict=True)] for r in (a, b)
            ]
            assert priors[0] == pytest.approx(priors[1], abs=1e-4)
            assert a["raw"] != b["raw"]
