"""The stages of one arm: rows, training, answers. Each leaves a manifest, written last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datadose._core import (
    GuardError,
    InputError,
    digest,
    read_jsonl,
    sha256_file,
    write_json,
    write_jsonl,
)
from datadose.evaluation import SCORER_VERSION, Prior, ask_choices, ask_open, contentless
from datadose.models import BaseModel, encode_answer, saved_adapter
from datadose.running._design import Cell
from datadose.running._folder import RunFolder
from datadose.running._guards import (
    AFRESH,
    MERGE_GAP,
    answered,
    check_own,
    check_template,
    compare,
    own_weights,
    whole_answers,
)
from datadose.schema import Arm, NamedSet, Outcome, Probe, Row, SetSeries, Study, TrainingSet
from datadose.training import checkpoint_name, train_arm, weights_hash

OnEvent = Callable[[dict[str, Any]], None]

FEW = 4


def probe_set_hash(probes: Sequence[Probe], system: str | None) -> str:
    """Name of a probe set: its probes and the system prompt they are asked under."""
    # where a probe comes from alters neither what is asked nor its score
    asked = [p.model_dump(mode="json", exclude={"set", "group"}) for p in probes]
    return digest([SCORER_VERSION, system, asked])


def write_rows(run: RunFolder, arm: Arm, training: TrainingSet | NamedSet) -> None:
    """Stage 1: the rows, and apart from them the truth. Refuses rows that changed since."""
    folder = run.arm(arm.id)
    if arm.rows != digest([row.id for row in training.rows]):
        raise GuardError(
            "two arms swapped",
            "the rows at hand are not the ones this arm is named after",
            where=str(folder),
            next_step="report this as an error of datadose: nothing was trained",
        )
    manifest = run.done(folder / "rows.json")
    files = {"sha256": folder / "rows.jsonl", "truth": folder / "truth.jsonl"}
    if manifest is None:
        write_jsonl(files["sha256"], (r.model_dump(mode="json") for r in training.rows))
        write_jsonl(
            files["truth"],
            ({"id": r.id, "wrong": w} for r, w in zip(training.rows, training.wrong, strict=True)),
        )
        write_json(
            folder / "rows.json",
            {
                "arm": arm.model_dump(mode="json"),
                **{key: sha256_file(path) for key, path in files.items()},
            },
        )
        return
    if manifest["arm"] != arm.model_dump(mode="json"):
        raise GuardError(
            "two arms swapped",
            "this folder holds the rows of another arm",
            where=str(folder),
            next_step=AFRESH,
        )
    for key, path in files.items():
        if not path.is_file() or sha256_file(path) != manifest[key]:
            raise GuardError(
                "stale rows",
                f"{path.name} is not what this arm was named after",
                where=str(path),
                next_step=AFRESH,
            )


def train(
    run: RunFolder,
    arm: Arm,
    training: TrainingSet | NamedSet,
    base: BaseModel,
    on_event: OnEvent,
) -> None:
    """Stage 2: the adapters, one per checkpoint. Guard: no two seeds end with equal weights."""
    folder = run.arm(arm.id)
    if run.done(folder / "train.json") is not None:
        return

    def watched(event: dict[str, Any]) -> None:
        run.keep_claim(arm.id)
        on_event(event)

    trained = train_arm(base, training.rows, arm.recipe, arm.seed, folder, on_event=watched)
    last = folder / checkpoint_name(1.0)
    record = asdict(trained)
    record["arm"] = arm.id
    record["weights"] = weights_hash(last)
    record["environment"] = base.environment()
    alone = own_weights(run, arm, record["weights"], len(training.rows))
    record["guards"] = [*record["guards"], alone]
    run.keep_claim(arm.id)
    write_json(folder / "train.json", record)


def _ask(
    base: BaseModel, probes: Sequence[Probe], study: Study | SetSeries, prior: Prior | None
) -> list[Outcome]:
    choices = [p for p in probes if p.kind == "choice"]
    spoken = [p for p in probes if p.kind != "choice"]
    found = ask_choices(base, choices, system=study.system, prior=prior)
    if spoken:
        found += ask_open(base, spoken, system=study.system, max_tokens=study.ask.answer_tokens)
    return found


def prior_of(base: BaseModel, probes: Sequence[Probe], study: Study | SetSeries) -> Prior:
    """The base's contentless scores of a probe set's options; no adapter may be on."""
    choices = [p for p in probes if p.kind == "choice"]
    return contentless(base, choices, system=study.system)


def _write_answers(path: Path, outcomes: Sequence[Outcome], extra: dict[str, Any]) -> None:
    write_jsonl(path, (o.model_dump(mode="json") for o in outcomes))
    write_json(path.with_suffix(".json"), {**extra, "sha256": sha256_file(path)})


def answers_of(run: RunFolder, path: Path) -> list[Outcome]:
    """Outcomes that a stage left behind.

    Raises InputError where it was never completed, GuardError where they changed since.
    """
    if whole_answers(run, path) is None:
        raise InputError(
            "these probes were not asked",
            where=str(path),
            next_step=f"datadose run {run.path / 'study.yaml'} --out {run.path}",
        )
    return [Outcome.model_validate(v) for v in read_jsonl(path)]


def answers_of_arm(run: RunFolder, arm_id: str, path: Path) -> list[Outcome]:
    """Outcomes of an arm's last checkpoint; refuses those of another arm's adapter too."""
    trained = run.done(run.arm(arm_id) / "train.json") or {}
    answered(run, path, trained.get("weights"))
    return answers_of(run, path)


def evaluate_base(
    run: RunFolder,
    base: BaseModel,
    name: str,
    probes: Sequence[Probe],
    study: Study | SetSeries,
    prior: Prior | None = None,
) -> Path:
    """The base model's answers, asked once per probe set."""
    path = run.path / "base" / "answers" / f"{name}.jsonl"
    if not answered(run, path, None):
        _write_answers(path, _ask(base, probes, study, prior), {"adapter": None})
    return path


def evaluate_arm(
    run: RunFolder,
    arm: Arm,
    base: BaseModel,
    name: str,
    probes: Sequence[Probe],
    study: Study | SetSeries,
    prior: Prior | None = None,
) -> Path:
    """Stage 3: the arm's answers, from the adapter as it lies on disk, and at checkpoints.

    `prior`: the base's contentless scores of these probes, found here where not given.

    Guards: the adapter on disk is the one that was trained here, questions are put in the
    template of training, the adapter changes the scores, and scores agree merged and unmerged.
    """
    folder = run.arm(arm.id)
    path = folder / "answers" / f"{name}.jsonl"
    trained = run.done(folder / "train.json") or {}
    adapter = folder / checkpoint_name(1.0)
    check_own(arm, adapter, trained)
    if answered(run, path, trained["weights"]):
        return path
    rows = [Row.model_validate(r) for r in read_jsonl(folder / "rows.jsonl")]
    guards = [check_template(base, rows, trained)]
    primary = [p for p in probes if study.primary.is_on(p)]
    if prior is None:
        prior = prior_of(base, probes, study)
    for share in arm.recipe.checkpoints[:-1]:
        mark = path.with_name(f"{name}-{checkpoint_name(share)}.jsonl")
        weights = weights_hash(folder / checkpoint_name(share))
        if not answered(run, mark, weights):
            with saved_adapter(base, folder / checkpoint_name(share)):
                early = ask_choices(base, primary, system=study.system, prior=prior)
                _write_answers(mark, early, {"adapter": weights})
    few = primary[:FEW]
    bare = ask_choices(base, few, system=study.system)
    unmerged = None
    if arm.recipe.method == "lora":
        with saved_adapter(base, adapter, merge=False):
            unmerged = ask_choices(base, few, system=study.system)
    with saved_adapter(base, adapter):
        merged = ask_choices(base, few, system=study.system)
        outcomes = _ask(base, probes, study, prior)
    after = ask_choices(base, few, system=study.system)
    guards += compare(bare, unmerged, merged, after, adapter, MERGE_GAP[base.precision])
    run.keep_claim(arm.id)
    _write_answers(path, outcomes, {"guards": guards, "adapter": trained["weights"]})
    return path


def template_check(base: BaseModel, cell: Cell) -> None:
    """Encode one row of a cell: the template round trip, before anything is trained."""
    row = cell.training.rows[0]
    encode_answer(base, row.prompt, row.answer)
