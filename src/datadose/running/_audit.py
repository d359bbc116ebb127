"""An audit from rows to ranked rows and a wrong share; what is finished is not done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose import auditing
from datadose._core import InputError, UsageError, read_json, write_json
from datadose.auditing import (
    Calibration,
    Evidence,
    Label,
    Labelled,
    Limits,
    OnKnown,
    Planted,
    Session,
    Share,
    Verdict,
)
from datadose.rows import RowsFile, fingerprint, read_rows
from datadose.running._audit_judge import Judged, ask_judge, check_judge
from datadose.running._audit_share import estimate_share
from datadose.running._folder import RunFolder
from datadose.running._pools import named_pool
from datadose.schema import JudgeSpec, Recipe, Row

if TYPE_CHECKING:
    import numpy as np

    from datadose.training import Recording

FEWEST = 20
Asker = Callable[[Session, Mapping[str, Row]], Session]


@dataclass(frozen=True)
class AuditSettings:
    """How rows are audited. `plant` is the share of planted rows of either kind; `folds` 0 leaves
    held-out detectors out, `examples` 0 those that read a row after so many others; `trusted` is a
    file of rows known to be right, `pool` one of a pool that knows answers or has tests, `study` a
    run folder whose thresholds the share is held against. `judge` is a served or local model that
    is asked whether each row's answer is right."""

    model: str = "smollm2-135m"
    epochs: float = 3.0
    folds: int = 2
    examples: int = 4
    plant: float = 0.05
    seed: int = 0
    trusted: Path | None = None
    pool: Path | None = None
    study: Path | None = None
    labeller_error: float = 0.0
    judge: JudgeSpec | None = None

    @property
    def recipe(self) -> Recipe:
        """How the recorded runs are trained: the defaults of a study."""
        return Recipe(epochs=self.epochs, checkpoints=(1.0,))


@dataclass(frozen=True)
class Audit:
    """What an audit found. `columns` has a detector's scores [N] under its name, larger is more
    suspicious; `checked` says of each row that could be checked whether it is wrong, by id;
    `on_known` has the detectors' figures on rows that were checked or labelled."""

    source: RowsFile
    settings: AuditSettings
    calibration: Calibration
    columns: dict[str, np.ndarray]
    suspicion: np.ndarray
    checked: dict[str, bool]
    labels: dict[str, Label]
    on_known: dict[str, OnKnown]
    share: Share
    verdict: Verdict
    evidence: Evidence
    judged: dict[str, int]

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.source.rows


def run_audit(
    path: Path,
    folder: Path,
    settings: AuditSettings,
    *,
    label: int = 0,
    ask: Asker | None = None,
    labels: Path | None = None,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Audit:
    """Audit the rows in `path` and write scores.csv, audit.json and audit.html into `folder`.

    With `label`, so many rows are drawn and put to `ask`; their labels are kept in labels.csv
    after every key and taken up again by the next call. `labels` is a CSV of labels made
    elsewhere instead. Raises InputError for too few rows, or for a folder of another audit or of
    another version of the planting; UsageError for a rate or epochs out of range, or for a judge
    that can't know what is right.
    """
    from datadose.running._audit_files import write_audit

    if label and labels is not None:
        raise UsageError("--label and --labels exclude each other", next_step="give one of them")
    if not 0 <= settings.labeller_error < 0.5:
        raise UsageError(
            f"a labeller who errs {settings.labeller_error:g} of the time tells nothing",
            next_step="give --labeller-error from 0 to under 0.5",
        )
    # a row that an epoch did not reach has no state there, and its neighbours could not be found
    if settings.epochs < 1 or settings.epochs % 1:
        raise UsageError(
            f"{settings.epochs:g} epochs would leave rows unseen in the last one",
            next_step="give --epochs as a whole number, 1 or more",
        )
    if settings.judge is not None:
        check_judge(settings.judge)
    source = read_rows(path)
    rows = source.rows
    if len(rows) < FEWEST:
        raise InputError(
            f"{len(rows)} rows are too few to audit",
            where=str(path),
            next_step=f"give {FEWEST} or more; fewer are quicker read than audited",
        )
    run = RunFolder(folder)
    trusted = read_rows(settings.trusted).rows if settings.trusted else ()
    run.keep_fixed("inputs", _inputs(rows, trusted, settings), next_step="use another --out")
    # all files before any training: their faults are not to be told after hours
    limits: tuple[Limits, ...] = ()
    if settings.study is not None:
        limits = auditing.limits_of(read_json(settings.study / "doses.json"))
    if labels is not None:
        auditing.read_labels(labels, [r.id for r in rows])
    pool = named_pool(settings.pool)
    checked = auditing.check_rows(rows, pool) if pool is not None else {}
    work = folder / "work"
    planted = auditing.plant(rows, settings.plant, keep=[r.id for r in trusted], seed=settings.seed)
    judged: Judged | None = None
    if settings.judge is not None:
        both = (*rows, *planted.rows)
        judged = ask_judge(settings.judge, both, work / "judge.json", on_event)
    evidence, calibration = _measure(rows, trusted, planted, judged, work, settings, on_event)
    columns = _columns(evidence, calibration)
    found = auditing.suspicion(auditing.chosen_column(evidence, calibration), calibration.spots)
    for i, row in enumerate(rows):
        if row.id in checked:
            found[i] = float(checked[row.id])
    known = _labelled(rows, checked, found, folder, settings, label, ask, labels)
    share = estimate_share(rows, found, checked, known, calibration, settings.labeller_error)
    audit = Audit(
        source,
        settings,
        calibration,
        columns,
        found,
        checked,
        known.labels,
        auditing.on_known(
            columns,
            # labels that err would make every detector look worse than it is
            _known(rows, checked, {} if settings.labeller_error else known.labels),
            calibration.table,
        ),
        share,
        auditing.verdict(share, limits),
        evidence,
        auditing.judge_outcomes(judged.of(rows)) if judged is not None else {},
    )
    write_audit(audit, path, folder)
    return audit


def _inputs(rows: tuple[Row, ...], trusted: tuple[Row, ...], s: AuditSettings) -> dict[str, Any]:
    """What must not change between the calls on one folder."""
    return {
        "rows": fingerprint(rows),
        "trusted": fingerprint(trusted),
        "model": s.model,
        "recipe": s.recipe.model_dump(mode="json"),
        "folds": s.folds,
        "examples": s.examples,
        "plant": s.plant,
        "planting": auditing.PLANT_VERSION,
        "seed": s.seed,
    }


def _measure(
    rows: tuple[Row, ...],
    trusted: tuple[Row, ...],
    planted: Planted,
    judged: Judged | None,
    work: Path,
    settings: AuditSettings,
    on_event: Callable[[dict[str, Any]], None],
) -> tuple[Evidence, Calibration]:
    """Two recorded runs: one on a copy with planted errors, one on the rows as they are."""
    from datadose.models import check_head, check_tries, load_base
    from datadose.training import record_run

    base = load_base(settings.model)
    check_head(base)
    check_tries(base)
    found = {}
    for name, own in (("planted", planted.rows), ("own", rows)):
        on_event({"event": "note", "text": f"following a training run on {name} rows"})
        place = work / name
        recording: Recording = record_run(
            base, own, settings.recipe, settings.seed, place, trusted=trusted, on_event=on_event
        )
        evidence = auditing.gather_evidence(
            base,
            own,
            recording,
            settings.recipe,
            settings.seed,
            place,
            folds=settings.folds,
            examples=settings.examples,
            on_event=on_event,
        )
        if judged is not None:
            column = auditing.judge_column(judged.of(own))
            evidence = replace(evidence, asked={**evidence.asked, "judge": column})
        found[name] = evidence
    return found["own"], auditing.calibrate(found["planted"], planted)


def _columns(evidence: Evidence, calibration: Calibration) -> dict[str, np.ndarray]:
    columns = {}
    for m in calibration.table:
        if m.auroc is not None:
            columns[m.name] = auditing.column_of(evidence, m, calibration)
    return columns


def _labelled(
    rows: tuple[Row, ...],
    checked: Mapping[str, bool],
    suspicion: np.ndarray,
    folder: Path,
    settings: AuditSettings,
    label: int,
    ask: Asker | None,
    labels: Path | None,
) -> Labelled:
    """Labels from a CSV, from the form, or those that an earlier call left in the folder.

    Rows that were checked are known and are not put to anybody.
    """
    own, plan = folder / "labels.csv", folder / "sample.json"
    everyone = [r.id for r in rows]
    if labels is not None:
        return auditing.read_labels(labels, everyone)
    open_ = [i for i, r in enumerate(rows) if r.id not in checked]
    ids = [rows[i].id for i in open_]
    if label and not plan.is_file():
        sample = auditing.draw_sample(suspicion[open_], min(label, len(ids)), seed=settings.seed)
        drawn = [ids[i] for i in sample.place]
        write_json(
            plan,
            {"ids": drawn, "probability": list(sample.probability), "checked": sorted(checked)},
        )
    if not plan.is_file():
        return Labelled({}, {})
    kept = read_json(plan)
    gone = set(kept.get("checked", ())) - checked.keys()
    if gone:
        raise InputError(
            f"{len(gone)} rows were checked when rows to label were drawn and are not now:"
            " the draw does not stand for them",
            where=str(plan),
            next_step="give the same --pool, or use another --out",
        )
    if label and label != len(kept["ids"]) and label <= len(ids):
        raise InputError(
            f"{len(kept['ids'])} rows were drawn here, {label} are asked for now",
            where=str(plan),
            next_step=f"give --label {len(kept['ids'])}, or use another --out",
        )
    chances = dict(zip(kept["ids"], kept["probability"], strict=True))
    done = auditing.read_labels(own, everyone).labels if own.is_file() else {}
    session = auditing.resumed(kept["ids"], done)
    if label and ask is not None:
        by_id = {r.id: r for r in rows}

        def keep(now: Session) -> None:
            auditing.write_labels(own, now.known(), chances)

        session = ask(_Kept(session.queue, session.labels, keep=keep), by_id)
    return auditing.part_of_draw(session.known(), kept["ids"], kept["probability"])


def _known(
    rows: tuple[Row, ...], checked: Mapping[str, bool], labels: Mapping[str, Label]
) -> dict[int, bool]:
    """Whether rows are wrong, by place, where a check or else a label says so."""
    told = {n: v == "wrong" for n, v in labels.items() if v != "unsure"} | dict(checked)
    return {i: told[r.id] for i, r in enumerate(rows) if r.id in told}


@dataclass(frozen=True)
class _Kept(Session):
    """A session that writes itself down after every key."""

    keep: Callable[[Session], None] = lambda _: None

    def press(self, key: str) -> Session:
        after = super().press(key)
        self.keep(after)
        return after


def as_record(audit: Audit) -> dict[str, Any]:
    """audit.json: no times and no paths, so that equal audits are equal files."""
    best = audit.calibration.best
    return {
        "rows": len(audit.rows),
        "model": audit.settings.model,
        "seed": audit.settings.seed,
        "share": asdict(audit.share),
        "status": audit.share.method,
        "verdict": asdict(audit.verdict),
        "chosen": {"name": best.name, "epoch": best.when, "status": best.status},
        "consistent_errors": _consistent(audit.calibration),
        "calibration": [asdict(m) for m in audit.calibration.table],
        "on_known": {n: asdict(k) for n, k in audit.on_known.items()},
        "parts": [{"name": n, "epoch": w} for n, w in audit.calibration.parts],
        "views": [[{"name": n, "epoch": w} for n, w in view] for view in audit.calibration.views],
        "planted": {
            "random": audit.calibration.random,
            "consistent": audit.calibration.consistent,
            "how": audit.calibration.how,
        },
        "judge": _judge_record(audit),
        "checked": {"rows": len(audit.checked), "wrong": sum(audit.checked.values())},
        "labels": {
            kind: sum(v == kind for v in audit.labels.values())
            for kind in ("wrong", "right", "unsure")
        },
    }


def _judge_record(audit: Audit) -> dict[str, Any] | None:
    if audit.settings.judge is None:
        return None
    return {"name": audit.settings.judge.called, "outcomes": audit.judged}


def _consistent(calibration: Calibration) -> str:
    if not calibration.consistent:
        return "not planted: no fact in several wordings"
    return "not detectable" if calibration.not_detectable else "detectable"
