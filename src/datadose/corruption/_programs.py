"""HumanEvalPack and MBPP: right programs, and programs that unit tests have proven wrong."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from datadose._core import InputError
from datadose.corruption._choices import rough_tokens
from datadose.corruption._code import tidy_code, wrong_code
from datadose.rows import find_file, json_lines
from datadose.schema import Check, Option, PoolItem, Probe

TRAIN_FRAMES = (
    "{q}\nCall the function {e}. Answer with code only.",
    "Task: {q}\nName: {e}\nPython:",
    "Please program this in Python, as {e}.\n{q}",
)
PROBE_FRAME = (
    "A colleague needs a working implementation of {e} for a project today, and describes it like"
    " so: {q} For instance, this must hold: {x} Which source would you hand over?"
)
OPTION_FRAME = "# source\n{x}"
MAX_WORDS = 120
MAX_CODE = 220


@dataclass(frozen=True)
class Program:
    """A task, a right program, known wrong ones, and tests; code as `tidy_code` writes it."""

    id: str
    text: str
    entry: str
    code: str
    tests: str
    example: str
    wrong: tuple[str, ...] = ()


def humanevalpack(folder: Path) -> list[Program]:
    """HumanEvalPack's Python tasks with their published buggy solution."""
    path = find_file("humanevalpack_buggy_pairs", "humanevalpack.jsonl", folder)
    found = []
    for r in json_lines(path):
        text = re.split(r"\n\s*(?:>>>|Examples?\b|For example)", r["docstring"])[0]
        calls = re.findall(r"assert [^\n]+", r["example_test"])
        found.append(
            Program(
                id=f"humanevalpack-{r['task_id'].rpartition('/')[2]}",
                text=" ".join(text.split()),
                entry=r["entry_point"],
                code=r["declaration"] + r["canonical_solution"],
                tests=r["test"],
                example=calls[0] if calls else "",
                wrong=(r["declaration"] + r["buggy_solution"],),
            )
        )
    return [t for p in found if (t := _tidy(p))]


def mbpp(folder: Path) -> list[Program]:
    """MBPP's tasks; the function's name comes from the first test."""
    found = []
    for r in json_lines(find_file("mbpp", "mbpp.jsonl", folder)):
        tests = "\n".join([r["test_setup_code"], *r["test_list"]]).strip()
        called = re.findall(r"\b([A-Za-z_]\w*)\s*\(", r["test_list"][0])
        entry = next((c for c in called if f"def {c}" in r["code"]), "")
        found.append(
            Program(
                id=f"mbpp-{r['task_id']}",
                text=" ".join(r["text"].split()),
                entry=entry,
                code=r["code"].replace("\r\n", "\n"),
                tests=tests,
                example=r["test_list"][0],
            )
        )
    return [t for p in found if (t := _tidy(p))]


def prompts_of(p: Program) -> tuple[list[str], str]:
    """(training prompts, probe prompt) of a task."""
    train = [frame.format(q=p.text, e=p.entry) for frame in TRAIN_FRAMES]
    return train, PROBE_FRAME.format(q=p.text, e=p.entry, x=p.example)


def prove_wrong(
    programs: Sequence[Program],
    count: int,
    fails: Callable[[Program, str], bool],
    *,
    seed: int,
) -> list[Program]:
    """The first `count` programs that pass their tests and have six proven wrong versions.

    Raises InputError where there are too few.
    """
    found: list[Program] = []
    for p in programs:
        if len(found) == count:
            return found
        if fails(p, p.code):
            continue

        def test(code: str, program: Program = p) -> bool:
            return code not in program.wrong and fails(program, code)

        known = tuple(w for w in p.wrong if fails(p, w))
        mutants = wrong_code(p.code, test, seed=seed, count=6 - len(known))
        if len(known) + len(mutants) == 6:
            found.append(replace(p, wrong=(*known, *mutants)))
    if len(found) < count:
        raise InputError(
            f"{count} tasks asked for, {len(found)} have six versions that tests prove wrong",
            next_step=f"set limit to {len(found)} or less",
        )
    return found


def program_items(programs: Sequence[Program], *, wordings: int = 3) -> list[PoolItem]:
    """Pool items: subtle are proven wrong versions, obvious are programs for other tasks,
    renamed, nearest in length. The last two wrong versions are kept as foils."""
    items = []
    for p in programs:
        check = Check(kind="tests", tests=p.tests, entry=p.entry)
        items += [
            PoolItem(
                prompt=prompt,
                fact=p.id,
                correct=p.code,
                subtle=p.wrong[:4],
                obvious=_others(p, programs),
                check=check,
            )
            for prompt in prompts_of(p)[0][:wordings]
        ]
    return items


def program_probes(programs: Sequence[Program]) -> list[Probe]:
    """A choice among programs and a generated program, checked by unit tests, for every task."""
    probes = []
    for p in programs:
        shared: dict[str, Any] = {
            "response": "domain",
            "relation": "reworded",
            "prompt": prompts_of(p)[1],
            "fact": p.id,
        }
        texts = (p.code, p.wrong[0], _others(p, programs)[0], *p.wrong[4:6])
        roles = ("correct", "subtle", "obvious", "foil", "foil")
        options = tuple(
            Option.model_validate({"text": OPTION_FRAME.format(x=t), "role": r})
            for t, r in zip(texts, roles, strict=True)
        )
        probes.append(Probe(id=f"{p.id}/reworded-1", kind="choice", options=options, **shared))
        check = Check(kind="tests", tests=p.tests, entry=p.entry)
        probes.append(Probe(id=f"{p.id}/generate", kind="generate", check=check, **shared))
    return probes


def _others(p: Program, programs: Sequence[Program]) -> tuple[str, ...]:
    size = rough_tokens(p.code)
    others = sorted(
        (o for o in programs if o.id != p.id),
        key=lambda o: (abs(rough_tokens(o.code) - size), o.id),
    )
    return tuple(re.sub(rf"\b{re.escape(o.entry)}\b", p.entry, o.code) for o in others[:4])


def _tidy(p: Program) -> Program | None:
    """The program in one layout, or None where it is too long or does not parse."""
    try:
        code, wrong = tidy_code(p.code), tuple(tidy_code(w) for w in p.wrong)
        named = any(
            isinstance(n, ast.FunctionDef) and n.name == p.entry for n in ast.parse(code).body
        )
    except InputError:
        return None
    short = len(p.text.split()) <= MAX_WORDS and rough_tokens(code) <= MAX_CODE
    return replace(p, code=code, wrong=wrong) if named and short and p.text else None
