"""What a study will cost, before it is run: two training steps and one scoring batch, timed."""

from __future__ import annotations

import contextlib
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from datadose._core import digest, read_json, write_json
from datadose.evaluation import (
    BATCH,
    SCORER_VERSION,
    ask_choices,
    ask_open,
    choice_tokens,
)
from datadose.models import BaseModel, cache_folder, encode_answer, fresh_adapter, load_base
from datadose.running._design import Cell, Design, lay_out
from datadose.running._open import judging_price, open_questions, samples_of, tokens_of
from datadose.running._run import plan_arms
from datadose.running._workers import fair_share
from datadose.schema import Probe, Recipe, Study
from datadose.training import (
    TRAINER_VERSION,
    encode_rows,
    plan_steps,
    total_steps,
    train_arm,
)

PROBES_TIMED = 16
STEPS_TIMED = 2
SAID_TIMED = 8
REPORT_SECONDS = 8.0
# Copies of the base's weights in memory at once, at most. Full fine-tuning holds the weights, a
# copy to put back, a gradient, two moments of the optimiser, and writes a checkpoint out of them.
MEMORY = {"lora": 2.2, "full": 6.8}


@dataclass(frozen=True)
class Estimate:
    """Arms, seconds and bytes that a study needs on this machine; money for judges with a price.

    arms: at most, where the design is adaptive, which begins with `start` of them. rows,
    steps, trained_tokens, train_seconds, ask_seconds: of an arm, in the mean.
    """

    arms: int
    start: int
    rows: int
    steps: int
    trained_tokens: int
    train_seconds: float
    ask_seconds: float
    seconds: float
    memory_gb: float
    disk_gb: float
    workers: int = 1
    money: float = 0.0


@dataclass(frozen=True)
class Rates:
    """What was timed: seconds per token trained, per token scored, per token said (a batch of
    answers at once), and to load the base."""

    train: float
    score: float
    say: float
    load: float


def plan_study(study: Study, *, workers: int = 1) -> Estimate:
    """Estimate a study without spending anything but a few seconds of this machine's time.

    Two optimiser steps of the first arm, one scoring batch and one batch of answers are timed,
    on the threads that each of `workers` processes would have, and remembered by machine, model
    and recipe. With more than one worker the timings are taken while as many are at work.
    """
    design = lay_out(study)
    threads = fair_share(workers)
    started = time.monotonic()
    base = load_base(study.model, precision=study.train.precision, threads=threads)
    load = time.monotonic() - started
    arms = plan_arms(design, base)
    rates = _rates(base, design, arms[0].cell, workers, load)
    train, ask, rows, steps, tokens = [], [], [], [], []
    for planned in arms:
        cell, recipe = planned.cell, planned.arm.recipe
        lengths = [len(encode_answer(base, r.prompt, r.answer).ids) for r in cell.training.rows]
        rows.append(len(lengths))
        steps.append(total_steps(len(lengths), recipe))
        passes = steps[-1] * recipe.batch * recipe.accumulate / max(1, len(lengths))
        tokens.append(sum(lengths) * passes)
        train.append(tokens[-1] * rates.train)
        ask.append(_asking(base, design, cell.series.pool, rates, len(recipe.checkpoints)))
    once = sum(_asking(base, design, pool, rates, 1) for pool in design.probes)
    start = len(arms)
    count = start + _to_add(study, design)
    busy = (sum(train) + sum(ask)) / start * count / min(workers, count) + once
    weights = sum(p.numel() * p.element_size() for p in base.model.parameters()) / 1e9
    return Estimate(
        arms=count,
        start=start,
        rows=round(sum(rows) / start),
        steps=round(sum(steps) / start),
        trained_tokens=round(sum(tokens) / start),
        train_seconds=round(sum(train) / start, 1),
        ask_seconds=round(sum(ask) / start, 1),
        seconds=round(rates.load + busy + REPORT_SECONDS, 1),
        memory_gb=round(workers * (MEMORY[study.train.method] * weights + 1.0), 1),
        disk_gb=round(_checkpoints_gb(base, study.train) * count, 2),
        workers=workers,
        money=round((count + 1) * judging_price(study), 2),
    )


def _to_add(study: Study, design: Design) -> int:
    """The most arms that an adaptive design can add to those it starts from."""
    adaptive = study.design.adaptive
    if adaptive is None:
        return 0
    series = {c.series.label for c in design.cells if not c.control}
    start = len(set(study.axis)) * len(set(study.seeds))
    return len(series) * (adaptive.budget - start)


def _checkpoints_gb(base: BaseModel, recipe: Recipe) -> float:
    """What an arm's checkpoints take: tuned weights each, and thrice that beside the last one
    (weights and the optimiser's two moments)."""
    module = contextlib.nullcontext(base.model)
    tuned = module if recipe.method == "full" else fresh_adapter(base, recipe, 0)
    with tuned as model:
        size = sum(
            int(p.numel()) * int(p.element_size())
            for p in model.parameters()
            if recipe.method == "full" or p.requires_grad
        )
    return (len(recipe.checkpoints) + 3) * size / 1e9


def _asking(base: BaseModel, design: Design, pool: str, rates: Rates, checkpoints: int) -> float:
    """Seconds to put a source's probes to one arm, guards and earlier checkpoints included."""
    study = design.study
    probes = design.probes[pool]
    primary = [p for p in probes if study.primary.is_on(p)]
    every = choice_tokens(base, [p for p in probes if p.kind == "choice"], system=study.system)
    again = choice_tokens(base, primary, system=study.system)
    spoken = any(p.kind != "choice" for p in probes)
    seconds = (every + again * (checkpoints - 1)) * rates.score
    seconds += spoken * study.ask.answer_tokens * rates.say
    said = dict.fromkeys((study.ask.open_tokens, study.ask.request_tokens), 0)
    for q in open_questions(study):
        said[tokens_of(q, study)] += samples_of(q, study)
    return seconds + sum(math.ceil(n / BATCH) * t for t, n in said.items()) * rates.say


def _rates(base: BaseModel, design: Design, cell: Cell, workers: int, load: float) -> Rates:
    study = design.study
    probes = design.probes[cell.series.pool]
    spoken = [p for p in probes if p.kind != "choice"]
    spoken = spoken or [q.probe() for q in open_questions(study)[:BATCH]]
    key = digest(
        [
            base.environment(),
            base.weights,
            workers,
            study.train.model_dump(mode="json"),
            [study.ask.answer_tokens, len(spoken)],
            [TRAINER_VERSION, SCORER_VERSION],
        ]
    )
    path = cache_folder() / "timings" / f"{key}.json"
    if path.is_file():
        return Rates(**read_json(path))
    with _others_at_work(workers - 1):
        rates = Rates(
            train=_time_training(base, study, cell),
            score=_time_scoring(base, study, probes),
            say=_time_saying(base, study, spoken),
            load=load,
        )
    write_json(path, asdict(rates))
    return rates


def _time_training(base: BaseModel, study: Study, cell: Cell) -> float:
    """Seconds per token, padding included in the time and left out of the count."""
    rows = cell.training.rows
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        train_arm(
            base,
            rows,
            study.train,
            0,
            Path(scratch),
            deadline=STEPS_TIMED + 1,
            on_event=lambda _: marks.append(time.monotonic()),
        )
    encoded = encode_rows(base, rows, study.train)
    steps = plan_steps([e.start for e in encoded], study.train, 0)[1 : len(marks)]
    tokens = sum(len(encoded[i].ids) for step in steps for micro in step for i in micro)
    return (marks[-1] - marks[0]) / max(1, tokens)


def _time_scoring(base: BaseModel, study: Study, probes: Sequence[Probe]) -> float:
    choices = [p for p in probes if p.kind == "choice"]
    sample = choices[:: max(1, len(choices) // PROBES_TIMED)]
    ask_choices(base, sample[:2], system=study.system)
    started = time.monotonic()
    ask_choices(base, sample, system=study.system)
    return (time.monotonic() - started) / choice_tokens(base, sample, system=study.system)


def _time_saying(base: BaseModel, study: Study, spoken: Sequence[Probe]) -> float:
    if not spoken:
        return 0.0
    few = SAID_TIMED
    started = time.monotonic()
    ask_open(base, spoken, system=study.system, max_tokens=few)
    return (time.monotonic() - started) / few


@contextlib.contextmanager
def _others_at_work(count: int) -> Iterator[None]:
    """Keep `count` cores as busy as other workers would, so that what is timed is shared."""
    busy = "import numpy as np; a = np.ones((512, 512), 'f4')\nwhile True: a @ a"
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    running = [subprocess.Popen([sys.executable, "-c", busy], env=quiet) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
