"""Tasks of lm-evaluation-harness: its prompts, filters and metrics; the model is asked here."""

from __future__ import annotations

import contextlib
import difflib
import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any

from datadose._core import InputError, StageError, UsageError, need_extra
from datadose.evaluation._tasks import Answered, Form, summarise_counts
from datadose.evaluation.benchmarks import Task
from datadose.models import BaseModel
from datadose.schema import Check, Option, Probe

HARNESS = "lm-eval:"
SHOTS_SEED = 1234  # the harness's own for its examples
KINDS = {"multiple_choice": "choice", "loglikelihood": "choice", "generate_until": "generate"}


@dataclass(frozen=True)
class HarnessTask:
    """A task of the harness, its data loaded. metric: what says right from wrong, None for the
    first of the task's own that does.
    """

    name: str
    task: Any
    metric: str | None = None

    @property
    def kind(self) -> str:
        """`choice` or `generate`."""
        return KINDS[self.task.OUTPUT_TYPE]


def read_harness(spec: str) -> list[HarnessTask]:
    """The tasks that `NAME`, `FILE.yaml` or `FOLDER/NAME` stands for; `@METRIC` may follow.

    NAME is one of the harness's own, a group or tag gives all of its tasks; FOLDER holds a user's
    task files. Raises MissingExtraError without `datadose[lm-eval]`, UsageError for names that are
    not known and tasks that give no rate or run code, StageError where data can't be loaded.
    """
    need_extra("lm_eval", "lm-eval")
    place, _, metric = spec.strip().partition("@")
    with _quiet():
        from lm_eval.tasks import TaskManager

        path = Path(place).expanduser()
        if path.suffix in (".yaml", ".yml"):
            if not path.is_file():
                raise InputError("there is no such task file", where=place)
            manager, name = TaskManager(include_defaults=False), str(path)
        elif "/" in place:
            if not path.parent.is_dir():
                raise InputError("there is no such folder of task files", where=str(path.parent))
            manager = TaskManager(include_path=str(path.parent), include_defaults=False)
            name = path.name
        else:
            manager, name = _own_tasks(), place
        if path.suffix not in (".yaml", ".yml") and name not in manager.all_tasks:
            near = difflib.get_close_matches(name, manager.all_tasks, n=5)
            raise UsageError(
                f"lm-eval has no task {name!r}",
                next_step=f"did you mean: {', '.join(near)}"
                if near
                else "give a name that `lm-eval ls tasks` lists, or a task file",
            )
        try:
            loaded = manager.load(name)["tasks"]
        except Exception as error:
            raise StageError(
                f"the lm-eval task {name!r} can't be loaded: {type(error).__name__}:"
                f" {str(error)[:200]}",
                next_step="its data come from the hub unless the task file names local files",
            ) from error
    return [_checked(HarnessTask(n, task, metric or None)) for n, task in loaded.items()]


@functools.cache
def _own_tasks() -> Any:
    """All that the harness brings; reading its thousands of files takes it seconds."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def _checked(found: HarnessTask) -> HarnessTask:
    """The task, with no examples where it says nothing of them; refused where it can't be asked."""
    task = found.task
    if task.OUTPUT_TYPE not in KINDS:
        raise UsageError(
            f"the lm-eval task {found.name!r} is {task.OUTPUT_TYPE}, which gives no rate",
            next_step="choose a task of multiple choice or of generation",
        )
    if getattr(task, "UNSAFE_CODE", False):
        raise UsageError(
            f"the lm-eval task {found.name!r} runs the model's code outside any sandbox",
            next_step="use humaneval, humanevalfix or mbpp of `datadose datasets --tasks`",
        )
    if getattr(task, "MULTIMODAL", False):
        raise UsageError(f"the lm-eval task {found.name!r} shows more than text")
    if task.get_config("num_fewshot") is None:
        task.set_config(key="num_fewshot", value=0)
    task.set_fewshot_seed(seed=SHOTS_SEED)
    return found


def ask_harness(
    base: BaseModel, found: HarnessTask, form: Form
) -> list[tuple[dict[str, Any], list[Answered]]]:
    """Put a task to the model as it stands: (a summary, the items) for each of its filters.

    An item is right where its metric is over 0.5. The summary is that of `summarise`, with the
    metric's name and all that the harness aggregates. Plain unless `form.chat`, which takes the
    model's template with examples as turns. Raises UsageError for a primer or several samples,
    which are the task file's matter, for metrics that score no single item between 0 and 1, and
    for generation settings other than length, stops and temperature.
    """
    if form.primer or form.samples > 1 or form.temperature:
        raise UsageError(
            "an lm-eval task brings its own examples, samples and temperature",
            next_step="leave out --primer, --samples and --temperature",
        )
    if form.system is not None and not form.chat:
        raise UsageError("a system prompt needs a chat", next_step="give --chat too")
    with _quiet():
        from lm_eval.evaluator import evaluate

        from datadose.evaluation._lm_eval_model import HeldModel

        done = evaluate(
            HeldModel(base, seed=form.seed, max_tokens=form.max_tokens),
            {"tasks": {found.name: found.task}},
            limit=form.limit,
            bootstrap_iters=0,
            log_samples=True,
            system_instruction=form.system,
            apply_chat_template=bool(form.chat),
            fewshot_as_multiturn=bool(form.chat),
        )
    samples = sorted(done["samples"][found.name], key=lambda s: s["doc_id"])
    filters = list(dict.fromkeys(s["filter"] for s in samples))
    parts = []
    for name in filters:
        mine = [s for s in samples if s["filter"] == name]
        metric = _metric(found, mine)
        answered = [_answered(found, s, metric) for s in mine]
        totals = {
            key.split(",")[0]: float(value)
            for key, value in done["results"][found.name].items()
            if key.endswith(f",{name}") and "_stderr" not in key and _is_number(value)
        }
        head = {
            "part": f"{found.name}/{name}" if len(filters) > 1 else found.name,
            "response": "domain",
            "kind": found.kind,
            "form": "chat" if form.chat else "plain",
        }
        counts = summarise_counts(answered, found.kind == "choice")
        parts.append(({**head, **counts, "metric": metric, "lm_eval": totals}, answered))
    return parts


def harness_items(found: HarnessTask) -> dict[str, Task]:
    """What `ask_harness` put last, by item: the prompt, the options, and what was to be said."""
    asked: dict[int, list[Any]] = {}
    for one in sorted(found.task.instances, key=lambda i: (i.doc_id, i.idx)):
        asked.setdefault(one.doc_id, []).append(one)
    items = {}
    for number, parts in asked.items():
        prompt = str(parts[0].args[0])
        target = found.task.doc_to_target(parts[0].doc)
        name = f"{HARNESS}{found.name}/{number}"
        if found.kind == "choice":
            # some metrics ask every option once more without its prompt, and some tasks put the
            # options before one ending
            put = [tuple(map(str, p.args[:2])) for p in parts if str(p.args[0])]
            same = len({before for before, _ in put}) == 1
            options = tuple(after if same else before + after for before, after in put)
            right: tuple[int, ...] = (target,) if isinstance(target, int) else ()
            if isinstance(target, str):
                right = tuple(i for i, o in enumerate(options) if o.strip() == target.strip())
            right = tuple(i for i in right if 0 <= i < len(options))
            items[name] = Task(name, plain=prompt, chat=prompt, options=options, right=right)
            continue
        said = (target,) if isinstance(target, str) else tuple(map(str, target or ()))
        check = Check(kind="text", accept=said) if any(said) else None
        items[name] = Task(name, plain=prompt, chat=prompt, check=check)
    return items


def _metric(found: HarnessTask, samples: Sequence[dict[str, Any]]) -> str:
    """The metric that says which items are right: numbers in [0, 1], higher is better."""
    better = found.task.higher_is_better()
    usable = [
        name
        for name in samples[0]["metrics"]
        if better.get(name, True)
        and all(_is_number(s[name]) and 0 <= s[name] <= 1 for s in samples)
    ]
    for name in usable:
        if found.metric in (None, name):
            return str(name)
    wanted = "none" if found.metric is None else f"no {found.metric!r}"
    raise UsageError(
        f"among the metrics of {found.name!r} is {wanted} that scores each item between 0 and 1",
        next_step=f"choose @METRIC from: {', '.join(usable) or 'none'}",
    )


def _is_number(value: Any) -> bool:
    import numpy as np

    return isinstance(value, Real | np.bool_)


def _answered(found: HarnessTask, sample: dict[str, Any], metric: str) -> Answered:
    value = float(sample[metric])
    scores: tuple[float, ...] = ()
    chosen, text = None, None
    if found.kind == "generate":
        text = str(sample["resps"][0][0])
    else:
        scores = tuple(round(float(r[0][0]), 6) for r in sample["resps"])
        if metric == "acc" and len(scores) > 1:
            chosen = max(range(len(scores)), key=lambda i: (scores[i], -i))
    return Answered(
        f"{HARNESS}{found.name}/{sample['doc_id']}",
        "",
        "right" if value > 0.5 else "wrong",
        value,
        chosen,
        scores=scores,
        text=text,
    )


def harness_probes(spec: str) -> list[Probe]:
    """The items of multiple-choice tasks as forced choices for a study, asked as chats.

    The prompt is the task's, examples and all, as a user's turn; no training row shares its fact.
    Raises as `read_harness`, and UsageError for tasks that are no choice between distinct
    options, one of them right.
    """
    probes = []
    for found in read_harness(spec):
        task = found.task
        if task.OUTPUT_TYPE != "multiple_choice" or getattr(task, "multiple_input", 0):
            raise UsageError(
                f"the lm-eval task {found.name!r} is no choice between options",
                where="rows.probes",
                next_step="ask it with `datadose eval`",
            )
        with _quiet():
            task.build_all_requests(limit=None, rank=0, world_size=1)
        asked: dict[int, list[Any]] = {}
        for request in task.instances:
            asked.setdefault(request.doc_id, []).append(request)
        for number, requests in sorted(asked.items()):
            probes.append(_probe(found, number, requests))
    return probes


def _probe(found: HarnessTask, number: int, requests: Sequence[Any]) -> Probe:
    options = [r.args[1].strip() for r in requests if r.args[0]]
    right = found.task.doc_to_target(requests[0].doc)
    if isinstance(right, str) and right in options:
        right = options.index(right)
    if not isinstance(right, int) or not 0 <= right < len(set(options)) == len(options):
        raise UsageError(
            f"item {number} of the lm-eval task {found.name!r} has not one right option among"
            " others that differ",
            where="rows.probes",
            next_step="ask it with `datadose eval`",
        )
    return Probe(
        id=f"{HARNESS}{found.name}/{number}",
        response="domain",
        relation="untrained",
        kind="choice",
        prompt=requests[0].args[0].strip(),
        options=tuple(
            Option(text=text, role="correct" if i == right else "foil")
            for i, text in enumerate(options)
        ),
    )


def rooted_spec(spec: str, folder: Path) -> str:
    """`lm-eval:...` with a file's or folder's name made absolute, given from `folder`."""
    place = spec.removeprefix(HARNESS)
    if "/" not in place and not place.partition("@")[0].endswith((".yaml", ".yml")):
        return spec
    return f"{HARNESS}{(folder / Path(place).expanduser()).absolute()}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and only errors of the harness; what it warns of is not the user's doing."""
    import datasets

    log = logging.getLogger("lm_eval")
    level, bars = log.level, datasets.utils.logging.is_progress_bar_enabled()
    log.setLevel(logging.ERROR)
    datasets.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        log.setLevel(level)
        if bars:
            datasets.utils.logging.enable_progress_bar()
