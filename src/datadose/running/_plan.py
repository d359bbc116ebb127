"""What a study will cost, before it is run: two training steps and one scoring batch, timed."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from datadose._core import digest, read_json, write_json
from datadose.evaluation import ask_choices, ask_open
from datadose.models import BaseModel, cache_folder, encode_answer, load_base
from datadose.running._design import lay_out
from datadose.running._run import plan_arms
from datadose.schema import Probe, Row, Study
from datadose.training import total_steps, train_arm

PROBES_TIMED = 16
STEPS_TIMED = 2


@dataclass(frozen=True)
class Estimate:
    """Arms, seconds and bytes that a study needs on this machine; money is 0 for `local`."""

    arms: int
    rows: int
    steps: int
    trained_tokens: int
    train_seconds: float
    ask_seconds: float
    seconds: float
    memory_gb: float
    disk_gb: float
    money: float = 0.0


def plan_study(study: Study) -> Estimate:
    """Estimate a study without spending anything but a few seconds of this machine's time.

    Timings are remembered by machine, model, recipe and probes, so a second call is quick.
    """
    design = lay_out(study)
    base = load_base(study.model, precision=study.train.precision)
    arms = plan_arms(design, base)
    cell = arms[0].cell
    probes = design.probes[cell.series.pool]
    per_token, per_probe_batch = _rates(base, study, cell.training.rows, probes)
    encoded = [encode_answer(base, r.prompt, r.answer) for r in cell.training.rows]
    tokens = sum(len(e.ids) for e in encoded)
    steps = total_steps(len(encoded), study.train)
    epochs = steps * study.train.batch * study.train.accumulate / max(1, len(encoded))
    train_seconds = tokens * epochs * per_token
    ask_seconds = per_probe_batch
    weights = sum(p.numel() * p.element_size() for p in base.model.parameters()) / 1e9
    return Estimate(
        arms=len(arms),
        rows=len(encoded),
        steps=steps,
        trained_tokens=round(tokens * epochs),
        train_seconds=round(train_seconds, 1),
        ask_seconds=round(ask_seconds, 1),
        seconds=round(len(arms) * (train_seconds + ask_seconds) + ask_seconds + 10, 1),
        memory_gb=round(2.2 * weights + 1.0, 1),
        disk_gb=round(0.15 * weights * len(arms) * len(study.train.checkpoints), 2),
    )


def _rates(
    base: BaseModel, study: Study, rows: tuple[Row, ...], probes: tuple[Probe, ...]
) -> tuple[float, float]:
    """Seconds per training token, and seconds to ask one arm everything."""
    key = digest(
        [
            base.environment(),
            base.weights,
            study.train.model_dump(mode="json"),
            study.ask.model_dump(mode="json"),
            [p.id for p in probes],
            [r.id for r in rows],
        ]
    )
    path = cache_folder() / "timings" / f"{key}.json"
    if path.is_file():
        known = read_json(path)
        return known["per_token"], known["ask"]
    with tempfile.TemporaryDirectory() as scratch:
        marks: list[float] = []
        train_arm(
            base,
            rows,
            study.train,
            0,
            Path(scratch),
            deadline=STEPS_TIMED + 1,
            on_event=lambda _: marks.append(time.monotonic()),
        )
    lengths = [len(encode_answer(base, r.prompt, r.answer).ids) for r in rows]
    mean_step = study.train.batch * study.train.accumulate * sum(lengths) / len(lengths)
    per_token = (marks[-1] - marks[0]) / max(1, len(marks) - 1) / mean_step
    ask = _time_asking(base, study, probes)
    write_json(path, {"per_token": per_token, "ask": ask})
    return per_token, ask


def _time_asking(base: BaseModel, study: Study, probes: tuple[Probe, ...]) -> float:
    choices = [p for p in probes if p.kind == "choice"]
    spoken = [p for p in probes if p.kind != "choice"]
    sample = choices[:: max(1, len(choices) // PROBES_TIMED)]
    ask_choices(base, sample[:2], system=study.system)
    started = time.monotonic()
    ask_choices(base, sample, system=study.system)
    primary = sum(
        (p.response, p.relation) == (study.primary.response, study.primary.relation)
        for p in choices
    )
    times_asked = len(choices) + primary * (len(study.train.checkpoints) - 1) + 16
    seconds = (time.monotonic() - started) / max(1, len(sample)) * times_asked
    if spoken:
        started = time.monotonic()
        ask_open(base, spoken, system=study.system, max_tokens=study.ask.answer_tokens)
        seconds += time.monotonic() - started
    return seconds
