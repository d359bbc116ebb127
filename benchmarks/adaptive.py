"""Adaptive dose choice against a fixed grid of 9 doses x 3 seeds, in simulation: `make adaptive`.

Studies are simulated in the world of `make calibrate`, by `curves.Lab`. Every study is run both
ways. First the whole grid, in all studies, which gives the median width that is asked for; then
dose after dose as `datadose next` chooses with that width, on beyond its stop, up to --most arms,
so that widths at a number of arms can be told as well as where it stops. Writes a table after
every round, so that an interrupted run leaves one.

Efficiency is that of the design alone: the variance of the threshold under the true curve, with all
variances known, of the best arms that one who knows the curve could have chosen (c-optimal, by
exchange, among four seeds and 20 doses, any number of arms a seed), over that of the arms chosen.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from calibrate_studies import GRID, SHAPES, SIX, crossing
from scipy import optimize, stats
from scipy.special import expit, ndtri

from datadose.curves import SEEDS, START_SEEDS, Aim, Lab, Spec, Step, World, next_arms

WORLD = World()
USUAL, WIDE = Spec("domain", "down"), Spec("domain", "down", level=0.975)
FIXED = [(d, s) for s in range(3) for d in np.linspace(0, 1, 9).round(9).tolist()]
OPEN = 9.0
FIRST = 500_000
"""Number of the first study: lower ones were used while the rule was made."""
Arms = tuple[tuple[float, int], ...]
STEEP = ("late cliff", "sigmoid", "early drop", "U")
"""Shapes with a threshold; a straight decline has none, flat has no benchmark dose."""


@dataclass(frozen=True)
class Look:
    """A path after `arms` arms: the interval's width, and on which side it missed the truth.

    stop: why the rule ends the study here, None where it goes on.
    """

    arms: int
    seeds: int
    width: float
    low: bool
    high: bool
    covered: bool
    stop: str | None
    design: Arms


@dataclass
class Tally:
    fixed: list[Look] = field(default_factory=list)
    paths: list[list[Look]] = field(default_factory=list)

    @property
    def asked(self) -> float | None:
        """The median width of the grid, None where the median study has no limits."""
        width = float(np.median([x.width for x in self.fixed]))
        return width if width < OPEN else None


def looked(arms: list[tuple[float, int]], lab: Lab, true: float, step: Step) -> Look:
    """What `step` says of the usual limits and of stopping, and what the wider limits are."""
    wide = next_arms(lab.block(arms), WIDE, Aim(budget=len(arms)), start_seeds=1)
    width = OPEN if step.width is None else step.width
    top = OPEN if step.upper is None else step.upper
    low, high = true < (step.lower or 0.0), true > top
    far = OPEN if wide.upper is None else wide.upper
    covered = (wide.lower or 0.0) <= true <= far
    seeds = len({s for _, s in arms})
    return Look(len(arms), seeds, width, low, high, covered, step.stop, tuple(arms))


def study_of(shape: str, number: int) -> tuple[Lab, float]:
    """A study and its true threshold."""
    lab = Lab(WORLD, SHAPES[shape], [list(SHAPES).index(shape), number])
    truth = lab.truth(GRID)
    return lab, crossing(truth[0] - truth, 0.10)


def grid_of(shape: str, number: int) -> Look:
    lab, true = study_of(shape, number)
    step = next_arms(lab.block(FIXED), USUAL, Aim(budget=len(FIXED)))
    return looked(FIXED, lab, true, step)


def path_of(shape: str, number: int, width: float | None, most: int, seeds: int) -> list[Look]:
    """One study, dose after dose: as the rule goes up to its stop, and on to `most` arms."""
    lab, true = study_of(shape, number)
    arms = [(d, s) for s in range(seeds) for d in (0.0, 0.5, 1.0)]
    path: list[Look] = []
    aim = Aim(width=width, budget=most)
    while True:
        step = next_arms(lab.block(arms), USUAL, aim, start_seeds=seeds)
        path.append(looked(arms, lab, true, step))
        if step.stop == "width":
            aim = Aim(budget=most)
            step = next_arms(lab.block(arms), USUAL, aim, start_seeds=seeds)
        if step.stop is not None:
            return path
        arms += [(d, int(s)) for d, s in step.arms]


def at_equal_width(tally: Tally, width: float, most: int) -> int | None:
    """The fewest arms after which the median width over studies is at most `width`.

    An interval of fewer seeds than the rule accepts counts as open.
    """
    for arms in range(min(p[0].arms for p in tally.paths), most + 1):
        last = [[x for x in p if x.arms <= arms][-1:] for p in tally.paths]
        widths = [w[0].width if w and w[0].seeds >= SEEDS else OPEN for w in last]
        if np.median(widths) <= width:
            return arms
    return None


def stopped(path: list[Look]) -> Look:
    return next(x for x in path if x.stop is not None)


@dataclass(frozen=True)
class Local:
    """The four-number curve closest to a shape, and how its benchmark dose goes with them."""

    theta: np.ndarray
    kind: str
    towards: np.ndarray


def curve(kind: str, theta: np.ndarray, dose: np.ndarray) -> np.ndarray:
    level, change, place, slope = theta
    k, x = np.exp(slope), np.maximum(dose, 1e-9)
    if kind == "logistic":
        return level - change * (expit(k * (x - place)) - expit(-k * place))
    with np.errstate(over="ignore"):
        return level - change * -np.expm1(-np.log(2) * (x / np.exp(place)) ** k)


def local(shape: str) -> Local:
    """Fitted by least squares up to the worst dose, to which the engine fits as well."""
    rate = SHAPES[shape](GRID)
    part = GRID[int(rate.argmin())] >= GRID
    best: tuple[float, str, np.ndarray] | None = None
    for kind, places in (("logistic", (0.2, 0.5, 0.7)), ("weibull", (-2.0, -1.0, 0.0))):
        for place in places:
            for slope in (0.0, 1.0, 2.5, 3.5):

                def off(theta: np.ndarray, kind: str = kind) -> np.ndarray:
                    return curve(kind, theta, GRID[part]) - rate[part]

                found = optimize.least_squares(
                    off, [0.8, 0.6, place, slope], bounds=([0, 0, -4, -1], [1, 2, 2, 5])
                )
                if best is None or found.cost < best[0]:
                    best = found.cost, kind, found.x
    assert best is not None
    _, kind, theta = best
    fine = np.linspace(0, 1, 4001)

    def benchmark(theta: np.ndarray) -> float:
        lost = curve(kind, theta, np.zeros(1))[0] - curve(kind, theta, fine)
        return float(np.interp(0.10, lost, fine))

    return Local(theta, kind, gradient(benchmark, theta))


def gradient(f, theta: np.ndarray) -> np.ndarray:
    steps = 1e-3 * np.eye(len(theta))
    return np.array([(f(theta + h) - f(theta - h)) / 2e-3 for h in steps])


class Precision:
    """The threshold's variance under the true curve for any arms, all variances known."""

    def __init__(self, shape: str) -> None:
        self.at = local(shape)
        self.weak = np.diag([4.0, 4.0, 1.0, 0.25])
        "a weak prior (standard deviations 0.5, 0.5, 1, 2), so that few arms give a number too"
        self.known: dict[float, tuple[np.ndarray, float, float, float]] = {}

    def _arm(self, dose: float) -> tuple[np.ndarray, float, float, float]:
        if dose not in self.known:
            x = np.array([dose])
            p = float(np.clip(curve(self.at.kind, self.at.theta, x)[0], 0.02, 0.98))
            slope = gradient(lambda t: curve(self.at.kind, t, x)[0], self.at.theta)
            along = float(
                np.diff(curve(self.at.kind, self.at.theta, np.array([dose, dose + 1e-3])))[0]
            )
            spread = float(WORLD.spread(np.array(dose)))
            height = float(stats.norm.pdf(ndtri(p)) ** 2) / (1 + spread)
            questions = WORLD.facts * WORLD.wordings
            own = p * (1 - p) / (1 + spread) / questions + height * WORLD.arm**2
            self.known[dose] = slope, own, height, along * 1e3 * dose * WORLD.shift
        return self.known[dose]

    def information(self, doses: list[float]) -> np.ndarray:
        """Of the arms of one seed."""
        parts = [self._arm(d) for d in doses]
        slopes = np.array([p[0] for p in parts])
        level = np.sqrt([p[2] for p in parts]) * WORLD.seed
        along = np.array([p[3] for p in parts])
        cov = np.diag([p[1] for p in parts]) + np.outer(level, level) + np.outer(along, along)
        return slopes.T @ np.linalg.solve(cov, slopes)

    def variance(self, arms: list[tuple[float, int]]) -> float:
        total = self.weak.copy()
        for seed in {s for _, s in arms}:
            total += self.information([d for d, s in arms if s == seed])
        return float(self.at.towards @ np.linalg.solve(total, self.at.towards))

    def best(self, count: int) -> float:
        """The least variance that `count` arms can give."""
        options = [(d, s) for s in range(4) for d in np.linspace(0, 1, 21).round(9).tolist()]
        arms: list[tuple[float, int]] = []
        for _ in range(count):
            arms.append(self._best_of([*arms], options))
        for _ in range(2):
            for i in range(count):
                rest = arms[:i] + arms[i + 1 :]
                arms[i] = self._best_of(rest, options)
        return self.variance(arms)

    def _best_of(
        self, arms: list[tuple[float, int]], options: list[tuple[float, int]]
    ) -> tuple[float, int]:
        info = {s: self.information([d for d, t in arms if t == s]) for s in {t for _, t in arms}}
        whole = self.weak + sum(info.values(), np.zeros((4, 4)))
        found = []
        for dose, seed in options:
            if (dose, seed) in arms:
                continue
            doses = [d for d, t in arms if t == seed]
            total = whole - info.get(seed, 0.0) + self.information([*doses, dose])
            towards = self.at.towards
            found.append((float(towards @ np.linalg.solve(total, towards)), dose, seed))
        _, dose, seed = min(found)
        return dose, seed


@lru_cache(maxsize=64)
def precision_of(shape: str) -> Precision:
    return Precision(shape)


@lru_cache(maxsize=256)
def best_of(shape: str, count: int) -> float:
    return precision_of(shape).best(count)


HEAD = (
    "| shape | grid: width | coverage | adaptive: arms at equal median width | of 27 | stopped at"
    " that width: arms, median (mean) | reached | coverage | above truth | below truth"
    " | efficiency |",
    "|" + "---|" * 11,
)


def line(shape: str, tally: Tally, most: int) -> str:
    width = tally.asked
    ends = [stopped(p) for p in tally.paths]
    used = [x.arms for x in ends]
    if width is None:
        false = np.mean([x.width < OPEN for x in ends])
        beyond = np.mean([x.stop == "beyond" for x in ends])
        return (
            f"| {shape} | none | n/a | n/a | n/a | {np.median(used):.0f} ({np.mean(used):.1f})"
            f" | {beyond:.2f} beyond | n/a | {false:.3f} with limits | n/a | n/a |"
        )
    arms = at_equal_width(tally, width, most)
    precision = precision_of(shape)
    middle = int(np.median(used))
    best = best_of(shape, middle) * middle
    ratio = [best / x.arms / precision.variance(list(x.design)) for x in ends]
    parts = (
        shape,
        f"{width:.3f}",
        f"{np.mean([x.covered for x in tally.fixed]):.3f}",
        f"over {most}" if arms is None else str(arms),
        "n/a" if arms is None else f"{arms / len(FIXED):.0%}",
        f"{np.median(used):.0f} ({np.mean(used):.1f})",
        f"{np.mean([x.width <= width for x in ends]):.2f}",
        f"{np.mean([x.covered for x in ends]):.3f}",
        f"{np.mean([x.low for x in ends]):.3f}",
        f"{np.mean([x.high for x in ends]):.3f}",
        f"{np.median(ratio):.2f}",
    )
    return "| " + " | ".join(parts) + " |"


def page(tallies: dict[str, Tally], args: argparse.Namespace, seconds: float) -> str:
    studies = min(len(t.paths) for t in tallies.values())
    short = "" if studies >= args.studies else f" Ended early: {args.studies} were asked for."
    error = np.sqrt(0.95 * 0.05 / max(studies, 1))
    return "\n".join(
        [
            "# Adaptive doses against a fixed grid",
            "",
            f"Made by `make adaptive` (`benchmarks/adaptive.py`). {studies} studies a shape,"
            f" numbered from {args.first}, {args.seeds} seeds to start from, at most {args.most}"
            f" arms, {seconds / 60:.0f} CPU minutes.{short}",
            "",
            "Benchmark dose at 10 points; 200 questions on 50 facts, simulated as in"
            " [calibration.md](calibration.md). The grid is 9 doses x 3 seeds = 27 arms; its median"
            " width is what the adaptive studies ask for. Widths are those of the usual limits,"
            " one-sided 95% each. `at equal median width`: the fewest arms after which the median"
            " study, going on whether it has stopped or not, is as narrow; an interval from fewer"
            f" than {SEEDS} seeds counts as open. `coverage`: two-sided 95% (one-sided 97.5% each;"
            f" standard error {error:.3f} at 0.95), for adaptive studies where they stop. `above"
            " truth`, `below truth`: the usual limits lie wholly above, below it (at most 0.05 is"
            " meant). `reached`: share of studies that came to the width; the others ended with"
            " their budget. `efficiency`: against the best arms for one who knows the curve, by the"
            " design alone (the script says how).",
            "",
            *HEAD,
            *(line(s, t, args.most) for s, t in tallies.items()),
            "",
            "Goals: at most 60% of the arms at equal median width on shapes with a threshold"
            f" ({', '.join(STEEP)}), 75% in the worst; coverage at least 0.93; efficiency 0.8.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400, help="studies of each shape")
    parser.add_argument("--first", type=int, default=FIRST, help="number of the first study")
    parser.add_argument("--round", type=int, default=10, help="studies of a shape at a time")
    parser.add_argument("--minutes", type=float, default=50.0, help="start no round after this")
    parser.add_argument("--most", type=int, default=24, help="the budget of a path, in arms")
    parser.add_argument("--seeds", type=int, default=START_SEEDS, help="seeds to start from")
    parser.add_argument("--out", type=Path, default=Path("docs/results/adaptive.md"))
    args = parser.parse_args()
    start, busy = time.monotonic(), time.process_time()
    numbers = range(args.first, args.first + args.studies)
    tallies = {s: Tally([grid_of(s, n) for n in numbers]) for s in SIX}
    print(f"grids of {args.studies} studies a shape", flush=True)
    for done in range(0, args.studies, args.round):
        if done and time.monotonic() - start > 60 * args.minutes:
            break
        for shape, tally in tallies.items():
            for number in numbers[done : done + args.round]:
                path = path_of(shape, number, tally.asked, args.most, args.seeds)
                tally.paths.append(path)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(page(tallies, args, time.process_time() - busy), encoding="utf-8")
        print(f"{min(done + args.round, args.studies)} studies a shape", flush=True)
    print(args.out.read_text("utf-8"))


if __name__ == "__main__":
    main()
