"""Does the corrector restore wrong answers, and does it leave right ones alone?

Facts of the packs are rendered as a reference text in the wordings of their probes. A corrector is
trained on the right rows of half of the facts, made wrong by `corruption.wrong_answer` (another
row's value, a number by rule). It is asked about every row of the other half, once with its right
answer and once with each kind of the pack's own written wrong answers, which no rule made. The
margin from which an answer is changed comes from facts held out of the training half: nothing here
is set on what is reported. Rates have exact limits for clusters (facts); what is finished stays in
--work.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datadose._core import generator
from datadose.cleaning import Corrector, Passage, Proposal, propose, train_corrector
from datadose.curves import clustered_share
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import fill, make_rows
from datadose.schema import Message, PoolItem, Row

KINDS = ("right", "subtle", "obvious")
WAYS = ("found", "given", "absent")


@dataclass(frozen=True)
class Case:
    """One row put to the corrector: its item, the answer it came with, and of which kind."""

    item: PoolItem
    answer: str
    kind: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packs", nargs="+", default=["health", "legal", "finance"])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="so many test facts of each pack")
    parser.add_argument("--work", type=Path, default=Path("runs/correction"))
    parser.add_argument("--out", type=Path)
    o = parser.parse_args()
    base = load_base(o.model)
    passages: list[Passage] = []
    trusted: list[PoolItem] = []
    tested: list[PoolItem] = []
    for name in o.packs:
        pack = load_pack(name)
        passages += [
            Passage(f.id, " ".join(f"{q.ask} {fill(q.option, f.correct)}" for q in f.probes))
            for f in pack.facts
        ]
        order = generator(o.seed, "correction", name).permutation(len(pack.facts)).tolist()
        half = len(order) // 2
        known = {pack.facts[i].id for i in order[:half]}
        asked = {pack.facts[i].id for i in order[half:][: o.limit]}
        trusted += [i for i in pack.pool.items if i.fact in known]
        tested += [i for i in pack.pool.items if i.fact in asked]
    corrector = train_corrector(
        base,
        rows_of([Case(i, i.correct, "right") for i in trusted]),
        passages,
        o.work / "-".join([*o.packs, o.model, str(o.seed)]),
        seed=o.seed,
    )
    print(f"{corrector.pairs} pairs, margin {corrector.margin:.2f} nats", flush=True)
    cases = [
        Case(item, {"right": item.correct, "subtle": item.subtle[k % len(item.subtle)],
                    "obvious": item.obvious[k % len(item.obvious)]}[kind], kind)
        for k, item in enumerate(tested)
        for kind in KINDS
    ]  # fmt: skip
    own = {p.id: p for p in passages}
    found = {}
    for way in WAYS:
        shown = [evidence(corrector, case, way, own) for case in cases]
        found[way] = propose(base, corrector, rows_of(cases), passages=shown)
        print(table(cases, found[way])[0], flush=True)
    lines = page(o, corrector, cases, found, len(trusted))
    print("\n".join(lines))
    if o.out:
        o.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of(cases: Sequence[Case]) -> tuple[Row, ...]:
    return make_rows(
        [
            (
                Message(role="user", content=c.item.prompt),
                Message(role="assistant", content=c.answer),
            )
            for c in cases
        ],
        [c.item.fact for c in cases],
    )  # fmt: skip


def evidence(
    corrector: Corrector, case: Case, way: str, own: dict[str, Passage]
) -> tuple[Passage, ...]:
    """found: what retrieval gives. given: the fact's own passage (oracle). absent: what retrieval
    gives where the fact's own passage is not in the reference."""
    if way == "given":
        return (own[case.item.fact],)
    best = corrector.reference.best(case.item.prompt, corrector.evidence + 1)
    if way == "absent":
        best = tuple(p for p in best if p.id != case.item.fact)
    return best[: corrector.evidence]


def table(
    cases: Sequence[Case], proposals: Sequence[Proposal | None]
) -> tuple[dict[str, int], dict[str, tuple[str, str, str]]]:
    """Counts, and for each kind its rows' cells: restored (or unchanged), changed, rates."""
    good: dict[str, dict[str, list[bool]]] = {k: defaultdict(list) for k in KINDS}
    moved: dict[str, dict[str, list[bool]]] = {k: defaultdict(list) for k in KINDS}
    counts: dict[str, int] = defaultdict(int)
    for case, p in zip(cases, proposals, strict=True):
        after = case.answer if p is None else p.answer
        right = plain(after) == plain(case.item.correct)
        good[case.kind][case.item.fact].append(right)
        moved[case.kind][case.item.fact].append(p is not None)
        counts[f"{case.kind} {'right' if right else 'wrong'} {'moved' if p else 'left'}"] += 1
    cells = {
        k: (share(good[k]), share(moved[k]), str(sum(map(len, good[k].values())))) for k in KINDS
    }
    return dict(counts), cells


def share(clusters: dict[str, list[bool]]) -> str:
    s = clustered_share(
        np.array([sum(v) for v in clusters.values()]), np.array([len(v) for v in clusters.values()])
    )
    return f"{s.rate:.3f} ({s.lower:.3f} to {s.upper:.3f})"


def plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def page(o, corrector, cases, found, trusted) -> list[str]:  # type: ignore[no-untyped-def]
    facts = len({c.item.fact for c in cases})
    lines = [
        "# Correction given evidence",
        "",
        f"`python benchmarks/correction.py --packs {' '.join(o.packs)} --seed {o.seed}` printed"
        f" this page with {o.model}. {trusted} right rows of half of the facts gave"
        f" {corrector.pairs}"
        f" pairs to train on and {corrector.held_out} that set the margin"
        f" ({corrector.margin:.2f} nats). Asked: {facts} other facts, each row with its right"
        " answer, a subtle wrong one and an obvious one. Limits: 95%, facts as clusters.",
        "",
        "| evidence | given answer | rows | right afterwards | changed |",
        "|---|---|---|---|---|",
    ]
    words = {
        "found": "found by retrieval",
        "given": "the fact's own passage",
        "absent": "not in the reference",
    }
    for way in WAYS:
        _, cells = table(cases, found[way])
        lines += [
            f"| {words[way]} | {kind} | {cells[kind][2]} | {cells[kind][0]} | {cells[kind][1]} |"
            for kind in KINDS
        ]
    lines += [
        "",
        "Copying the input: 1.000 of right answers right, 0.000 of wrong ones.",
        "",
    ]
    return lines


if __name__ == "__main__":
    main()
