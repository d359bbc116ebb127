"""The stages of one arm: rows, training, answers. Each leaves a manifest, written last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datadose._core import GuardError, digest, read_jsonl, sha256_file, write_json, write_jsonl
from datadose.evaluation import ask_choices, ask_open
from datadose.models import BaseModel, encode_answer, saved_adapter
from datadose.running._design import Cell
from datadose.running._folder import RunFolder
from datadose.schema import Arm, Outcome, Probe, Study
from datadose.training import checkpoint_name, train_arm

OnEvent = Callable[[dict[str, Any]], None]

MERGE_GAP = 0.5


def probe_set_hash(probes: Sequence[Probe], system: str | None) -> str:
    """Name of a probe set: its probes and the system prompt they are asked under."""
    return digest([system, [p.model_dump(mode="json") for p in probes]])


def write_rows(run: RunFolder, arm: Arm, cell: Cell) -> None:
    """Stage 1: the rows, and apart from them the truth. Refuses rows that changed since."""
    folder = run.arm(arm.id)
    manifest = run.done(folder / "rows.json")
    if manifest is None:
        write_jsonl(folder / "rows.jsonl", (r.model_dump(mode="json") for r in cell.training.rows))
        write_jsonl(
            folder / "truth.jsonl",
            (
                {"id": r.id, "wrong": w}
                for r, w in zip(cell.training.rows, cell.training.wrong, strict=True)
            ),
        )
        write_json(
            folder / "rows.json",
            {"arm": arm.model_dump(mode="json"), "sha256": sha256_file(folder / "rows.jsonl")},
        )
    elif sha256_file(folder / "rows.jsonl") != manifest["sha256"]:
        raise GuardError(
            "stale rows",
            "rows.jsonl is not what this arm was named after",
            where=str(folder / "rows.jsonl"),
            next_step="delete this arm's folder and run again",
        )


def train(run: RunFolder, arm: Arm, cell: Cell, base: BaseModel, on_event: OnEvent) -> None:
    """Stage 2: the adapters, one per checkpoint."""
    folder = run.arm(arm.id)
    if run.done(folder / "train.json") is not None:
        return
    trained = train_arm(base, cell.training.rows, arm.recipe, arm.seed, folder, on_event=on_event)
    last = folder / checkpoint_name(1.0)
    record = asdict(trained)
    record["weights"] = sha256_file(next(last.glob("*.safetensors")))
    record["environment"] = base.environment()
    write_json(folder / "train.json", record)


def _ask(base: BaseModel, probes: Sequence[Probe], study: Study) -> list[Outcome]:
    choices = [p for p in probes if p.kind == "choice"]
    spoken = [p for p in probes if p.kind != "choice"]
    found = ask_choices(base, choices, system=study.system)
    if spoken:
        found += ask_open(base, spoken, system=study.system, max_tokens=study.ask.answer_tokens)
    return found


def _write_answers(path: Path, outcomes: Sequence[Outcome], extra: dict[str, Any]) -> None:
    write_jsonl(path, (o.model_dump(mode="json") for o in outcomes))
    write_json(path.with_suffix(".json"), {**extra, "sha256": sha256_file(path)})


def answers_of(path: Path) -> list[Outcome]:
    """Outcomes that a stage left behind."""
    return [Outcome.model_validate(v) for v in read_jsonl(path)]


def evaluate_base(
    run: RunFolder, base: BaseModel, name: str, probes: Sequence[Probe], study: Study
) -> Path:
    """The base model's answers, asked once per probe set."""
    path = run.path / "base" / "answers" / f"{name}.jsonl"
    if run.done(path.with_suffix(".json")) is None:
        _write_answers(path, _ask(base, probes, study), {"adapter": None})
    return path


def evaluate_arm(
    run: RunFolder, arm: Arm, base: BaseModel, name: str, probes: Sequence[Probe], study: Study
) -> Path:
    """Stage 3: the arm's answers, from the adapter as it lies on disk, and at checkpoints.

    Guards: the adapter on disk is the one that was trained, it changes the scores, and scores
    agree merged and unmerged.
    """
    folder = run.arm(arm.id)
    path = folder / "answers" / f"{name}.jsonl"
    if run.done(path.with_suffix(".json")) is not None:
        return path
    primary = [
        p
        for p in probes
        if p.kind == "choice"
        and (p.response, p.relation) == (study.primary.response, study.primary.relation)
    ]
    for share in arm.recipe.checkpoints[:-1]:
        mark = path.with_name(f"{name}-{checkpoint_name(share)}.jsonl")
        if run.done(mark.with_suffix(".json")) is None:
            with saved_adapter(base, folder / checkpoint_name(share)):
                _write_answers(mark, ask_choices(base, primary, system=study.system), {})
    adapter = folder / checkpoint_name(1.0)
    trained = run.done(folder / "train.json") or {}
    if sha256_file(next(adapter.glob("*.safetensors"))) != trained.get("weights"):
        raise GuardError(
            "two arms swapped", "the adapter is not the one trained here", where=str(adapter)
        )
    few = primary[:4]
    bare = ask_choices(base, few, system=study.system)
    with saved_adapter(base, adapter, merge=False):
        unmerged = ask_choices(base, few, system=study.system)
    with saved_adapter(base, adapter):
        merged = ask_choices(base, few, system=study.system)
        outcomes = _ask(base, probes, study)
    after = ask_choices(base, few, system=study.system)
    guards = _compare(bare, unmerged, merged, after, adapter)
    _write_answers(path, outcomes, {"guards": guards, "adapter": trained["weights"]})
    return path


def _compare(
    bare: Sequence[Outcome],
    unmerged: Sequence[Outcome],
    merged: Sequence[Outcome],
    after: Sequence[Outcome],
    adapter: Path,
) -> list[dict[str, Any]]:
    """The adapter must move the scores, merged and unmerged alike, and leave the base as it was."""
    moved, gap = _gap(bare, unmerged), _gap(unmerged, merged)
    if not moved > 0:
        raise GuardError("adapter at test", "scores are the base model's own", where=str(adapter))
    if gap > MERGE_GAP * max(1.0, moved):
        raise GuardError(
            "merged equals unmerged", f"scores differ by {gap:.3g} nats a token", where=str(adapter)
        )
    if list(bare) != list(after):
        raise GuardError("base restored", "the base model changed under an adapter")
    return [
        {"guard": "adapter at test", "passed": True, "detail": f"moves scores by {moved:.3g} nats"},
        {"guard": "merged equals unmerged", "passed": True, "detail": f"within {gap:.3g} nats"},
        {"guard": "base restored", "passed": True, "detail": "bit for bit"},
    ]


def _gap(a: Sequence[Outcome], b: Sequence[Outcome]) -> float:
    return max(
        abs(x - y)
        for one, other in zip(a, b, strict=True)
        for x, y in zip(one.per_token, other.per_token, strict=True)
    )


def template_check(base: BaseModel, cell: Cell) -> None:
    """Encode one row of a cell: the template round trip, before anything is trained."""
    row = cell.training.rows[0]
    encode_answer(base, row.prompt, row.answer)
