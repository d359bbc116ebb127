"""datadose beside pybmds, psignifit and robustmargin, in one run: `make oracles`.

Part one: single models on at least 20 tables, same model, bounds, priors and level. The oracles'
answers go to tests/golden/oracles.json, which the tests compare with and no peer is installed for.
Part two: coverage on clustered data whose truth is known, into tests/golden/oracles-coverage.json.
Both fill docs/results/oracles.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from _ask import ORACLES, ROOT, ask, python_of, versions
from _coverage import coverage
from _match import ALPHA, Question, own_answer, reasons
from _page import page
from tables import PUBLISHED, Table, simulated

GOLDEN = ROOT / "tests" / "golden"
PAGE = ROOT / "docs" / "results" / "oracles.md"
COMMAND = "make oracles"
DIGITS = 7


def main() -> None:
    """Ask every oracle, compare, write the golden files and the page."""
    args = _arguments()
    missing = [o for o in ORACLES if not python_of(o).exists()]
    if missing:
        sys.exit(f"not installed: {', '.join(missing)}; run: make oracles")
    GOLDEN.mkdir(exist_ok=True)
    if args.part in ("both", "tables"):
        write("oracles.json", compare_tables((*PUBLISHED, *simulated())))
    if args.part in ("both", "coverage"):
        write("oracles-coverage.json", coverage(args.studies, args.minutes) | {"command": COMMAND})
    golden, covered = (read(f) for f in ("oracles.json", "oracles-coverage.json"))
    text = page(golden, covered)
    PAGE.write_text(text, "utf-8")
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=["both", "tables", "coverage", "page"], default="both")
    parser.add_argument("--studies", type=int, default=60, help="simulated studies per shape")
    parser.add_argument(
        "--minutes", type=float, default=15, help="at most, for an oracle's studies of one shape"
    )
    return parser.parse_args()


def write(name: str, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (GOLDEN / name).write_text(text + "\n", "utf-8")


def read(name: str) -> dict[str, Any]:
    path = GOLDEN / name
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def questions(table: Table) -> list[Question]:
    """What is asked of a table: every model and definition that an oracle shares with us."""
    made = []
    for model in ("logistic", "probit"):
        made.append(Question("pybmds", model, "extra", 0.1, 0.0, 1.0))
        made.append(Question("psignifit", model, "range", 0.5, floor_of(table), 1.0))
    for model in ("log-logistic", "weibull", "quantal-linear"):
        made.append(Question("pybmds", model, "extra", 0.1, None, 1.0))
    for model, lower in (("logistic", 0.0), ("weibull", None)):
        made.append(Question("pybmds", model, "added", 0.1, lower, 1.0))
    made.append(Question("robustmargin", "logistic", "range", 0.5, 0.0, 1.0, 1e-6))
    # robustmargin takes a control without failures out of the fit, so its level is then fixed
    level = 0.0 if table.doses[0] == 0 and table.affected[0] == 0 else None
    for model in ("log-logistic", "weibull"):
        made.append(Question("robustmargin", model, "extra", 0.1, level, 1.0, 1e-6))
    return made


def floor_of(table: Table) -> float:
    """The guess rate is known where there are two choices."""
    return 0.5 if table.name == "two choices" else 0.0


def compare_tables(tables: tuple[Table, ...]) -> dict[str, Any]:
    began = time.perf_counter()
    asked = [(t, q) for t in tables for q in questions(t)]
    answers: list[dict[str, Any]] = []
    for oracle in ORACLES:
        pairs = [(t, q) for t, q in asked if q.oracle == oracle]
        got = ask(oracle, [job_of(t, q) for t, q in pairs])
        for (t, q), found in zip(pairs, got, strict=True):
            answers.append(row_of(t, q, found[0]))
    return {
        "command": COMMAND,
        "versions": versions(),
        "level": 1 - ALPHA,
        "seconds": round(time.perf_counter() - began),
        "tables": [asdict(t) for t in tables],
        "answers": answers,
    }


def job_of(table: Table, q: Question) -> dict[str, Any]:
    return {
        "kind": "single",
        "models": [q.model],
        "doses": table.doses,
        "affected": table.affected,
        "asked": table.asked,
        "risk": q.risk,
        "response": q.response,
        "alpha": ALPHA,
        "lower": q.lower,
        "upper": q.upper,
    }


def row_of(table: Table, q: Question, theirs: dict[str, Any]) -> dict[str, Any]:
    """An answer, our own beside it, and why they differ where they do."""
    row: dict[str, Any] = {"table": table.name, **asdict(q)}
    if "failure" in theirs:
        return row | {"failure": theirs["failure"]}
    own = own_answer(q, table.doses, table.affected, table.asked, limits=q.oracle != "psignifit")
    for key in ("bmd", "bmdl", "bmdu", "log_likelihood"):
        row[key] = rounded(theirs.get(key))
    row["own"] = {k: rounded(getattr(own, k)) for k in ("bmd", "bmdl", "bmdu")}
    row["own"]["log_likelihood"] = rounded(own.fit.log_likelihood)
    if q.oracle == "psignifit":
        # a posterior interval under flat priors is another definition than a profile limit
        row["bmdl"] = row["bmdu"] = None
    why = reasons(q, table, own, row)
    return row | ({"unmatched": why} if why else {})


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


if __name__ == "__main__":
    main()
