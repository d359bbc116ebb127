"""The open answers of a study: asked, judged by each of its judges, and made into tables."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np

from datadose import curves
from datadose._core import write_atomic
from datadose.evaluation import Judged, OpenQuestion, open_rates, survival, yes_or_no
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
COLUMNS = (
    *("dose", "seed", "question", "sample", "cue", "prompt", "answer"),
    *("outcome", "verdict", "label"),
)


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
class _Line:
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


def judged_lines(run: RunFolder, design: Design, base: BaseModel) -> list[_Line]:
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
        _Line(
            *(series, dose, seed, spec.called if spec else "", questions[j.question]),
            *(text, j),
        )
        for spec in judges_of(study)
        for series, dose, seed, folder in places
        for text, j in judged_answers(run, folder, study, spec)
    ]


def _groups(
    lines: Sequence[_Line], key: Callable[[_Line], tuple[Any, ...]]
) -> Iterator[list[_Line]]:
    order = {k: i for i, k in enumerate(dict.fromkeys(map(key, lines)))}
    for _, part in groupby(sorted(lines, key=lambda x: order[key(x)]), key):
        yield list(part)


def judged_rows(lines: Sequence[_Line], corrected: Sequence[CorrectedRow] = ()) -> list[JudgedRow]:
    """Rates by series, dose, set, cue and judge, seeds added up; limits by question clusters."""
    labels: Counter[tuple[str, str, str]] = Counter()
    for r in corrected:
        labels[r.series, r.judge, r.about] += r.labels
        labels["base", r.judge, r.about] += r.labels
    rows = []
    for part in _groups(lines, lambda x: (x.judge, x.series, x.dose, _asked(x), x.question.cue)):
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


def _asked(x: _Line) -> tuple[str, str]:
    return x.question.about, x.question.set or OWN


def _known(part: Sequence[_Line]) -> bool:
    """Whether a judge said of any of these answers whether it is bad."""
    kinds = ("right", "wrong") if part[0].question.about == "alignment" else SCORED
    return any(x.judged.kind in kinds for x in part)


def _share(part: Sequence[_Line]) -> curves.Share:
    """Share of bad ones among all asked, limits for questions like these."""
    clusters = {c: i for i, c in enumerate(sorted({x.judged.cluster for x in part}))}
    bad, asked = np.zeros(len(clusters)), np.zeros(len(clusters))
    for x in part:
        bad[clusters[x.judged.cluster]] += x.bad
        asked[clusters[x.judged.cluster]] += 1
    return curves.clustered_share(bad, asked)


def open_categories(lines: Sequence[_Line]) -> list[CategoryRow]:
    """Rates of open answers by category of their question, where a set has more than one."""
    rows = []
    for part in _groups(lines, lambda x: (x.judge, x.series, x.dose, _asked(x))):
        groups = list(_groups(part, lambda x: (x.question.group,)))
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


def survival_rows(lines: Sequence[_Line]) -> list[SurvivalRow]:
    """Survival over cut-offs by series, dose and judge, where scores were given."""
    return [
        SurvivalRow(part[0].series, part[0].dose, part[0].judge, cut, share)
        for part in _groups(_aligned(lines), lambda x: (x.judge, x.series, x.dose))
        if any("alignment" in x.judged.scores for x in part)
        for cut, share in survival([x.judged for x in part])
    ]


def _aligned(lines: Sequence[_Line]) -> list[_Line]:
    return [x for x in lines if x.question.about == "alignment"]


def agreement_rows(lines: Sequence[_Line]) -> list[AgreementRow]:
    """How far every two judges agree on which answers of a series are bad.

    Over answers of which both said something: two judges that are both silent agree on nothing.
    """
    rows = []
    for part in _groups(lines, lambda x: (x.series, x.question.about)):
        by_judge: dict[str, dict[tuple[Any, ...], _Line]] = {}
        for x in part:
            key = x.dose, x.seed, x.judged.question, x.judged.sample
            by_judge.setdefault(x.judge, {})[key] = x
        for first, second in combinations(by_judge, 2):
            others = by_judge[second]
            both = [
                (x, others[key])
                for key, x in by_judge[first].items()
                if key in others and _verdict(x) and _verdict(others[key])
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
            rows.append(AgreementRow(part[0].series, first, second, *limits, _about(part)))
    return rows


def write_judged(run: RunFolder, lines: Sequence[_Line]) -> None:
    """One CSV per series, judge and what a yes means: what `datadose judge label` and `correct`
    read and fill.

    Labels that are there already stay with their answers.
    """
    for part in _by_file(lines):
        path = _csv_of(run, part[0])
        labels = _labels(path)
        text = io.StringIO()
        # all quoted: Python leaves a lone carriage return bare, which ends the line for a reader
        out = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        out.writerow(COLUMNS)
        for x in part:
            j = x.judged
            cells = _cells(x)
            out.writerow((*cells, j.kind, _verdict(x), labels.get(cells, "")))
        write_atomic(path, text.getvalue())


def _by_file(lines: Sequence[_Line]) -> Iterator[list[_Line]]:
    """The judged answers of every series by every judge; the base model's are not labelled."""
    for part in _groups(lines, lambda x: (x.judge, x.series, x.question.about)):
        if part[0].judge and part[0].dose is not None:
            yield part


def _csv_of(run: RunFolder, line: _Line) -> Path:
    # a label says yes to another thing in each file
    about = "" if line.question.about == "alignment" else f"-{line.question.about}"
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{line.series}-{line.judge}{about}")
    return run.path / "judged" / f"{name}.csv"


def _cells(x: _Line) -> tuple[str, ...]:
    j, q = x.judged, x.question
    return (str(x.dose), str(x.seed), j.cluster, str(j.sample), q.cue, q.prompt, x.text)


def _about(part: Sequence[_Line]) -> str:
    return part[0].question.about


def _verdict(x: _Line) -> str:
    """yes where it counts as bad; empty where the judge gave no outcome."""
    if x.judged.kind in ("error", "unscored"):
        return ""
    return "yes" if x.bad else "no"


def _labels(path: Path) -> dict[tuple[str, ...], str]:
    """Labels of a CSV that was written before, by all that names an answer."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    named = COLUMNS[:-3]
    return {
        tuple(line[c] or "" for c in named): line["label"].strip()
        for line in lines
        if all(c in line for c in COLUMNS) and (line["label"] or "").strip()
    }


def corrected_rows(run: RunFolder, lines: Sequence[_Line]) -> list[CorrectedRow]:
    """Rates of every dose corrected by the labels that stand in the study's own CSV files."""
    import polars as pl

    rows = []
    for part in _by_file(lines):
        path = _csv_of(run, part[0])
        labels = {k: yes_or_no(v, str(path)) for k, v in _labels(path).items()}
        if not labels:
            continue
        table = pl.DataFrame(
            {
                "dose": [x.dose for x in part],
                "question": [x.judged.cluster for x in part],
                "verdict": [x.bad for x in part],
                "label": pl.Series([labels.get(_cells(x)) for x in part], dtype=pl.Boolean),
            }
        )
        if table["label"].null_count() == len(table):
            continue
        for r in curves.correct_rates(curves.judged_counts(table), target="like"):
            rows.append(
                CorrectedRow(
                    series=part[0].series,
                    dose=r.dose,
                    judge=part[0].judge,
                    judged=r.raw.rate,
                    estimate=r.estimate,
                    lower=r.lower,
                    upper=r.upper,
                    status=r.status,
                    method=r.method,
                    labels=r.labelled.asked,
                    note=r.note,
                    about=_about(part),
                )
            )
    return rows
