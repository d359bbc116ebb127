"""Guards of a run: what lies in a folder is this arm's own, and is put and loaded rightly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datadose._core import GuardError, sha256_file
from datadose.evaluation import asked_ids
from datadose.models import BaseModel
from datadose.running._folder import RunFolder
from datadose.schema import Arm, Outcome, Row
from datadose.training import fingerprint_ids, weights_hash

# Nats a token by which merged and unmerged scores may differ: bf16 rounds merged weights.
MERGE_GAP = {"fp32": 0.01, "bf16": 0.5}
AFRESH = "delete this arm's folder and run again"


def own_weights(run: RunFolder, arm: Arm, weights: str, rows: int) -> dict[str, Any]:
    """Arms that differ in seed must differ in weights, or the seed was never applied.

    Full fine-tuning in one batch sees the same rows whatever the seed, and is let pass.
    """
    others = 0
    one_batch = arm.recipe.method == "full" and rows <= arm.recipe.batch * arm.recipe.accumulate
    for path in sorted((run.path / "arms").glob("*/train.json")):
        manifest = run.done(path.with_name("rows.json")) or {"arm": arm.model_dump()}
        other = Arm.model_validate(manifest["arm"])
        if other.seed == arm.seed or other.trainer_version != arm.trainer_version:
            continue
        others += 1
        if (run.done(path) or {}).get("weights") == weights and not one_batch:
            raise GuardError(
                "seeds not applied",
                f"seeds {other.seed} and {arm.seed} gave the same weights to the last bit",
                where=str(run.arm(arm.id)),
                next_step="report this as an error of datadose; no bound would hold",
            )
    return {
        "guard": "seeds not applied",
        "passed": True,
        "detail": f"weights differ from those of {others} arms of other seeds",
    }


def whole_answers(run: RunFolder, path: Path) -> dict[str, Any] | None:
    """The manifest of the answers at `path`, None where there is none; refuses changed ones."""
    manifest = run.done(path.with_suffix(".json"))
    if manifest is None:
        return None
    if not path.is_file() or sha256_file(path) != manifest["sha256"]:
        raise GuardError(
            "stale answers",
            "these answers are not the ones that were given",
            where=str(path),
            next_step=f"delete {path.with_suffix('.json')} and run again",
        )
    return manifest


def answered(run: RunFolder, path: Path, adapter: str | None) -> bool:
    """Whether whole answers lie at `path`; refuses changed ones and those of another adapter."""
    manifest = whole_answers(run, path)
    if manifest is None:
        return False
    if manifest["adapter"] != adapter:
        raise GuardError(
            "two arms swapped",
            "these answers are another adapter's",
            where=str(path),
            next_step=AFRESH,
        )
    return True


def check_own(arm: Arm, adapter: Path, trained: dict[str, Any]) -> None:
    """The adapter on disk must be the one that this arm's training left."""
    if trained.get("arm") != arm.id or weights_hash(adapter) != trained["weights"]:
        raise GuardError(
            "two arms swapped",
            "the adapter is not the one trained here",
            where=str(adapter),
            next_step=AFRESH,
        )


def check_template(base: BaseModel, rows: Sequence[Row], trained: dict[str, Any]) -> dict[str, Any]:
    """The first rows, put as questions are put, must give the token ids that were trained on."""
    known = trained["encoded"]
    for row, seen in zip(rows, known, strict=False):
        if fingerprint_ids(asked_ids(base, row.prompt, row.answer)) != seen:
            raise GuardError(
                "template at test",
                f"the question {row.prompt[-1].content[:60]!r} is put in other tokens than the"
                " ones it was trained in",
                where=base.name,
                next_step="undo what changed the tokenizer or its chat template, and run again",
            )
    return {
        "guard": "template at test",
        "passed": True,
        "detail": f"{min(len(rows), len(known))} rows asked in the tokens they were trained in",
    }


def compare(
    bare: Sequence[Outcome],
    unmerged: Sequence[Outcome] | None,
    merged: Sequence[Outcome],
    after: Sequence[Outcome],
    adapter: Path,
    floor: float,
) -> list[dict[str, Any]]:
    """The adapter must move the scores, merged and unmerged alike, and leave the base as it was.

    Merged and unmerged may differ by half of what the adapter moves, or by `floor` nats. Full
    fine-tuning has nothing to merge: `unmerged` is None.
    """
    moved = _gap(bare, merged if unmerged is None else unmerged)
    gap = 0.0 if unmerged is None else _gap(unmerged, merged)
    if not (moved > 0 and _gap(bare, merged) > 0):
        raise GuardError(
            "adapter at test",
            "scores are the base model's own",
            where=str(adapter),
            next_step=AFRESH,
        )
    if gap > max(floor, 0.5 * moved):
        raise GuardError(
            "merged equals unmerged",
            f"scores differ by {gap:.3g} nats a token",
            where=str(adapter),
            next_step="set train.precision: fp32 and use another folder with --out",
        )
    if list(bare) != list(after):
        raise GuardError(
            "base restored",
            "the base model changed under an adapter",
            where=str(adapter),
            next_step="run the same command again, and report this as an error of datadose",
        )
    return [
        {"guard": "adapter at test", "passed": True, "detail": f"moves scores by {moved:.3g} nats"},
        {
            "guard": "merged equals unmerged",
            "passed": None if unmerged is None else True,
            "detail": "full fine-tuning" if unmerged is None else f"within {gap:.3g} nats",
        },
        {"guard": "base restored", "passed": True, "detail": "bit for bit"},
    ]


def _gap(a: Sequence[Outcome], b: Sequence[Outcome]) -> float:
    return max(
        abs(x - y)
        for one, other in zip(a, b, strict=True)
        for x, y in zip(one.per_token, other.per_token, strict=True)
    )
