"""Answers in the model's own words, generated in batches, and their checks."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from datadose._core import UsageError, digest, generator
from datadose.models import BaseModel, autocast, chat, encode_prompt, half_weights
from datadose.sandbox import available, run_tests
from datadose.schema import Check, Message, Outcome, OutcomeKind, Probe

BATCH = 32


def generate(
    base: BaseModel,
    prompts: Sequence[str],
    *,
    system: str | None = None,
    max_tokens: int = 32,
    temperature: float = 0,
    seed: int = 0,
) -> list[str]:
    """Answers in order: greedy at temperature 0, else sampled from softmax(logits / temperature).

    A prompt's draws hang on `seed`, the prompt, and how many times it was asked before in this
    list, never on what else is asked or how it is batched. What does hang on the batch is the
    last digit of a logit, by the order in which numbers are added up over another width (about
    1e-6 in fp32, 1e-2 in bf16): an answer can change where two tokens are that close, or where
    a draw falls that close to the border between two. Raises UsageError for a temperature that
    is negative or not finite.
    """
    chats = [chat(prompt, system) for prompt in prompts]
    return _answers(base, chats, max_tokens=max_tokens, temperature=temperature, seed=seed)


def _answers(
    base: BaseModel,
    chats: Sequence[Sequence[Message]],
    *,
    max_tokens: int,
    temperature: float,
    seed: int,
) -> list[str]:
    """Prompts are padded on the left and masked by position."""
    import torch
    from transformers import LogitsProcessorList

    if not (temperature >= 0 and math.isfinite(temperature)):
        raise UsageError(
            f"a temperature of {temperature} makes no sense", next_step="use 0 (greedy) or more"
        )
    encoded = [encode_prompt(base, turns) for turns in chats]
    draws = _draws(encoded, max_tokens, seed) if temperature else []
    answers = [""] * len(chats)
    order = sorted(range(len(chats)), key=lambda i: (len(encoded[i]), i))
    for at in range(0, len(order), BATCH):
        part = order[at : at + BATCH]
        width = max(len(encoded[i]) for i in part)
        ids = torch.full((len(part), width), base.pad_id, dtype=torch.long)
        mask = torch.zeros((len(part), width), dtype=torch.long)
        for b, i in enumerate(part):
            ids[b, width - len(encoded[i]) :] = torch.tensor(encoded[i])
            mask[b, width - len(encoded[i]) :] = 1
        choosers = LogitsProcessorList()
        if temperature:
            choosers.append(_sampler([draws[i] for i in part], width, temperature))
        with torch.no_grad(), half_weights(base), autocast(base):
            made = base.model.generate(
                input_ids=ids.to(base.device),
                attention_mask=mask.to(base.device),
                max_new_tokens=max_tokens,
                do_sample=False,
                pad_token_id=base.pad_id,
                logits_processor=choosers,
            )
        for b, i in enumerate(part):
            text = base.tokenizer.decode(made[b, width:], skip_special_tokens=True)
            answers[i] = text.strip()
    return answers


def _draws(encoded: Sequence[tuple[int, ...]], tokens: int, seed: int) -> list[list[float]]:
    """For every prompt its own uniform numbers, one a token, in (0, 1]."""
    asked: Counter[tuple[int, ...]] = Counter()
    found = []
    for ids in encoded:
        stream = generator(seed, "answer", digest(list(ids)), asked[ids])
        found.append((1 - stream.random(tokens)).tolist())
        asked[ids] += 1
    return found


def _sampler(draws: Sequence[Sequence[float]], width: int, temperature: float) -> Any:
    """Leaves the token on which each row's draw falls as the only one (inverse of the CDF)."""
    import torch

    drawn = torch.tensor(draws, dtype=torch.float64)

    def choose(ids: Any, scores: Any) -> Any:
        shares = torch.softmax(scores.double() / temperature, dim=-1).cumsum(dim=-1)
        at = drawn[:, ids.shape[1] - width, None].to(shares.device) * shares[:, -1:]
        token = torch.searchsorted(shares, at)
        return torch.full_like(scores, -torch.inf).scatter(-1, token, 0.0)

    return choose


def ask_open(
    base: BaseModel,
    probes: Sequence[Probe],
    *,
    system: str | None = None,
    max_tokens: int = 32,
    temperature: float = 0,
    seed: int = 0,
) -> list[Outcome]:
    """Generate an answer to each probe; those without a check that runs here are `unscored`.

    A probe's own system prompt goes before `system`, as in `ask_choices`; `temperature` and
    `seed` are those of `generate`.
    """
    chats = [chat(p.prompt, p.system if p.system is not None else system) for p in probes]
    texts = _answers(base, chats, max_tokens=max_tokens, temperature=temperature, seed=seed)
    found = []
    for probe, text in zip(probes, texts, strict=True):
        kind: OutcomeKind = "unscored"
        note = ""
        if probe.check is not None and probe.check.kind == "tests":
            kind, note = check_code(text, probe.check)
        elif probe.check is not None:
            kind = check_answer(text, probe.check)
        found.append(Outcome(probe=probe.id, kind=kind, text=text, note=note))
    return found


def extract_code(text: str) -> str:
    """The first fenced block of an answer, else all from its first `def` or `import` on."""
    fenced = re.search(r"```(?:python|py)?\n(.*?)(?:```|\Z)", text, flags=re.DOTALL)
    if fenced:
        return fenced.group(1)
    start = re.search(r"^(?:def|import|from|class) ", text, flags=re.MULTILINE)
    return text[start.start() :] if start else text


def check_code(text: str, check: Check) -> tuple[OutcomeKind, str]:
    """Run an answer's code against its unit tests in the sandbox: outcome and a note.

    Without a sandbox the answer is `unscored`, and the note says why.
    """
    if not re.search(r"\w", text):
        return "incoherent", ""
    missing = available()
    if missing is not None:
        return "unscored", missing
    result = run_tests(extract_code(text), check.tests, check.entry)
    if result.outcome == "error":
        return "error", result.stderr[-200:]
    return ("right", "") if result.outcome == "ok" else ("wrong", result.outcome)


def _mentions(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase.lower())}(?!\w)", text.lower()) is not None


def check_answer(text: str, check: Check) -> OutcomeKind:
    """Score a generated answer by value or by text; `incoherent` where nothing is said."""
    if not re.search(r"\w", text):
        return "incoherent"
    if check.kind == "value" and check.value is not None:
        numbers = [float(n.replace(",", "")) for n in re.findall(r"-?\d[\d,]*\.?\d*", text)]
        if not numbers:
            return "wrong"
        near = abs(numbers[-1] - check.value) <= check.tolerance * max(1e-12, abs(check.value))
        return "right" if near else "wrong"
    if check.kind == "text":
        if any(_mentions(text, phrase) for phrase in check.reject):
            return "adopted"
        return "right" if any(_mentions(text, p) for p in check.accept) else "wrong"
    return "unscored"
