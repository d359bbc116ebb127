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
    answer_steps,
    check_tries,
    join,
    load_base,
    together,
)
from datadose.models._tries import cost

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


@given(st.lists(st.lists(rows, min_size=1, max_size=3), min_size=1, max_size=3), st.booleans())
@settings(max_examples=30, deadline=None)
def test_steps_tell_what_greedy_decoding_would_say(base, groups, chain: bool) -> None:
    """With chains of several lengths too, which go without a mask."""
    if chain:
        groups = [[g[0], Encoded((*g[0].ids[:-1], 7), g[0].start)] for g in groups]
    with torch.no_grad():
        found, top = answer_steps(base, groups)
    rows = [e for group in groups for e in group]
    assert found.tolist() == pytest.approx([x for e in rows for x in alone(base, e)], abs=1e-4)
    wanted = []
    for e in rows:
        with torch.no_grad():
            best = base.model(input_ids=torch.tensor([e.ids])).logits[0].argmax(-1).tolist()
        wanted += [best[i - 1] == e.ids[i] for i in range(e.start, len(e.ids))]
    assert top.tolist() == wanted


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


def test_a_trie_grows_while_the_cost_of_an_item_falls(base) -> None:
    """Items of 4 tokens behind 20 shared ones: the best width is where the mean cost is least."""
    stem = tuple(range(10, 30))
    items = [Item((Encoded((*stem, *range(40 + 4 * i, 44 + 4 * i), 5), 20),)) for i in range(40)]
    sizes = [len(group) for group in join(base, items)]
    best = min(range(1, 41), key=lambda n: cost(base, 20 + 4 * n) / n)
    assert 1 < best < 40
    assert sizes[0] == best
    unlike = [Item((Encoded(tuple(range(i, i + 9)), 4),)) for i in range(40, 240, 10)]
    assert [len(group) for group in join(base, unlike)] == [1] * 20


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
