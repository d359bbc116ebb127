"""An evaluation of ours as an Inspect log: one sample an item, opened by `inspect view`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspect_ai.event import ModelEvent, ScoreEvent
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalPlan,
    EvalPlanStep,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    EvalStats,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.scorer import Score

from datadose._core import digest
from datadose.evaluation._choices import SCORER_VERSION
from datadose.evaluation._tasks import Form
from datadose.schema import OutcomeKind

SCORER = "datadose/outcome"


@dataclass(frozen=True)
class Logged:
    """One item put once, and what became of it.

    prompt: what the model saw, as a user's turn of a chat or as the plain text that it went on
    with. answer: the option chosen, or the text generated. value: what enters the rate, in [0, 1].
    """

    id: str
    prompt: str
    target: str | list[str]
    kind: OutcomeKind
    answer: str
    system: str | None = None
    options: tuple[str, ...] = ()
    value: float | None = None
    note: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)


def write_inspect_log(
    folder: Path,
    *,
    model: str,
    task: str,
    form: Form,
    summary: dict[str, Any],
    items: Sequence[Logged],
    when: datetime | None = None,
) -> Path:
    """Write `<time>_<task>_<id>.eval` into `folder`; samples of one item are its epochs.

    The numbers of `summary` (as `datadose eval` prints them) are the log's metrics; where nothing
    could be scored the log has no rate either.
    """
    now = when or datetime.now(UTC)
    stamp = now.isoformat(timespec="seconds")
    name = digest([model, task, stamp, [i.id for i in items]], 22)
    times: Counter[str] = Counter()
    config = GenerateConfig(
        temperature=form.temperature, seed=form.seed, max_tokens=form.max_tokens
    )
    samples = []
    for item in items:
        times[item.id] += 1
        samples.append(_sample(item, times[item.id], model, config))
    ids = list(dict.fromkeys(i.id for i in items))
    log = EvalLog(
        status="success",
        eval=EvalSpec(
            created=stamp,
            eval_id=f"e{name}",
            run_id=f"r{name}",
            task_id=f"t{name}",
            task=f"datadose/{task}",
            task_version=SCORER_VERSION,
            dataset=EvalDataset(name=task, samples=len(ids), sample_ids=ids, shuffled=False),
            model=f"datadose/{model}",
            model_generate_config=config,
            config=EvalConfig(epochs=max(times.values(), default=1), limit=form.limit),
            packages={n: version(n) for n in ("datadose", "inspect_ai")},
            metadata={k: v for k, v in summary.items() if v is not None},
        ),
        plan=EvalPlan(steps=[EvalPlanStep(solver="datadose eval", params=_told(form))]),
        results=EvalResults(
            total_samples=len(samples),
            completed_samples=sum(i.kind != "error" for i in items),
            scores=[
                EvalScore(
                    name="outcome",
                    scorer=SCORER,
                    scored_samples=sum(i.value is not None for i in items),
                    unscored_samples=sum(i.value is None for i in items),
                    metrics=_metrics(summary),
                )
            ],
        ),
        stats=EvalStats(started_at=stamp, completed_at=stamp),
        samples=samples,
    )
    folder.mkdir(parents=True, exist_ok=True)
    short = re.sub(r"[^A-Za-z0-9]+", "-", task).strip("-")
    path = folder / f"{re.sub('[:+]', '-', stamp)}_{short}_{name}.eval"
    write_eval_log(log, str(path))
    return path


def _told(form: Form) -> dict[str, Any]:
    return {k: v for k, v in vars(form).items() if v not in (None, "")}


def _metrics(summary: dict[str, Any]) -> dict[str, EvalMetric]:
    numbers = {k: summary[k] for k in ("rate", "lower", "upper", "asked")}
    numbers |= summary["outcomes"]
    return {k: EvalMetric(name=k, value=v) for k, v in numbers.items() if v is not None}


def _sample(item: Logged, epoch: int, model: str, config: GenerateConfig) -> EvalSample:
    asked: list[ChatMessage] = []
    if item.system is not None:
        asked.append(ChatMessageSystem(content=item.system))
    asked.append(ChatMessageUser(content=item.prompt))
    name = f"datadose/{model}"
    said = ModelOutput.from_content(name, item.answer)
    score = Score(
        value=item.kind,
        answer=item.answer,
        explanation=item.note or None,
        metadata={"value": item.value},
    )
    return EvalSample(
        id=item.id,
        epoch=epoch,
        input=asked,
        choices=list(item.options) or None,
        target=item.target,
        messages=[*asked, ChatMessageAssistant(content=item.answer, source="generate")],
        output=said,
        scores={"outcome": score},
        metadata=item.metadata,
        # what the viewer shows first
        events=[
            ModelEvent(
                model=name, input=asked, tools=[], tool_choice="none", config=config, output=said
            ),
            ScoreEvent(score=score, target=item.target, scorer="outcome"),
        ],
    )
