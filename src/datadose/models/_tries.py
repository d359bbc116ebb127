"""Token sequences that begin alike are computed once: tries laid out as one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datadose._core import StageError
from datadose.models._forward import logits_at, pad
from datadose.models._load import BaseModel
from datadose.models._template import Encoded

Ids = Sequence[int]


class Trie:
    """Token sequences as a prefix tree; a node is one token, seen by all that follow it."""

    def __init__(self, sequences: Sequence[Ids] = ()) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self.paths = [self.add(ids) for ids in sequences]

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, ids: Ids) -> list[int]:
        """Put in a sequence; returns its nodes, one a token."""
        at, path = -1, []
        for depth, token in enumerate(ids):
            key = (at, token)
            if key not in self._children:
                self._children[key] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(at)
                self.depths.append(depth)
            at = self._children[key]
            path.append(at)
        return path

    def known(self, ids: Ids) -> int:
        """How many tokens at the start of a sequence are in already."""
        at = -1
        for depth, token in enumerate(ids):
            if (at, token) not in self._children:
                return depth
            at = self._children[at, token]
        return len(ids)


@dataclass(frozen=True)
class Item:
    """What has to stay together in one trie: a training row, or a question's options."""

    branches: tuple[Encoded, ...]

    @property
    def sequences(self) -> list[Ids]:
        """What is computed: all tokens but the last, which predicts nothing that is scored."""
        return [e.ids[:-1] for e in self.branches]


def cost(base: BaseModel, width: float) -> float:
    """Arithmetic of a row of `width` tokens, in units of a token's without attention.

    A block's linear layers take about 24 h^2 operations a token, attention 4 h for every token
    it looks at: 1 to w / 6h.
    """
    hidden: int = base.model.config.get_text_config().hidden_size
    return width * (1 + width / (6 * hidden))


def join(base: BaseModel, items: Sequence[Item]) -> list[list[int]]:
    """Indices of items, grouped in the order given: a trie grows while its share of the cost of
    its items one by one falls.
    """
    groups: list[list[int]] = []
    trie = Trie()
    apart = 0.0
    for i, item in enumerate(items):
        sequences = item.sequences
        own = len(Trie(sequences))
        alone = cost(base, own)
        size = len(trie) + own - trie.known(sequences[0])
        if not groups or cost(base, size) * apart > cost(base, len(trie)) * (apart + alone):
            groups.append([])
            trie, apart = Trie(), 0.0
        groups[-1].append(i)
        apart += alone
        for ids in sequences:
            trie.add(ids)
    return groups


def together(base: BaseModel, rows: Sequence[Encoded]) -> list[list[Encoded]]:
    """The rows of one training batch as one trie, or each for itself, whichever costs less."""
    one = len(Trie([e.ids[:-1] for e in rows]))
    widest = max(len(e.ids) - 1 for e in rows)
    if cost(base, one) < len(rows) * cost(base, widest):
        return [list(rows)]
    return [[e] for e in rows]


def answer_log_probs(base: BaseModel, groups: Sequence[Sequence[Encoded]]) -> Any:
    """Log-probability (nats) of every answer token, shape [n]: by group, row, token.

    One forward pass with a row for every group. Token t is predicted from position t - 1; a
    token's position is its depth, and it sees those before it in its own sequence only. Equal
    to computing every sequence by itself, up to rounding.
    """
    import torch

    logits, index, targets = _answer_logits(base, groups)
    return torch.log_softmax(logits, dim=-1)[index, targets]


def answer_steps(base: BaseModel, groups: Sequence[Sequence[Encoded]]) -> tuple[Any, Any]:
    """As `answer_log_probs`, and whether each token is the likeliest in its place, bool [n]."""
    import torch

    logits, index, targets = _answer_logits(base, groups, chains=True)
    found = torch.log_softmax(logits, dim=-1)[index, targets]
    return found, logits.argmax(dim=-1)[index] == targets


def _answer_logits(
    base: BaseModel, groups: Sequence[Sequence[Encoded]], *, chains: bool = False
) -> tuple[Any, Any, Any]:
    """Logits [m, V] of the scored places, and for every answer token its row in them and its id.

    chains: tries without branches go without a mask, which is faster; what fills up a row stands
    at its end, where causal attention never lets it be seen.
    """
    import torch

    spots: list[int] = []
    targets: list[int] = []
    mask: Any = None
    positions = None
    alone = all(len(group) == 1 for group in groups)
    tries = [] if alone and not chains else [Trie([e.ids[:-1] for e in g]) for g in groups]
    if alone and not chains:
        ids, mask = pad([group[0].ids[:-1] for group in groups], base.pad_id, base.device)
        paths = [[list(range(ids.shape[1]))] for _ in groups]
    elif chains and all(len(trie) == max(map(len, trie.paths)) for trie in tries):
        ids, _ = pad([trie.tokens for trie in tries], base.pad_id, base.device)
        paths = [trie.paths for trie in tries]
    else:
        ids, mask, positions = _lay_out(tries, base)
        paths = [trie.paths for trie in tries]
    width = ids.shape[1]
    for row, group in enumerate(groups):
        for path, e in zip(paths[row], group, strict=True):
            spots += [row * width + node for node in path[e.start - 1 : len(e.ids) - 1]]
            targets += e.ids[e.start :]
    where = torch.zeros(ids.numel(), dtype=torch.bool)
    where[spots] = True
    index = (where.cumsum(0) - 1)[spots].to(base.device)
    logits = logits_at(base, ids, mask, where.view(ids.shape).to(base.device), positions)
    return logits, index, torch.tensor(targets, device=base.device)


def _lay_out(tries: Sequence[Trie], base: BaseModel) -> tuple[Any, Any, Any]:
    """Ids and positions [R, W] and who sees whom, bool [R, 1, W, W]."""
    import numpy as np
    import torch

    width = max(map(len, tries))
    ids = np.full((len(tries), width), base.pad_id, dtype=np.int64)
    positions = np.zeros((len(tries), width), dtype=np.int64)
    see = np.zeros((len(tries), 1, width, width), dtype=bool)
    see[:, 0, range(width), range(width)] = True
    for row, trie in enumerate(tries):
        ids[row, : len(trie)] = trie.tokens
        positions[row, : len(trie)] = trie.depths
        for node, parent in enumerate(trie.parents):
            if parent >= 0:
                see[row, 0, node] |= see[row, 0, parent]
    d = base.device
    return torch.tensor(ids).to(d), torch.tensor(see).to(d), torch.tensor(positions).to(d)


def check_tries(base: BaseModel) -> float:
    """Largest difference (nats) between two rows in one trie and each by itself.

    Layers that don't heed the mask (recurrent ones, windows of attention) let one branch see the
    other, and every loss and score would be slightly false: StageError.
    """
    import torch

    stem = tuple(range(5, 13))
    rows = [Encoded((*stem, *range(first, first + 8)), 8) for first in (21, 41)]
    with torch.no_grad():
        one = answer_log_probs(base, [rows])
        apart = answer_log_probs(base, [[e] for e in rows])
    gap = float((one - apart).abs().max())
    # bf16 rounds unlikely tokens by tenths of a nat; a leak moves them by whole ones
    rounding = 0.05 if base.precision == "bf16" else 1e-3
    if gap > rounding * max(1.0, float(apart.abs().max())):
        raise StageError(
            f"rows that share a beginning are not kept apart (by {gap:.3g} nats): its layers"
            " don't heed an attention mask, which is not supported yet",
            where=base.name,
            next_step="use a model with full attention in every layer",
        )
    return gap
