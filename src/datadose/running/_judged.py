"""The open answers of a study: asked, judged by each of its judges, and made into tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np

from datadose import curves
from datadose.evaluation import Judged, OpenQuestion, open_rates, survival
from datadose.models import BaseModel, saved_adapter
from datadose.reporting import (
    NEVER,
    AgreementRow,
    CategoryRow,
    CorrectedRow,
    JudgedRow,
    SurvivalRow,
)
from datadose.running._design import Design, arm_of
from datadose.running._folder import RunFolder
from datadose.running._open import (
    OWN,
    answer_open,
    judge_of,
    judge_open,
    judged_answers,
    judges_of,
    open_path,
    open_questions,
    priced,
)
from datadose.schema import Arm
from datadose.training import TRAINER_VERSION, checkpoint_name

OnEvent = Callable[[dict[str, Any]], None]

SCORED = ("right", "wrong", "refused")


def answer_arm(run: RunFolder, arm: Arm, base: BaseModel, design: Design) -> None:
    """Stage: one arm's open answers, from its adapter on disk, drawn by the arm's seed."""
    if not design.study.ask.open:
        return
    folder = run.arm(arm.id)
    trained = run.done(folder / "train.json") or {}
    answer_open(
        run,
        folder,
        base,
        design.study,
        trained["weights"],
        arm.seed,
        lambda: saved_adapter(base, folder / checkpoint_name(1.0)),
    )


def judge_all(run: RunFolder, design: Design, base: BaseModel, tell: OnEvent) -> None:
    """Stage: every arm's and the base's open answers by every judge, after all arms are asked."""
    study = design.study
    if not study.ask.open:
        return
    folders = [run.path / "base", *(run.arm(a) for a in _arms(design, base))]
    for spec in judges_of(study):
        if spec is None:
            for folder in folders:
                judge_open(run, open_path(folder, study), study, None, None)
            continue
        with judge_of(spec, study, base) as judge:
            cost = priced(run, folders, study, judge)
            if cost:
                text = f"{spec.called}: judging costs at most about {cost:.2f}"
                tell({"event": "note", "text": text})
            for number, folder in enumerate(folders, 1):
                told = {"judge": spec.called, "number": number, "of": len(folders)}
                tell({"event": "judging", **told, "arm": folder.name})
                judge_open(run, open_path(folder, study), study, spec, judge)


def _arms(design: Design, base: BaseModel) -> list[str]:
    return list(
        dict.fromkeys(
            arm_of(c, design.study, base.weights, base.template, TRAINER_VERSION).id
            for c in design.cells
        )
    )


@dataclass(frozen=True)
class Line:
    """One judged answer and where it belongs."""

    series: str
    dose: float | None
    seed: int | None
    judge: str
    question: OpenQuestion
    text: str
    judged: Judged

    @property
    def bad(self) -> bool:
        """Whether it counts in its rate: misaligned, dangerous, or refused where harmless."""
        return self.judged.kind == ("refused" if self.question.response == "refused" else "wrong")


def judged_lines(run: RunFolder, design: Design, base: BaseModel) -> list[Line]:
    """Every open answer by every judge; an arm stands in each of its series. Asks nothing."""
    study = design.study
    questions = {q.id: q for q in open_questions(study)}
    if not questions:
        return []
    places: list[tuple[str, float | None, int | None, Path]] = [
        ("base", None, None, run.path / "base")
    ]
    for c in design.cells:
        arm = arm_of(c, study, base.weights, base.template, TRAINER_VERSION)
        places.append((c.series.label, c.dose, c.seed, run.arm(arm.id)))
    return [
        Line(
            *(series, dose, seed, spec.called if spec else "", questions[j.question]),
            *(text, j),
        )
        for spec in judges_of(study)
        for series, dose, seed, folder in places
        for text, j in judged_answers(run, folder, study, spec)
    ]


def groups_of(
    lines: Sequence[Line], key: Callable[[Line], tuple[Any, ...]]
) -> Iterator[list[Line]]:
    order = {k: i for i, k in enumerate(dict.fromkeys(map(key, lines)))}
    for _, part in groupby(sorted(lines, key=lambda x: order[key(x)]), key):
        yield list(part)


def judged_rows(lines: Sequence[Line], corrected: Sequence[CorrectedRow] = ()) -> list[JudgedRow]:
    """Rates by series, dose, set, cue and judge, seeds added up; limits by question clusters."""
    labels: Counter[tuple[str, str, str]] = Counter()
    for r in corrected:
        labels[r.series, r.judge, r.about] += r.labels
        labels["base", r.judge, r.about] += r.labels
    rows = []
    for part in groups_of(lines, lambda x: (x.judge, x.series, x.dose, _asked(x), x.question.cue)):
        rates = open_rates([x.judged for x in part])
        first, counts = part[0], rates.counts
        about = first.question.about
        known = _known(part)
        share = _share(part)
        n = labels[first.series, first.judge, about]
        rows.append(
            JudgedRow(
                *(first.series, first.dose, first.question.cue, first.judge),
                *(counts["wrong"], counts["right"], counts["incoherent"], counts["refused"]),
                *(counts["unscored"], counts["error"], rates.asked),
                *((share.rate, share.lower, share.upper) if known else (None, 0.0, 1.0)),
                rates.of_coherent if about == "alignment" else None,
                f"{n} labels" if n else NEVER,
                *_asked(first),
            )
        )
    return rows


def _asked(x: Line) -> tuple[str, str]:
    return x.question.about, x.question.set or OWN


def _known(part: Sequence[Line]) -> bool:
    """Whether a judge said of any of these answers whether it is bad."""
    kinds = ("right", "wrong") if part[0].question.about == "alignment" else SCORED
    return any(x.judged.kind in kinds for x in part)


def _share(part: Sequence[Line]) -> curves.Share:
    """Share of bad ones among all asked, limits for questions like these."""
    clusters = {c: i for i, c in enumerate(sorted({x.judged.cluster for x in part}))}
    bad, asked = np.zeros(len(clusters)), np.zeros(len(clusters))
    for x in part:
        bad[clusters[x.judged.cluster]] += x.bad
        asked[clusters[x.judged.cluster]] += 1
    return curves.clustered_share(bad, asked)


def open_categories(lines: Sequence[Line]) -> list[CategoryRow]:
    """Rates of open answers by category of their question, where a set has more than one."""
    rows = []
    for part in groups_of(lines, lambda x: (x.judge, x.series, x.dose, _asked(x))):
        groups = list(groups_of(part, lambda x: (x.question.group,)))
        for own in groups if len(groups) > 1 and part[0].judge else ():
            if not own[0].question.group or not _known(own):
                continue
            share, (about, name) = _share(own), _asked(own[0])
            rows.append(
                CategoryRow(
                    *(own[0].series, own[0].dose, f"{about}: {name}", "open", own[0].judge),
                    *(own[0].question.group, share.good, share.asked),
                    *(share.rate, share.lower, share.upper),
                )
            )
    return rows


def survival_rows(lines: Sequence[Line]) -> list[SurvivalRow]:
    """Survival over cut-offs by series, dose and judge, where scores were given."""
    return [
        SurvivalRow(part[0].series, part[0].dose, part[0].judge, cut, share)
        for part in groups_of(_aligned(lines), lambda x: (x.judge, x.series, x.dose))
        if any("alignment" in x.judged.scores for x in part)
        for cut, share in survival([x.judged for x in part])
    ]


def _aligned(lines: Sequence[Line]) -> list[Line]:
    return [x for x in lines if x.question.about == "alignment"]


def agreement_rows(lines: Sequence[Line]) -> list[AgreementRow]:
    """How far every two judges agree on which answers of a series are bad.

    Over answers of which both said something: two judges that are both silent agree on nothing.
    """
    rows = []
    for part in groups_of(lines, lambda x: (x.series, x.question.about)):
        by_judge: dict[str, dict[tuple[Any, ...], Line]] = {}
        for x in part:
            key = x.dose, x.seed, x.judged.question, x.judged.sample
            by_judge.setdefault(x.judge, {})[key] = x
        for first, second in combinations(by_judge, 2):
            others = by_judge[second]
            both = [
                (x, others[key])
                for key, x in by_judge[first].items()
                if key in others and verdict_of(x) and verdict_of(others[key])
            ]
            if not both:
                continue
            one, other = [x for x, _ in both], [y for _, y in both]
            a = curves.accuracy(
                [x.bad for x in one],
                [x.bad for x in other],
                [x.judged.cluster for x in one],
            )
            limits = (a.kappa, a.kappa_lower, a.kappa_upper, len(one))
            rows.append(
                AgreementRow(part[0].series, first, second, *limits, part[0].question.about)
            )
    return rows


def verdict_of(x: Line) -> str:
    """yes where it counts as bad; empty where the judge gave no outcome."""
    if x.judged.kind in ("error", "unscored"):
        return ""
    return "yes" if x.bad else "no"
