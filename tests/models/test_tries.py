"""Tries: what sequences share is computed once, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from datadose._core import StageError
from datadose.models import (
    Encoded,
    Item,
    Trie,
    answer_log_probs,
    check_tries,
    join,
    load_base,
    together,
)

tokens = st.lists(st.integers(3, 6), min_size=2, max_size=7)
rows = st.builds(
    lambda ids, share: Encoded(tuple(ids), 1 + int(share * (len(ids) - 1))),
    tokens,
    st.floats(0, 0.99),
)


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def alone(base, e: Encoded) -> list[float]:
    """Log-probabilities of a row's answer tokens by the model itself."""
    with torch.no_grad():
        logits = base.model(input_ids=torch.tensor([e.ids])).logits[0]
    logp = torch.log_softmax(logits.float(), -1)
    return [float(logp[i - 1, e.ids[i]]) for i in range(e.start, len(e.ids))]


@given(st.lists(st.lists(rows, min_size=1, max_size=4), min_size=1, max_size=3))
@settings(max_examples=30, deadline=None)
def test_log_probabilities_equal_those_of_each_row_by_itself(base, groups) -> None:
    with torch.no_grad():
        found = answer_log_probs(base, groups).tolist()
    wanted = [x for group in groups for e in group for x in alone(base, e)]
    assert found == pytest.approx(wanted, abs=1e-4)


@given(st.lists(tokens, min_size=1, max_size=6))
def test_a_trie_holds_every_prefix_once_and_gives_sequences_back(sequences) -> None:
    trie = Trie(sequences)
    prefixes = {tuple(ids[:n]) for ids in sequences for n in range(1, len(ids) + 1)}
    assert len(trie) == len(prefixes)
    for ids, path in zip(sequences, trie.paths, strict=True):
        assert [trie.tokens[node] for node in path] == ids
        assert [trie.depths[node] for node in path] == list(range(len(ids)))
        assert trie.known([*ids, 99]) == len(ids)


@given(st.lists(st.lists(rows, min_size=1, max_size=3), max_size=6))
def test_joining_keeps_every_item_once_in_its_order(base, branches) -> None:
    groups = join(base, [Item(tuple(b)) for b in branches])
    assert [i for group in groups for i in group] == list(range(len(branches)))


def test_rows_stay_apart_where_they_share_nothing_and_attention_would_cost(base) -> None:
    stem = tuple(range(10, 60))
    alike = [Encoded((*stem, 5, i), 50) for i in range(60, 64)]
    unlike = [Encoded((i, *range(10, 110)), 50) for i in range(200, 204)]
    assert together(base, alike) == [alike]
    assert together(base, unlike) == [[e] for e in unlike]


def test_gradients_equal_those_of_padded_rows(base) -> None:
    group = [Encoded((9, 8, 7, 5, 4), 2), Encoded((9, 8, 7, 3), 2), Encoded((9, 8, 6, 5), 3)]
    weight = base.model.get_input_embeddings().weight
    weight.requires_grad_(True)
    try:
        grads = []
        for groups in ([group], [[e] for e in group]):
            weight.grad = None
            answer_log_probs(base, groups).sum().backward()
            grads.append(weight.grad.clone())
    finally:
        weight.requires_grad_(False)
        weight.grad = None
    assert float(grads[0].abs().max()) > 1e-3
    assert torch.allclose(grads[0], grads[1], atol=1e-5)


def test_a_model_that_does_not_heed_the_mask_is_refused(base) -> None:
    assert check_tries(base) < 1e-4

    def blind(module, args, given):
        return args, {**given, "attention_mask": None}

    hook = base.model.base_model.register_forward_pre_hook(blind, with_kwargs=True)
    try:
        with pytest.raises(StageError, match="not kept apart"):
            check_tries(base)
    finally:
        hook.remove()
