"""Coverage on clustered data with the truth known: datadose and every oracle on the same studies.

Studies are those of `calibrate.simulate`: 50 facts x 4 wordings, 3 seeds, 5 doses, with facts that
differ in ease and slope, seeds that shift and arms with noise of their own. Every method gets what
it can use: datadose the questions, nested models and psignifit the arms (for their correlation and
overdispersion), the others counts pooled by dose.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from _ask import ask, versions
from calibrate import Cell, Truth, simulate, true_dose

from datadose.curves import Block, Spec, analyse_block

SHAPES = ("sigmoid", "linear")
DOSES, SEEDS = 5, 3
LEVEL = 0.975
SPEC = Spec("domain", "down", level=LEVEL)
# half-way between the levels is the dose of half the loss only where the curve is flat at both ends
FLAT_AT_BOTH_ENDS = ("sigmoid",)


@dataclass(frozen=True)
class Method:
    """Who is asked for what; `kind` and `use` are the job's, and what of a study goes into it."""

    name: str
    oracle: str
    threshold: str
    kind: str
    use: str


METHODS = (
    Method("datadose", "datadose", "benchmark", "profile", "questions"),
    Method("pybmds, recommended or least AIC", "pybmds", "benchmark", "recommend", "pooled"),
    Method("pybmds, Bayesian average", "pybmds", "benchmark", "average", "pooled"),
    Method("pybmds, nested logistic", "pybmds", "benchmark", "nested", "arms"),
    Method("datadose", "datadose", "ed50", "profile", "questions"),
    Method("psignifit, free levels, overdispersion", "psignifit", "ed50", "usual", "arms"),
    Method("robustmargin, logit, free levels", "robustmargin", "ed50", "single", "pooled"),
)


@dataclass
class Count:
    """Studies asked, and what came back: closed intervals, those that hold the truth, failures."""

    shape: str
    threshold: str
    method: str
    asked: int = 0
    closed: int = 0
    covered: int = 0
    above: int = 0
    below: int = 0
    died: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, true: float, low: float | None, high: float | None, died: bool) -> None:
        """`above` counts intervals that lie wholly above the truth."""
        self.asked += 1
        self.died += died
        if low is None or high is None or not 0 < low < high < np.inf:
            return
        self.closed += 1
        self.covered += low <= true <= high
        self.above += low > true
        self.below += high < true
        self.widths.append(high - low)

    def record(self) -> dict[str, Any]:
        made = asdict(self)
        widths = made.pop("widths")
        return made | {"median_width": round(float(np.median(widths)), 4) if widths else None}


def coverage(studies: int, minutes: float) -> dict[str, Any]:
    """Ask about `studies` per shape; an oracle that has had its minutes for a shape stops there."""
    began = time.perf_counter()
    counts = []
    for shape in SHAPES:
        cell = Cell(shape, DOSES, SEEDS)
        made = [simulate(cell, np.random.default_rng([cell.number, i])) for i in range(studies)]
        methods = [m for m in METHODS if m.threshold != "ed50" or shape in FLAT_AT_BOTH_ENDS]
        tallies = {m: Count(shape, m.threshold, m.name) for m in methods}
        for oracle in dict.fromkeys(m.oracle for m in methods):
            mine = [m for m in methods if m.oracle == oracle]
            if oracle == "datadose":
                count_own(mine, made, tallies)
            else:
                count_theirs(oracle, mine, made, tallies, minutes)
        counts += [t.record() for t in tallies.values()]
    return {
        "versions": versions(),
        "level": round(2 * LEVEL - 1, 3),
        "doses": DOSES,
        "seeds": SEEDS,
        "seconds": round(time.perf_counter() - began),
        "counts": counts,
    }


Study = tuple[Block, Truth]


def truth_of(study: Study, threshold: str) -> float:
    true = true_dose(study[1], threshold, 0.10 if threshold == "benchmark" else None)
    assert true is not None
    return true


def count_own(methods: list[Method], made: list[Study], tallies: dict[Method, Count]) -> None:
    for study in made:
        found = analyse_block(study[0], SPEC, extras=False).thresholds
        for m in methods:
            t = next(
                t
                for t in found
                if t.threshold == m.threshold and t.benchmark_response in (None, 0.10)
            )
            closed = t.status == "estimated"
            low, high = (t.lower, t.upper) if closed else (None, None)
            tallies[m].add(truth_of(study, m.threshold), low, high, died=False)


def count_theirs(
    oracle: str,
    methods: list[Method],
    made: list[Study],
    tallies: dict[Method, Count],
    minutes: float,
) -> None:
    pairs = [(study, m) for study in made for m in methods]
    answers = ask(oracle, [job_of(study[0], m) for study, m in pairs], seconds=60 * minutes)
    for (study, m), answer in zip(pairs, answers, strict=False):
        low, high = ends(answer[0])
        died = "failure" in answer[0]
        tallies[m].add(truth_of(study, m.threshold), low, high, died)


def ends(answer: dict[str, Any]) -> tuple[float | None, float | None]:
    """Two-sided 95%: psignifit names it, the others were asked for a one-sided 0.025."""
    if "bmdl_95" in answer:
        return answer["bmdl_95"], answer["bmdu_95"]
    return answer.get("bmdl"), answer.get("bmdu")


def job_of(block: Block, m: Method) -> dict[str, Any]:
    wrong = (1 - block.rate).sum(axis=2)
    seeds, _, questions = block.rate.shape
    doses = [float(d) for d in block.doses]
    if m.use == "arms":
        # by dose, as the nested models want their litters
        where = [(d, s) for d in range(len(doses)) for s in range(seeds)]
        table = {
            "doses": [doses[d] for d, _ in where],
            "affected": [round(float(wrong[s, d])) for d, s in where],
            "asked": [questions] * len(where),
        }
    else:
        table = {
            "doses": doses,
            "affected": [round(float(w)) for w in wrong.sum(axis=0)],
            "asked": [seeds * questions] * len(doses),
        }
    return table | {
        "kind": m.kind,
        "models": ["logistic"],
        "risk": "added" if m.threshold == "benchmark" else "range",
        "response": 0.1 if m.threshold == "benchmark" else 0.5,
        "alpha": 1 - LEVEL,
        "lower": None,
        "upper": None,
    }
