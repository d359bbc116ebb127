"""Tables of counts that datadose and its peers are asked about: doses, affected, asked.

Figures from the peers' own documentation and tests (facts, with their source), and pooled counts of
simulated studies, clustered by seed, arm and question, whose making is `calibrate.simulate`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from calibrate import SHAPES, Cell, simulate

BMDS = "pybmds"
TESTS = "pybmds, tests/test_pybmds"


@dataclass(frozen=True)
class Table:
    name: str
    source: str
    doses: tuple[float, ...]
    affected: tuple[int, ...]
    asked: tuple[int, ...]


def _same(n: int, doses: tuple[float, ...]) -> tuple[int, ...]:
    return (n,) * len(doses)


FIVE = (0.0, 25.0, 75.0, 125.0, 200.0)
FIFTIES = (0.0, 50.0, 100.0, 150.0, 200.0)
SELENIUM = (0.0, 100.0, 200.0, 300.0, 400.0, 500.0)
TWO_CHOICES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0)

PUBLISHED = (
    Table(
        "quickstart",
        f"{BMDS} documentation, quickstart",
        (0, 10, 50, 150, 400),
        (0, 3, 7, 11, 15),
        (25, 25, 24, 24, 24),
    ),
    Table(
        "recipe",
        f"{BMDS} documentation, dichotomous data",
        FIVE,
        (0, 1, 7, 15, 19),
        _same(20, FIVE),
    ),
    Table(
        "trend 2", f"{BMDS} documentation, batch_catt.csv 2", FIVE, (0, 1, 2, 1, 2), _same(20, FIVE)
    ),
    Table(
        "trend 3", f"{BMDS} documentation, batch_catt.csv 3", FIVE, (0, 1, 3, 6, 8), _same(20, FIVE)
    ),
    Table("batch 1", f"{BMDS} documentation, batch.csv 1", (0, 0.5, 1), (0, 3, 5), (5, 5, 5)),
    Table(
        "batch 2",
        f"{BMDS} documentation, batch.csv 2",
        (0, 0.33, 0.67, 1),
        (0, 0, 4, 5),
        (5, 5, 5, 5),
    ),
    Table(
        "litters pooled",
        f"{BMDS} documentation, nested dichotomous data, summed over litters",
        (0, 25, 50, 100),
        (17, 36, 45, 56),
        (121, 116, 114, 105),
    ),
    Table(
        "Rao-Scott",
        f"{BMDS} documentation, example-rao-scott.csv",
        (0, 7, 35, 100, 175, 350, 500),
        (11, 6, 2, 7, 14, 39, 57),
        (470, 211, 232, 220, 241, 237, 166),
    ),
    Table(
        "ddataset", f"{TESTS}/conftest.py", (0, 1.96, 5.69, 29.75), (5, 1, 3, 14), (75, 49, 50, 49)
    ),
    Table("ddataset2", f"{TESTS}/conftest.py", FIFTIES, (0, 5, 30, 65, 90), _same(100, FIFTIES)),
    Table("tumor 2", f"{TESTS}/conftest.py", FIFTIES, (5, 10, 33, 67, 93), _same(100, FIFTIES)),
    Table("tumor 3", f"{TESTS}/conftest.py", FIFTIES, (1, 68, 78, 88, 98), _same(100, FIFTIES)),
    Table(
        "turns back",
        f"{TESTS}/conftest.py",
        (0, 10, 20, 40, 80, 120),
        (0, 0, 3, 4, 6, 0),
        (10,) * 6,
    ),
    Table(
        "tumor 4", f"{TESTS}/models/test_multi_tumor.py", FIVE, (0, 0, 1, 7, 11), _same(20, FIVE)
    ),
    Table(
        "p of one",
        f"{TESTS}/models/test_dichotomous.py",
        (0, 10, 30, 100),
        (0, 0, 8, 20),
        (20,) * 4,
    ),
    Table(
        "two choices",
        "psignifit documentation, basic usage; levels in thousandths",
        TWO_CHOICES,
        (45, 50, 44, 44, 52, 53, 62, 64, 76, 79, 88, 90, 90),
        _same(90, TWO_CHOICES),
    ),
    Table(
        "Finney",
        "robustmargin documentation; Finney 1971",
        (0, 2.6, 3.8, 5.1, 7.7, 10.2),
        (0, 6, 16, 24, 42, 44),
        (49, 50, 48, 46, 49, 50),
    ),
    Table(
        "selenium a",
        "robustmargin documentation; `selenium` of R's drc",
        SELENIUM,
        (3, 40, 31, 85, 102, 112),
        (151, 146, 116, 159, 150, 140),
    ),
    Table(
        "selenium b",
        "robustmargin documentation; `selenium` of R's drc",
        SELENIUM,
        (2, 30, 59, 82, 62, 85),
        (141, 153, 142, 139, 154, 155),
    ),
)


def simulated() -> tuple[Table, ...]:
    """One study of every shape, three seeds x 200 questions, wrong answers pooled by dose."""
    made = []
    for shape in SHAPES:
        cell = Cell(shape, 5, 3)
        block, _ = simulate(cell, np.random.default_rng([cell.number, 0]))
        wrong = (1 - block.rate).sum(axis=(0, 2))
        doses = tuple(float(d) for d in block.doses)
        n = block.rate.shape[0] * block.rate.shape[2]
        made.append(
            Table(
                f"simulated {shape}",
                "calibrate.simulate, study 0 of its cell (5 doses, 3 seeds)",
                doses,
                tuple(round(float(w)) for w in wrong),
                _same(n, doses),
            )
        )
    return tuple(made)
