"""Public benchmarks as paired pools with probes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from datadose._core import InputError, UsageError, generator
from datadose.corruption._benchmarks import medmcqa, mmlu, truthfulqa
from datadose.corruption._choices import (
    TRAIN_FRAMES,
    ChoiceQuestion,
    choice_items,
    choice_probes,
    reframe,
    rough_tokens,
    split_questions,
    usable,
)
from datadose.corruption._programs import (
    humanevalpack,
    mbpp,
    program_items,
    program_probes,
    prompts_of,
    prove_wrong,
)
from datadose.corruption._tatqa import computed_items, computed_probes, read_computed
from datadose.rows import near_duplicates, word_set
from datadose.schema import Pool, PoolItem, Probe

NAMES = ("humanevalpack", "mbpp", "medmcqa", "mmlu:SUBJECT[+SUBJECT]", "tatqa", "truthfulqa")
OVERLAP = 0.85
ALIKE = 0.8
UNTRAINED = 60
RESERVE = 600
PROGRAMS = 40


@dataclass(frozen=True)
class ImportedPool:
    """A benchmark as a paired pool, and the probes that go with it."""

    pool: Pool
    probes: tuple[Probe, ...]


def import_pool(
    name: str,
    folder: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    wordings: int = 3,
    fails: Callable[[str, str, str], bool] | None = None,
    count_tokens: Callable[[str], int] = rough_tokens,
) -> ImportedPool:
    """The benchmark `name`, whose files lie in `folder`, as a pool of `limit` questions.

    Each question is a fact with `wordings` training prompts (1 to 3) and a reworded choice. A
    benchmark has one wording of its own, so prompts and probes differ in frame, order and what
    stands around the question; a question whose training prompt shares 0.85 of its words with
    any probe (Jaccard) is left out, well under the 0.9 at which the guard stops an arm.
    `fails(code, tests, entry)` says whether tests reject a program; without it they run in the
    sandbox. Files are checked by sha256. Raises UsageError for an unknown name, InputError for
    absent or other files and for a limit that can't be met.
    """
    folder = Path(folder)
    if name in ("humanevalpack", "mbpp"):
        pool, probes = _programs(name, folder, limit, seed, wordings, fails)
    elif name == "tatqa":
        pool, probes = _computed(folder, limit, seed, wordings)
    else:
        questions = [q for q in _questions(name, folder) if usable(q, count_tokens=count_tokens)]
        pool, probes = _choices(questions, limit, seed, wordings, count_tokens)
    label = name.replace(":", "-").replace("+", "-")
    kept, asked = _without_overlap(pool, probes)
    return ImportedPool(Pool(name=label, items=tuple(kept)), tuple(asked))


def _questions(name: str, folder: Path) -> list[ChoiceQuestion]:
    kind, _, subjects = name.partition(":")
    if kind == "medmcqa" and not subjects:
        return medmcqa(folder)
    if kind == "truthfulqa" and not subjects:
        return truthfulqa(folder)
    if kind == "mmlu" and subjects:
        return mmlu(folder, subjects)
    raise UsageError(
        f"no benchmark is called {name!r}", next_step=f"choose from: {', '.join(NAMES)}"
    )


Made = tuple[Sequence[PoolItem], Sequence[Probe]]


def _choices(
    questions: Sequence[ChoiceQuestion],
    limit: int | None,
    seed: int,
    wordings: int,
    count_tokens: Callable[[str], int],
) -> Made:
    clean = _apart(questions)
    trained, reserve = split_questions(clean, limit, seed)
    items = choice_items(trained, wordings=wordings, count_tokens=count_tokens, seed=seed)
    return items, choice_probes(
        items, trained, reserve[:RESERVE], untrained=UNTRAINED, count_tokens=count_tokens, seed=seed
    )


def _apart(questions: Sequence[ChoiceQuestion]) -> list[ChoiceQuestion]:
    """The questions that the overlap rule will keep: no two alike, none too long to reframe."""
    own = [q for q in questions if not _like_its_probe(q)]
    texts = [q.text for q in own]
    later = {j for i, j, _ in near_duplicates(texts, texts, ALIKE) if i < j}
    return [q for n, q in enumerate(own) if n not in later]


def _like_its_probe(q: ChoiceQuestion) -> bool:
    asked = word_set(reframe(q))
    trained = [word_set(frame.format(q=q.text, s=q.subject)) for frame in TRAIN_FRAMES]
    return any(len(asked & t) >= OVERLAP * len(asked | t) for t in trained)


def _computed(folder: Path, limit: int | None, seed: int, wordings: int) -> Made:
    found = read_computed(folder)
    order = generator(seed, "tatqa").permutation(len(found)).tolist()
    kept = []
    for i in order:
        q = found[i]
        item = computed_items(q, wordings=wordings, seed=seed)
        probe = computed_probes(q, seed=seed)[0]
        if not near_duplicates([x.prompt for x in item], [probe.prompt], OVERLAP):
            kept.append(q)
    size = len(kept) * 7 // 10 if limit is None else limit
    if not 1 <= size <= len(kept):
        raise InputError(
            f"{size} questions asked for, {len(kept)} can be used", next_step="set a lower limit"
        )
    items = [x for q in kept[:size] for x in computed_items(q, wordings=wordings, seed=seed)]
    probes = [p for q in kept[:size] for p in computed_probes(q, seed=seed)]
    fresh = [p for q in kept[size : size + UNTRAINED] for p in computed_probes(q, trained=False)]
    return items, [*probes, *fresh]


def _programs(
    name: str,
    folder: Path,
    limit: int | None,
    seed: int,
    wordings: int,
    fails: Callable[[str, str, str], bool] | None,
) -> Made:
    test = fails or sandbox_fails
    found = humanevalpack(folder) if name == "humanevalpack" else mbpp(folder)
    order = generator(seed, name).permutation(len(found)).tolist()
    shown = [found[i] for i in order]
    kept = []
    for p in shown:
        train, probe = prompts_of(p)
        if not near_duplicates(train, [probe], OVERLAP):
            kept.append(p)
    chosen = prove_wrong(
        kept, limit or PROGRAMS, lambda p, code: test(code, p.tests, p.entry), seed=seed
    )
    return program_items(chosen, wordings=wordings), program_probes(chosen)


def sandbox_fails(code: str, tests: str, entry: str) -> bool:
    """Whether the tests reject this code, run in the sandbox.

    Raises SandboxMissing without one, InputError where the sandbox itself failed to start.
    """
    from datadose.sandbox import run_tests

    result = run_tests(code, tests, entry, timeout=3.0)
    if result.outcome == "error":
        raise InputError(f"the sandbox did not start: {result.stderr[:200]}")
    return not result.ok


def _without_overlap(
    items: Sequence[PoolItem], probes: Sequence[Probe]
) -> tuple[list[PoolItem], list[Probe]]:
    """Items and probes less the facts whose prompts are too like another's probe."""
    near = near_duplicates([i.prompt for i in items], [p.prompt for p in probes], OVERLAP)
    bad = {items[i].fact for i, _, _ in near}
    kept = [i for i in items if i.fact not in bad]
    return kept, [p for p in probes if p.fact not in bad or p.fact is None]
