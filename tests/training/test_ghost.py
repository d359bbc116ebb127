"""Ghost norms against autograd, one row at a time, in float64."""

from __future__ import annotations

import pytest
import torch

from datadose._core import StageError
from datadose.models import Encoded, half_weights, load_base
from datadose.training import ghost_norms
from datadose.training._head import WORTH_SHARING, lay_out, worth_sharing

ROWS = (
    Encoded((7, 8, 9, 7, 12, 7, 0), 3),
    Encoded((40, 41, 8, 8, 8, 90, 91, 92, 93, 94, 95, 0), 9),
    Encoded((5, 6, 0), 1),
    # the padding token, whose embedding is never trained, within a row
    Encoded((21, 0, 22, 0, 21, 23, 24, 0), 5),
    Encoded((11, 12, 13, 14, 11, 12, 13, 14, 11, 0), 2),
)


STEM = (31, 32, 33, 34, 31, 35, 36, 37, 38, 39)
# what they begin with alike is computed once; the second answers right after it
ALIKE = (
    Encoded((*STEM, 7, 8, 9, 0), 12),
    Encoded((*STEM, 40, 41, 42, 43, 0), 10),
    Encoded((*STEM, 7, 8, 0), 11),
)


def make(tied: bool, head_bias: bool = False):
    base = load_base("tiny", precision="fp32")
    base.model.double()
    if not tied or head_bias:
        width, size = base.model.config.hidden_size, base.model.config.vocab_size
        torch.manual_seed(3)
        head = torch.nn.Linear(width, size, bias=head_bias, dtype=torch.float64)
        if tied:
            head.weight = base.model.get_input_embeddings().weight
        base.model.set_output_embeddings(head)
    return base


def by_autograd(base, row: Encoded) -> tuple[float, dict[str, float]]:
    """The row's summed answer loss, and the squared gradient norm of each weight."""
    base.model.requires_grad_(True)
    ids = torch.tensor([row.ids])
    labels = ids.clone()
    labels[0, : row.start] = -100
    logits = base.model(input_ids=ids).logits[0]
    loss = torch.nn.functional.cross_entropy(
        logits[row.start - 1 : -1], ids[0, row.start :], reduction="sum"
    )
    base.model.zero_grad()
    loss.backward()
    found = {n: float(p.grad.square().sum()) for n, p in base.model.named_parameters()}
    base.model.requires_grad_(False)
    base.model.zero_grad()
    return float(loss.detach()), found


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("head_bias", [True, False])
@pytest.mark.parametrize("rows", [ROWS, ALIKE])
def test_ghost_norms_equal_autograd_with_padding_and_masks(
    tied: bool, head_bias: bool, rows: tuple[Encoded, ...]
) -> None:
    base = make(tied, head_bias)
    assert (lay_out(base, rows).shared >= WORTH_SHARING) == (rows is ALIKE)
    norms = ghost_norms(base, rows)
    alone = ghost_norms(base, rows, ["head"])
    assert torch.allclose(alone.head, norms.head, rtol=1e-6)
    assert torch.allclose(alone.loss, norms.loss, rtol=1e-6)
    for i, row in enumerate(rows):
        loss, squares = by_autograd(base, row)
        assert float(norms.loss[i]) == pytest.approx(loss, rel=1e-6)
        assert float(norms.total[i]) == pytest.approx(sum(squares.values()), rel=1e-4)
        top = float(norms.head[i] + norms.embedding[i] + norms.cross[i])
        own = [v for n, v in squares.items() if "embed_tokens" in n or "lm_head" in n]
        assert top == pytest.approx(sum(own), rel=1e-4)
    assert (norms.cross.abs().max() > 1e-6) == tied


def test_parts_agree_with_the_whole_and_leave_no_trace() -> None:
    base = make(tied=True)
    ghost_norms(base, ALIKE)
    whole = ghost_norms(base, ROWS)
    head = ghost_norms(base, ROWS, ["head"])
    outer = ghost_norms(base, ROWS, ["head", "embedding"])
    assert torch.allclose(head.head, whole.head, rtol=1e-9)
    assert torch.allclose(outer.total + whole.inner, whole.total, rtol=1e-9)
    assert float(head.total.sum()) == float(head.head.sum())
    assert all(p.grad is None for p in base.model.parameters())
    assert not any(m._forward_hooks for m in base.model.modules())
    assert not any("forward" in vars(m) for m in base.model.modules())


def test_neither_the_other_rows_nor_the_padding_change_a_norm() -> None:
    base = make(tied=True)
    together = ghost_norms(base, ROWS).total
    alone = torch.cat([ghost_norms(base, [row]).total for row in ROWS])
    assert torch.allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("rows", [ROWS, ALIKE])
def test_bf16_gives_the_same_norms_but_for_rounding(rows: tuple[Encoded, ...]) -> None:
    whole = ghost_norms(load_base("tiny", precision="fp32"), rows)
    base = load_base("tiny", precision="bf16")
    with half_weights(base):
        rounded = ghost_norms(base, rows)
        head = ghost_norms(base, rows, ["head"])
    for name in ("loss", "head", "embedding", "inner", "total"):
        assert torch.allclose(getattr(rounded, name), getattr(whole, name), rtol=0.05)
    assert torch.allclose(head.head, whole.head, rtol=0.05)


def test_dropout_makes_rows_that_begin_alike_differ() -> None:
    base = make(tied=True)
    batch = lay_out(base, ALIKE)
    assert worth_sharing(base, batch) == len(STEM) - 1
    base.model.train()
    assert worth_sharing(base, batch) == 0


def test_long_and_short_rows_take_both_ways_to_the_same_norm() -> None:
    from datadose.training._ghost import gram_norms

    torch.manual_seed(0)
    for width in (2, 40):
        a, d = torch.randn(3, width, 5).double(), torch.randn(3, width, 4).double()
        direct = torch.einsum("btn,btm->bnm", d, a).square().sum((1, 2))
        assert torch.allclose(gram_norms(a, d), direct, rtol=1e-9)


def test_a_layer_without_an_identity_is_named() -> None:
    base = make(tied=True)

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gain * x

    norm = base.model.base_model.norm
    base.model.base_model.norm = torch.nn.Sequential(norm, Scale())
    with pytest.raises(StageError, match="of kind Scale"):
        ghost_norms(base, ROWS)
    assert float(ghost_norms(base, ROWS, ["head", "embedding"]).total.min()) > 0
