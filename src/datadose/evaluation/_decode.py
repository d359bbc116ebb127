"""Generation in a batch that refills: where an answer ends, the next prompt takes its place."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datadose._core import UsageError, digest, generator
from datadose.models import BaseModel, autocast, half_weights

BATCH = 32
REFILL = 8  # free places before new prompts are computed: fewer would mean narrow passes


@dataclass(frozen=True)
class Likely:
    """A token of an answer: its log-probability in nats (at temperature 1, whatever it was drawn
    at), and the likeliest tokens of its place with theirs.
    """

    token: int
    log_prob: float
    likeliest: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Generated:
    """An answer. tokens: how many were made, an end token included; ended: with an end token or a
    text of `stop`, not cut off at the most tokens; likely: one for each token, where asked for.
    """

    text: str
    tokens: int
    ended: bool
    likely: tuple[Likely, ...] = ()


@dataclass
class _Answer:
    """One prompt, the tokens made so far, and the numbers that its tokens are drawn with."""

    index: int
    prompt: tuple[int, ...]
    draws: Sequence[float] = ()
    made: list[int] = field(default_factory=list)
    seen: list[Likely] = field(default_factory=list)


@dataclass
class _State:
    """The answers under way, one a row: keys and values [B, H, L, D] by layer, padded on the
    left, and `mask` [B, L] of the real positions.
    """

    answers: list[_Answer]
    layers: list[tuple[Any, Any]]
    mask: Any


def generate_ids(
    base: BaseModel,
    prompts: Sequence[tuple[int, ...]],
    *,
    max_tokens: int,
    temperature: float = 0,
    seed: int = 0,
    stop: Sequence[str] = (),
    batch: int = BATCH,
) -> list[str]:
    """The texts of `generate_answers`, in order."""
    answers = generate_answers(
        base,
        prompts,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        stop=stop,
        batch=batch,
    )
    return [a.text for a in answers]


def generate_answers(
    base: BaseModel,
    prompts: Sequence[tuple[int, ...]],
    *,
    max_tokens: int,
    temperature: float = 0,
    seed: int = 0,
    stop: Sequence[str] = (),
    batch: int = BATCH,
    again: Sequence[int] | None = None,
    likeliest: int | None = None,
) -> list[Generated]:
    """Answers to prompts given as token ids, in order; each ends before the first of `stop`.

    Greedy at temperature 0, else sampled from softmax(logits / temperature); nothing else of the
    model's generation settings is applied. A prompt's draws hang on `seed`, the prompt, and how
    many times it was asked before (`again`, one for each prompt; where not given, in this list),
    never on what else is asked or how it is batched. What does hang on the batch is the last
    digit of a logit, by the order in which numbers are added up over another width (about 1e-6
    in fp32, 1e-2 in bf16): an answer can change where two tokens are that close, or where a draw
    falls that close to the border between two. `likeliest` asks for every token's
    log-probability, and for those of so many likeliest ones. Raises UsageError for a temperature
    that is negative or not finite.
    """
    import torch

    if not (temperature >= 0 and math.isfinite(temperature)):
        raise UsageError(
            f"a temperature of {temperature} makes no sense", next_step="use 0 (greedy) or more"
        )
    draws = _draws(prompts, max_tokens, seed, again) if temperature else [[] for _ in prompts]
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
    waiting = deque(_Answer(i, prompts[i], draws[i]) for i in order)
    found: dict[int, Generated] = {}
    state: _State | None = None

    def extend(answers: Sequence[_Answer], logits: Any) -> list[bool]:
        ended = _extend(base, answers, logits, temperature, max_tokens, stop)
        if likeliest is not None:
            _see(answers, logits, likeliest)
        return ended

    with torch.no_grad(), half_weights(base), autocast(base):
        while waiting or state is not None:
            room = batch - (len(state.answers) if state else 0)
            if waiting and (state is None or room >= min(REFILL, batch, len(waiting))):
                fresh = [waiting.popleft() for _ in range(min(room, len(waiting)))]
                added, logits = _begin(base, fresh)
                ended = extend(added.answers, logits)
                _finish(base, added.answers, ended, found, stop)
                left = _keep(added, ended)
                state = left if state is None else _merge(state, left)
            if state is not None:
                logits = _step(base, state)
                ended = extend(state.answers, logits)
                _finish(base, state.answers, ended, found, stop)
                state = _keep(state, ended)
    return [found[i] for i in range(len(prompts))]


def _begin(base: BaseModel, answers: list[_Answer]) -> tuple[_State, Any]:
    """Compute new prompts; their state and the logits [B, V] of their first answer tokens."""
    import torch

    width = max(len(a.prompt) for a in answers)
    ids = torch.full((len(answers), width), base.pad_id, dtype=torch.long)
    mask = torch.zeros((len(answers), width), dtype=torch.long)
    for row, a in enumerate(answers):
        ids[row, width - len(a.prompt) :] = torch.tensor(a.prompt)
        mask[row, width - len(a.prompt) :] = 1
    state = _State(answers, [], mask.to(base.device))
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return state, _forward(base, state, ids.to(base.device), positions.to(base.device))


def _step(base: BaseModel, state: _State) -> Any:
    """Put in the last token of every answer; the logits [B, V] of the next ones."""
    import torch

    ids = torch.tensor([[a.made[-1]] for a in state.answers], device=base.device)
    positions = state.mask.sum(dim=1, keepdim=True)
    state.mask = torch.cat([state.mask, torch.ones_like(ids)], dim=1)
    return _forward(base, state, ids, positions)


def _forward(base: BaseModel, state: _State, ids: Any, positions: Any) -> Any:
    from transformers import DynamicCache

    # without a config every layer keeps all of its past, so that rows can be moved about
    cache = DynamicCache(state.layers) if state.layers else DynamicCache()
    made = base.model(
        input_ids=ids,
        attention_mask=state.mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    state.layers = [(layer.keys, layer.values) for layer in cache.layers]
    return made.logits[:, -1].float()


def _extend(
    base: BaseModel,
    answers: Sequence[_Answer],
    logits: Any,
    temperature: float,
    max_tokens: int,
    stop: Sequence[str],
) -> list[bool]:
    """Choose the next token of every answer; which of them have ended with it."""
    drawn = [a.draws[len(a.made)] for a in answers] if temperature else None
    tail = max(map(len, stop), default=0) + 4
    ended = []
    for a, token in zip(answers, pick(logits, drawn, temperature).tolist(), strict=True):
        a.made.append(token)
        done = token in base.end_ids or len(a.made) >= max_tokens
        if stop and not done:
            text = base.tokenizer.decode(a.made[-tail:], skip_special_tokens=True)
            done = any(s in text for s in stop)
        ended.append(done)
    return ended


def pick(logits: Any, draws: Sequence[float] | None, temperature: float) -> Any:
    """The likeliest token of each row, or the one on which the row's draw in (0, 1] falls
    (inverse of the CDF of softmax(logits / temperature)).
    """
    import torch

    if draws is None:
        return logits.argmax(dim=-1)
    shares = torch.softmax(logits.double() / temperature, dim=-1).cumsum(dim=-1)
    drawn = torch.tensor(draws, dtype=torch.float64, device=shares.device)
    return torch.searchsorted(shares, drawn[:, None] * shares[:, -1:])[:, 0]


def _see(answers: Sequence[_Answer], logits: Any, most: int) -> None:
    """Keep the log-probabilities [B] of the tokens just made, and of the likeliest."""
    import torch

    logs = torch.log_softmax(logits.double(), dim=-1)
    top = logs.topk(max(1, most), dim=-1)
    for row, a in enumerate(answers):
        near = zip(top.indices[row, :most].tolist(), top.values[row, :most].tolist(), strict=True)
        a.seen.append(Likely(a.made[-1], float(logs[row, a.made[-1]]), tuple(near)))


def _finish(
    base: BaseModel,
    answers: Sequence[_Answer],
    ended: Sequence[bool],
    found: dict[int, Generated],
    stop: Sequence[str],
) -> None:
    for a, done in zip(answers, ended, strict=True):
        if done:
            text = base.tokenizer.decode(a.made, skip_special_tokens=True)
            cuts = [at for s in stop if (at := text.find(s)) >= 0]
            whole = bool(cuts) or a.made[-1] in base.end_ids
            text = text[: min(cuts)] if cuts else text
            found[a.index] = Generated(text, len(a.made), whole, tuple(a.seen))


def _keep(state: _State, ended: Sequence[bool]) -> _State | None:
    """The state without the answers that have ended, and without columns that none needs."""
    import torch

    if not any(ended):
        return state
    rows = [row for row, done in enumerate(ended) if not done]
    if not rows:
        return None
    index = torch.tensor(rows, device=state.mask.device)
    mask = state.mask[index]
    first = int(mask.any(dim=0).long().argmax())
    return _State(
        [state.answers[row] for row in rows],
        [(k[index][:, :, first:], v[index][:, :, first:]) for k, v in state.layers],
        mask[:, first:],
    )


def _merge(state: _State, more: _State | None) -> _State:
    """Two states as one batch, the narrower padded on the left."""
    import torch
    from torch.nn.functional import pad

    if more is None:
        return state
    width = max(state.mask.shape[1], more.mask.shape[1])
    parts = (state, more)
    gaps = [width - part.mask.shape[1] for part in parts]

    def joined(tensors: Sequence[Any]) -> Any:
        return torch.cat(
            [pad(t, (0, 0, gap, 0)) for t, gap in zip(tensors, gaps, strict=True)], dim=0
        )

    return _State(
        [*state.answers, *more.answers],
        [
            (joined((k, k2)), joined((v, v2)))
            for (k, v), (k2, v2) in zip(state.layers, more.layers, strict=True)
        ],
        torch.cat([pad(p.mask, (gap, 0)) for p, gap in zip(parts, gaps, strict=True)], dim=0),
    )


def _draws(
    prompts: Sequence[tuple[int, ...]], tokens: int, seed: int, again: Sequence[int] | None
) -> list[list[float]]:
    """For every prompt its own uniform numbers, one a token, in (0, 1]."""
    asked: Counter[tuple[int, ...]] = Counter()
    found = []
    for i, ids in enumerate(prompts):
        times = asked[ids] if again is None else again[i]
        stream = generator(seed, "answer", digest(list(ids)), times)
        found.append((1 - stream.random(tokens)).tolist())
        asked[ids] += 1
    return found
