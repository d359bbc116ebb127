"""Is damaged form restored, and is any fact touched?

Answers of several sentences are made of three right answers of a pack each (every fourth with a
block of code besides) and damaged by rule. Half of the facts teach the rewriter, the other half's
answers are asked, damaged and as they are. Beside it: the rules alone, and copying the input.
The damage and the rules are by the same hand, so the rules' figures say that they do what they
should, not how much of the web's damage they mend. What is finished stays in --work.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from datadose._core import generator
from datadose.cleaning import (
    better_form,
    changed_facts,
    damaged,
    rewrite,
    tidy_form,
    train_rewriter,
)
from datadose.curves import exact_limits
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import make_rows
from datadose.schema import Message, Row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", default="health")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--asked", type=int, default=60, help="answers, damaged and undamaged")
    parser.add_argument("--work", type=Path, default=Path("runs/rewriting"))
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    pack = load_pack(o.pack)
    facts = [pack.facts[i].id for i in generator(o.seed, "form").permutation(len(pack.facts))]
    half = set(facts[: len(facts) // 2])
    good = long_rows(o.pack, half, True)
    asked = long_rows(o.pack, half, False)[: o.asked]
    rng = generator(o.seed, "asked")
    broken = [with_answer(r, damaged(r.answer, rng)) for r in asked]
    base = load_base(o.model)
    adapter = train_rewriter(base, (), good, o.work / f"{o.pack}-{o.model}-{o.seed}", seed=o.seed)
    lines = [
        "# Rewriting form",
        "",
        f"`python benchmarks/rewriting.py --pack {o.pack} --seed {o.seed}` wrote this page with",
        f"{o.model}: {len(good)} good rows of half of the facts, {len(asked)} answers of the other",
        "half, damaged by one to three rules and as they are. Kept: nothing that counts changed",
        "(`changed_facts`). Restored: the undamaged answer, but for the size of gaps. Limits:",
        "exact, 95%. The damage and the rules are by one hand: their figures are of the rules at",
        "work, not of the web.",
        "",
        "| way | given | answers | restored | kept |",
        "|---|---|---|---|---|",
    ]
    for given, rows in (("damaged", broken), ("undamaged", asked)):
        written = rewrite(base, adapter, rows)
        by_rewriter = [text for text, _ in written]
        joined = [better_form(r, w)[0] for r, w in zip(rows, written, strict=True)]
        for way, after in (
            ("copying", [r.answer for r in rows]),
            ("rules", [tidy_form(r.answer) for r in rows]),
            ("rewriter, unchecked", by_rewriter),
            ("rewriter checked, else rules", joined),
        ):
            lines.append(line(way, given, rows, asked, after))
            print(lines[-1], flush=True)
    if o.out:
        o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def long_rows(name: str, half: set[str], inside: bool) -> list[Row]:
    """Rows of three facts' answers each, every fourth with code."""
    items = [i for i in load_pack(name).pool.items if (i.fact in half) == inside]
    code = [i.correct for i in load_pack("coding").pool.items[:: 2 if inside else 3]]
    chats = []
    for k in range(0, len(items) - 2, 2):
        a, b, c = items[k], items[(k + 5) % len(items)], items[(k + 9) % len(items)]
        text = f"{a.correct} {b.correct}\n\n{c.correct}"
        if k % 8 == 0:
            text += f"\n\n```python\n{code[k % len(code)]}\n```"
        chats.append((Message(role="user", content=f"{a.prompt} {b.prompt} {c.prompt}"),
                      Message(role="assistant", content=text)))  # fmt: skip
    return list(make_rows(chats))


def with_answer(row: Row, answer: str) -> Row:
    turns = (*row.prompt, Message(role="assistant", content=answer))
    return row.model_copy(update={"messages": turns})


def line(
    way: str, given: str, rows: Sequence[Row], right: Sequence[Row], after: Sequence[str]
) -> str:
    whole = [text.split() == r.answer.split() for text, r in zip(after, right, strict=True)]
    kept = [not changed_facts(r.answer, text) for text, r in zip(after, rows, strict=True)]
    return f"| {way} | {given} | {len(rows)} | {rate(whole)} | {rate(kept)} |"


def rate(hits: Sequence[bool]) -> str:
    low, high = exact_limits(sum(hits), len(hits))
    return f"{sum(hits) / len(hits):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
