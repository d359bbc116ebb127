"""Answers in the model's own words, generated in batches, and their checks."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datadose.evaluation._decode import generate_ids
from datadose.models import BaseModel, chat, encode_prompt
from datadose.sandbox import available, run_tests
from datadose.schema import Check, Message, Outcome, OutcomeKind, Probe


def generate(
    base: BaseModel,
    prompts: Sequence[str],
    *,
    system: str | None = None,
    max_tokens: int = 32,
    temperature: float = 0,
    seed: int = 0,
) -> list[str]:
    """Answers in order; `temperature`, `seed` and what hangs on the batch as in `generate_ids`."""
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
    prompts = [encode_prompt(base, turns) for turns in chats]
    texts = generate_ids(base, prompts, max_tokens=max_tokens, temperature=temperature, seed=seed)
    return [text.strip() for text in texts]


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
    # processor time decides, so that a verdict does not hang on what else the machine does
    result = run_tests(extract_code(text), check.tests, check.entry, timeout=20.0, cpu=5)
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
