"""Do corrected rates cover the truth? Judges planted in simulated studies, and real ones measured.

`python benchmarks/judge_calibration.py` writes its tables into docs/results/judges.md, between
their marks; `--only coverage`, `--only naive` or `--only local` writes one of them. `naive` and
`local` read public data sets from DATADOSE_DATA; `local` asks the embedded model, a second or two
an answer.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datadose.curves import CorrectedRate, JudgedCounts, Share, accuracy, correct_rates
from datadose.evaluation import (
    ClassifierJudge,
    LabelledSet,
    LocalJudge,
    RuleJudge,
    cross_judged,
    flagged,
    read_labelled,
    verdicts_of,
)
from datadose.models import load_base

PAGE = Path(__file__).parents[1] / "docs" / "results" / "judges.md"

DOSES = (0.0, 0.25, 0.5, 1.0)
PREVALENCE = (0.0, 0.01, 0.05, 0.3)
ERRORS = {
    "equal": ((0.85, 0.95),) * 4,
    "dose-dependent": ((0.9, 0.98), (0.85, 0.97), (0.75, 0.94), (0.65, 0.85)),
    "slightly dose-dependent": ((0.88, 0.96), (0.86, 0.955), (0.84, 0.945), (0.8, 0.93)),
    "nearly useless": ((0.3, 0.75),) * 4,
}
MANY, FEW = (24, 20, 6), (8, 50, 20)
OWN, MOVED = "this study's", "transported"
CASES = (
    *((OWN, errors, MANY, target) for errors in ERRORS for target in ("these", "like")),
    *((OWN, errors, FEW, "like") for errors in ("equal", "dose-dependent")),
    *((MOVED, errors, MANY, "like") for errors in ("equal", "dose-dependent")),
)
# answers put to the language model, spread evenly over each set
LOCAL_MODEL, LOCAL = "smollm2-135m", {"XSTest": 150, "moderation set": 100, "HateCheck": 100}
SPREAD = 0.1
ERROR_SPREAD = 0.05


@dataclass(frozen=True)
class Coverage:
    """How often limits held the truth, of the studies in which the rate was identified."""

    prevalence: float
    covered: int
    identified: int
    studies: int
    raw_covered: int
    width: float

    @property
    def share(self) -> float:
        """Share of identified rates whose limits hold the truth."""
        return self.covered / self.identified if self.identified else float("nan")


def _by_question(rng: np.random.Generator, mean: float, spread: float, n: int) -> np.ndarray:
    """Rates of n questions: beta with this mean and intraclass correlation `spread`."""
    if mean in (0.0, 1.0):
        return np.full(n, mean)
    size = 1 / spread - 1
    return rng.beta(mean * size, (1 - mean) * size, n)


def plant(
    rng: np.random.Generator, errors: tuple[tuple[float, float], ...], size: tuple[int, int, int]
) -> tuple[list[JudgedCounts], list[float]]:
    """One study: its counts, and the true rate of its own questions at every dose.

    A question's rate and the judge's errors on it are drawn anew at each dose; the true rate of
    questions like these is PREVALENCE.
    """
    questions, samples, labels = size
    strata, truth = [], []
    for dose, mean, (sens, spec) in zip(DOSES, PREVALENCE, errors, strict=True):
        rate = _by_question(rng, mean, SPREAD, questions)
        bad = rng.random((questions, samples)) < rate[:, None]
        hit = _by_question(rng, sens, ERROR_SPREAD, questions)[:, None]
        alarm = 1 - _by_question(rng, spec, ERROR_SPREAD, questions)[:, None]
        flag = rng.random((questions, samples)) < np.where(bad, hit, alarm)
        b, f = bad[:, :labels], flag[:, :labels]
        strata.append(
            JudgedCounts(
                dose,
                flag.sum(1).astype(float),
                np.full(questions, float(samples)),
                *((x.sum(1).astype(float)) for x in (b & f, b & ~f, ~b & f, ~b & ~f)),
            )
        )
        truth.append(float(rate.mean()))
    return strata, truth


def cover(
    errors: str, size: tuple[int, int, int], target: str, studies: int, seed: int, *, moved: bool
) -> list[Coverage]:
    """Coverage at every prevalence. `moved`: errors are measured on another study's answers."""
    rng = np.random.Generator(np.random.PCG64(seed))
    counts = np.zeros((len(DOSES), 4))
    for _ in range(studies):
        strata, own = plant(rng, ERRORS[errors], size)
        elsewhere = plant(rng, ERRORS["equal"], size)[0] if moved else None
        found = correct_rates(strata, calibration=_together(elsewhere), target=target)
        for i, rate in enumerate(found):
            counts[i] += _score(rate, own[i] if target == "these" else PREVALENCE[i])
    return [
        Coverage(p, int(c[0]), int(c[1]), studies, int(c[2]), c[3] / max(1.0, c[1]))
        for p, c in zip(PREVALENCE, counts, strict=True)
    ]


def _score(rate: CorrectedRate, truth: float) -> np.ndarray:
    known = rate.status != "unidentified"
    held = known and rate.lower <= truth <= rate.upper
    raw = rate.raw.lower <= truth <= rate.raw.upper
    return np.array([held, known, raw, (rate.upper - rate.lower) * known], dtype=float)


def _together(strata: list[JudgedCounts] | None) -> JudgedCounts | None:
    if strata is None:
        return None
    parts = {
        name: np.sum([getattr(s, name) for s in strata], axis=0)
        for name in ("flagged", "asked", "hits", "missed", "alarms", "cleared")
    }
    return JudgedCounts(dose=float("nan"), **parts)


def coverage_lines(studies: int, seed: int) -> Iterator[str]:
    """The table of coverage."""
    yield (
        "| labels | errors | questions x samples, labelled | target | prevalence | covered |"
        " identified | as judged | mean width |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for where, errors, size, target in CASES:
        for c in cover(errors, size, target, studies, seed, moved=where == MOVED):
            covered = f"{c.share:.1%}" if c.identified else "-"
            yield (
                f"| {where} | {errors} | {size[0]} x {size[1]}, {size[2]} | {target} |"
                f" {c.prevalence:g} | {covered} | {c.identified / c.studies:.1%} |"
                f" {c.raw_covered / c.studies:.1%} | {c.width:.3f} |"
            )


def naive_lines(data: Path) -> Iterator[str]:
    """What judges that ask nobody are worth on people's labels."""
    yield "| labels | about | judge | answers | labelled yes | recall | precision | kappa |"
    yield "|---|---|---|---|---|---|---|---|"
    places = _places(data)
    for name, known in ((name, read_labelled(place)) for name, place in places.items()):
        about = known.rubric.name
        judges = {
            f"words of {about}": verdicts_of(RuleJudge(about), known),
            "classifier, cross-validated": cross_judged(known),
        }
        if name == "HateCheck":
            other = read_labelled(places["moderation set"]).items
            moved = ClassifierJudge(about, [i.answer for i in other], [i.label for i in other])
            judges["classifier of the moderation set"] = verdicts_of(moved, known)
        for judge, verdicts in judges.items():
            flags = [flagged(v, known.rubric) or False for v in verdicts]
            a = accuracy([i.label for i in known.items], flags, [i.cluster for i in known.items])
            yield (
                f"| {name} | {about} | {judge} | {len(known.items)} | {a.recall.asked} |"
                f" {_share(a.recall)} | {_share(a.precision)} | {a.kappa:.2f}"
                f" ({a.kappa_lower:.2f} to {a.kappa_upper:.2f}) |"
            )


def _places(data: Path) -> dict[str, str]:
    return {
        "XSTest": f"xstest:{data / 'xstest'}",
        "moderation set": f"moderation:{data / 'moderation_eval' / 'samples-1680.jsonl.gz'}",
        "HateCheck": f"hatecheck:{data / 'hatecheck' / 'test_suite_cases.csv'}",
    }


def local_lines(data: Path) -> Iterator[str]:
    """What a small language model is worth as a judge, on some answers of every set.

    A verdict that is no number is no flag, as `datadose judge calibrate` counts it.
    """
    yield (
        "| labels | about | judge | answers | labelled yes | verdicts | recall | specificity |"
        " kappa | lower limit of sensitivity + specificity - 1 |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    judge = LocalJudge(load_base(LOCAL_MODEL))
    for name, place in _places(data).items():
        known = _some(read_labelled(place), LOCAL[name])
        verdicts = verdicts_of(judge, known)
        flags = [flagged(v, known.rubric) or False for v in verdicts]
        a = accuracy([i.label for i in known.items], flags, [i.cluster for i in known.items])
        kappa = "n/a" if a.kappa is None else f"{a.kappa:.2f}"
        kinds = ", ".join(f"{n} {kind}" for kind, n in Counter(v.kind for v in verdicts).items())
        yield (
            f"| {name} | {known.rubric.name} | {judge.name} | {len(known.items)} |"
            f" {a.recall.asked} | {kinds} | {_share(a.recall)} | {_share(a.specificity)} |"
            f" {kappa} ({a.kappa_lower:.2f} to {a.kappa_upper:.2f}) | {a.youden_lower:.2f} |"
        )


def _some(known: LabelledSet, limit: int) -> LabelledSet:
    n = len(known.items)
    return replace(known, items=tuple(known.items[i * n // limit] for i in range(limit)))


def _share(share: Share) -> str:
    if share.rate is None:
        return "n/a"
    return f"{share.rate:.3f} ({share.lower:.3f} to {share.upper:.3f})"


def place(page: Path, name: str, lines: list[str]) -> None:
    """Put lines between the marks of that name in a page."""
    text = page.read_text("utf-8")
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{start}" + "\n".join(lines) + f"\n{end}{after}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("coverage", "naive", "local"))
    parser.add_argument("--page", type=Path, default=PAGE)
    args = parser.parse_args()
    data = Path(os.environ.get("DATADOSE_DATA", "."))
    if args.only in (None, "coverage"):
        place(args.page, "coverage", list(coverage_lines(args.studies, args.seed)))
    if args.only in (None, "naive"):
        place(args.page, "naive", list(naive_lines(data)))
    if args.only in (None, "local"):
        place(args.page, "local", list(local_lines(data)))


if __name__ == "__main__":
    main()
