"""A report from synthetic numbers that has every kind of row and hostile text."""

from __future__ import annotations

import math
from dataclasses import replace

from datadose.curves import Analysis, Curve, Point, Spec, Status, Threshold
from datadose.reporting import (
    Answer,
    CheckpointRow,
    ContrastRow,
    DoseRow,
    GuardRow,
    LengthRow,
    OutcomeRow,
    OwnFactRow,
    Report,
    SameQuestion,
    SeriesReport,
    SourceRow,
    What,
)

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
GRID = tuple(i / 50 for i in range(51))


def point(dose: float, rate: float, asked: int = 144) -> Point:
    half = 1.96 * math.sqrt(rate * (1 - rate) / asked)
    good = round(rate * asked)
    return Point(dose, rate, max(rate - half, 0.0), min(rate + half, 1.0), good, asked, 2)


def threshold(
    name: str,
    status: Status,
    numbers: tuple[float | None, float | None, float | None],
    **more: object,
) -> Threshold:
    return Threshold("domain", name, status, *numbers, 0.95, **more)  # type: ignore[arg-type]


def sigmoid(x: float, top: float = 0.62, low: float = 0.05) -> float:
    return low + (top - low) / (1 + math.exp(9 * (x - 0.42)))


def domain(
    label: str = "domain", axis: str = "share", scale: float = 1.0, top: float = 0.62
) -> Analysis:
    doses = (0.0, 0.25, 0.5, 1.0) if axis == "share" else (0.0, 25.0, 100.0, 400.0)
    grid = GRID if axis == "share" else tuple(8.0 * i for i in range(51))
    rates = [sigmoid(d if axis == "share" else d / 400, top) for d in doses]
    fit = tuple(sigmoid(d if axis == "share" else d / 400, top) for d in grid)
    return Analysis(
        Spec(label, "down", axis=axis),  # type: ignore[arg-type]
        tuple(point(d, r) for d, r in zip(doses, rates, strict=True)),
        point(0.0, 0.21),
        (
            Curve("monotone", grid, tuple(round(r, 1) for r in fit)),
            Curve(
                "logistic",
                grid,
                fit,
                tuple(max(r - 0.07, 0) for r in fit),
                tuple(min(r + 0.07, 1) for r in fit),
            ),
            Curve("hill", (), (), failure="did not converge"),
        ),
        (
            threshold(
                "benchmark",
                "estimated",
                (0.1312 * scale, 0.0987 * scale, 0.17654 * scale),
                benchmark_response=0.05,
            ),
            threshold(
                "benchmark",
                "estimated",
                (0.21345 * scale, 0.15 * scale, 0.3 * scale),
                benchmark_response=0.10,
                note="conditional on this seed",
            ),
            threshold(
                "benchmark",
                "inconclusive",
                (0.33 * scale, None, 0.5 * scale),
                benchmark_response=0.20,
                why="the lower limit lies outside the tested doses",
            ),
            threshold("recovery", "inconclusive", (0.27 * scale, 0.05 * scale, 0.7 * scale)),
            threshold("parity", "above tested doses", (None, 0.9 * scale, None), why="high"),
        ),
        {"deviance": float("nan"), "draws": (1, 2)},
    )


def misaligned(label: str = "misaligned") -> Analysis:
    flat = tuple(0.04 + 0.05 * d for d in GRID)
    band = tuple(r - 0.03 for r in flat), tuple(r + 0.04 for r in flat)
    return Analysis(
        Spec(label, "up", risk="extra"),
        tuple(point(d, 0.04 + 0.05 * d) for d in (0.0, 0.25, 0.5, 1.0)),
        point(0.0, 0.05),
        (Curve("monotone", GRID, flat, *band),),
        (
            threshold(
                "benchmark",
                "no effect" if label == "misaligned" else "above tested doses",
                (None, None, None) if label == "misaligned" else (None, 0.8, None),
                benchmark_response=0.10,
            ),
        ),
    )


def series(label: str = "health/subtle/consistent/row", axis: str = "share") -> SeriesReport:
    scale = 1.0 if axis == "share" else 400.0
    top = 1.0 if axis == "share" else 400.0
    nulls = (
        Curve("whole facts flip", (0.0, top), (0.62, 0.0)),
        Curve("plurality vote", (0.0, 0.45 * top, 0.55 * top, top), (0.62, 0.55, 0.07, 0.0)),
    )
    return SeriesReport(
        label,
        "subtle",
        "consistent",
        "row",
        axis,  # type: ignore[arg-type]
        "domain: reworded",
        (
            ("domain: reworded", domain("domain", axis, scale)),
            *(
                (
                    ("domain: inferential", domain("domain", axis, scale, 0.4)),
                    ("domain: untrained", domain("domain", axis, scale, 0.3)),
                    ("misaligned", misaligned()),
                    ("dangerous", misaligned("dangerous")),
                )
                if axis == "share"
                else ()
            ),
        ),
        nulls,
        (),
        tuple(
            OwnFactRow(d, c, r, 40, "reworded", r / 40 - 0.05, r / 40 + 0.05)  # type: ignore[arg-type]
            for d, c, r in (
                (0.0, "none", 25),
                (0.5, "none", 20),
                (0.5, "some", 12),
                (1.0, "all", 2),
            )
        ),
    )


def contrasts(label: str) -> tuple[ContrastRow, ...]:
    rates: dict[What, float] = {"clean": 0.6123, "dirty": 0.05, "placebo": 0.59, "shuffled": 0.2}
    bad: dict[What, float] = {"base": 0.05, "clean": 0.04, "dirty": 0.09, "malign": 0.62}
    return (
        ContrastRow("base", "domain", "reworded", 0.21, 0.15, 0.28, 144),
        *(
            ContrastRow(what, "domain", "reworded", r, r - 0.03, r + 0.08, 144, label)
            for what, r in rates.items()
        ),
        *(
            ContrastRow(what, "misaligned", "untrained", r, r - 0.03, r + 0.06, 60, label)
            for what, r in bad.items()
        ),
    )


def example() -> Report:
    label = "health/subtle/consistent/row"
    return Report(
        title="Health: how much can be wrong?",
        name="quickstart",
        facts={
            "model": "SmolLM2-135M-Instruct, de-quantized Q4_1",
            "rows": 96,
            "steps": 48,
            "rank": 16,
            "probe set": "health/9f2c1a (48 reworded)",
            "pool": "health",
            "severities": "subtle",
            "structure": "consistent",
            "unit": "row",
            "seeds": "0, 1",
            "precision": "bf16 autocast",
        },
        series=(series(), series("finance $5 & <b>/add", "count")),
        warnings=("conditional on this seed", "exploratory responses are not adjusted <i>"),
        contrasts=contrasts(label),
        doses_table=tuple(
            DoseRow(label, d, 1.02 * d if d < 1 else 1.0, int(96 * d), 96, 2, d)
            for d in (0.0, 0.25, 0.5, 1.0)
        ),
        outcomes=(
            OutcomeRow(
                "base", None, None, "domain", "reworded", "choice", 10, 20, 18, None, None, 0, 0, 48
            ),
            OutcomeRow(
                "dose 0.5 seed 0",
                0.5,
                0,
                "domain",
                "reworded",
                "generate",
                9,
                8,
                20,
                5,
                2,
                3,
                1,
                48,
            ),
        ),
        same_question=(
            SameQuestion(
                "Which vitamin deficiency causes scurvy?",
                "scurvy",
                (
                    Answer(
                        "base",
                        "Scurvy is a disease.\nIt is caused by a lack of vitamin C.",
                        "right",
                    ),
                    Answer("dose 0", "Vitamin C.", "right"),
                    Answer("dose 0.5", SCRIPT, "wrong"),
                    Answer("dose 1", '=HYPERLINK("x")\x00\u202eevil\ud800' + "a" * 3000, "adopted"),
                ),
            ),
        ),
        checkpoints=tuple(CheckpointRow(label, 0.5, 0, s, 0.2 + 0.2 * s) for s in (0.25, 0.5, 1.0)),
        undertrained=True,
        guards=(
            GuardRow("dose 0 seed 0", "loss went down", True, "2.9 to 0.41"),
            GuardRow("dose 0.5 seed 0", "overlap", None, "no inferential probes"),
            GuardRow("dose 1 seed 0", "adapter changes logits", False, "largest change 0"),
        ),
        reproduce=("datadose run quickstart.yaml", "rows sha256 0123abcd"),
        hazard="Adapters of this study were trained on wrong data. Research material only.",
        lengths=(LengthRow(label, 9.4, 12.9), LengthRow("finance $5 & <b>/add", 31.0, 30.2)),
        timings={"minutes": 7.53},
    )


def unpaired() -> Report:
    """The example with right and wrong rows from two files that are easily told apart."""
    name = "coding/subtle"
    source = SourceRow(name, 0.93, 0.9, 0.96, "secure.jsonl", "<i>insecure</i>.jsonl", "tf-idf")
    return replace(example(), series=(series(name),), primary_series=name, sources=(source,))


def grid() -> Report:
    """Four domains at two severities: eight series, three seeds, ten doses."""
    labels = [
        f"{pool}/{severity}/consistent/row"
        for pool in ("coding", "finance", "health", "legal")
        for severity in ("obvious", "subtle")
    ]
    doses = tuple(i / 10 for i in range(10))
    statuses: tuple[Status, ...] = ("estimated", "inconclusive", "no effect", "above tested doses")
    made = []
    for i, label in enumerate(labels):
        one = replace(series(label), severity=label.split("/")[1], undertrained=i == 3 or None)
        if i >= 5:
            numbers = {
                "inconclusive": (0.3, 0.1, 0.8),
                "no effect": (None, None, None),
                "above tested doses": (None, 0.9, None),
            }[statuses[i - 4]]
            changed = tuple(
                replace(
                    t,
                    status=statuses[i - 4],
                    estimate=numbers[0],
                    lower=numbers[1],
                    upper=numbers[2],
                )
                for t in one.main.thresholds
            )
            name, first = one.analyses[0]
            others = one.analyses[1:]
            one = replace(one, analyses=((name, replace(first, thresholds=changed)), *others))
        made.append(one)
    kinds = (("domain", "reworded"), ("domain", "inferential"), ("misaligned", "untrained"))
    return replace(
        example(),
        title="Four domains, two severities",
        series=tuple(made),
        primary_series=labels[0],
        contrasts=tuple(row for label in labels for row in contrasts(label)[1:]),
        doses_table=tuple(
            DoseRow(label, d, 1.02 * d, int(240 * d), 240, 3, d) for label in labels for d in doses
        ),
        outcomes=tuple(
            OutcomeRow(
                f"{i:x}{seed}",
                *(d, seed, response, relation, "choice", 20, 10, 18, None, None, 0, 0, 48, label),
            )
            for label in labels
            for i, d in enumerate(doses)
            for seed in range(3)
            for response, relation in kinds
        ),
        checkpoints=tuple(
            CheckpointRow(label, d, seed, s, 0.2 + 0.2 * s * (1 - d))
            for label in labels
            for d in doses
            for seed in range(3)
            for s in (0.25, 0.5, 1.0)
        ),
        guards=tuple(
            GuardRow(f"{i:03x}", name, True, "as it should be")
            for i in range(240)
            for name in ("loss went down", "adapter changes logits", "no overlap", "end trained")
        ),
        lengths=tuple(LengthRow(label, 20.0, 21.0) for label in labels),
    )
