"""Items put by `evaluate` as the samples of an Inspect log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datadose.evaluation import Answered, Form
from datadose.evaluation.benchmarks import Task
from datadose.schema import GOOD_ROLES, Outcome, Probe

if TYPE_CHECKING:
    from datadose.evaluation.inspect import Logged

Asked = Sequence[tuple[Task, Answered] | tuple[Probe, Outcome]]


def write_log(folder: Path, model: str, summary: dict[str, Any], form: Form, asked: Asked) -> Path:
    """The Inspect log of one task; `summary` is the one that `evaluate` gives of it."""
    from datadose.evaluation.inspect import write_inspect_log

    items = [
        _of_task(item, found, form, chat=summary["form"] == "chat")
        if isinstance(item, Task)
        else _of_probe(item, found, form)
        for item, found in asked
    ]
    return write_inspect_log(
        folder, model=model, task=summary["task"], form=form, summary=summary, items=items
    )


def _of_task(task: Task, found: Any, form: Form, *, chat: bool) -> Logged:
    from datadose.evaluation.inspect import Logged, wanted

    options = tuple(o.strip() for o in task.options)
    said = found.text if found.chosen is None else options[found.chosen]
    return Logged(
        id=task.id,
        prompt=task.chat if chat else form.primer + task.plain,
        system=form.system if chat else None,
        target=[options[i] for i in task.right] or wanted(task.check),
        kind=found.kind,
        answer=said or "",
        options=options,
        value=found.value,
        note=found.note,
        metadata=_told(group=task.group, scores=list(found.scores), chosen=found.chosen),
    )


def _of_probe(probe: Probe, found: Any, form: Form) -> Logged:
    from datadose.evaluation.inspect import Logged, wanted

    options = tuple(o.text for o in probe.options)
    said = found.text if found.chosen is None else options[found.chosen]
    right = [o.text for o in probe.options if o.role in GOOD_ROLES]
    return Logged(
        id=probe.id,
        prompt=probe.prompt,
        system=probe.system if probe.system is not None else form.system,
        target=right or wanted(probe.check),
        kind=found.kind,
        answer=said or "",
        options=options,
        value=None if found.kind in ("unscored", "error") else float(found.kind == "right"),
        note=found.note,
        metadata=_told(
            fact=probe.fact,
            relation=probe.relation,
            response=probe.response,
            roles=[o.role for o in probe.options],
            raw=list(found.raw),
            per_token=list(found.per_token),
            calibrated=list(found.calibrated),
            chosen=found.chosen,
        ),
    )


def _told(**values: Any) -> dict[str, Any]:
    return {k: v for k, v in values.items() if v not in (None, "", [])}
