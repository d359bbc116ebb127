"""The answers of a study's arms as Inspect logs."""

from __future__ import annotations

from pathlib import Path

from datadose._core import need_extra
from datadose.evaluation import Form, summarise_counts
from datadose.models import BaseModel, load_base
from datadose.running._adaptive import added
from datadose.running._design import lay_out
from datadose.running._evaluate import answered_probe
from datadose.running._folder import RunFolder
from datadose.running._inspect_log import write_log
from datadose.running._run import probe_names
from datadose.running._tables import collect
from datadose.schema import Study


def write_study_logs(
    study: Study, folder: Path, out: Path, *, base: BaseModel | None = None
) -> list[Path]:
    """One log for the base and for each arm, response and way of asking, from the run folder.

    An arm that serves several series is logged once, under the first. Raises InputError where an
    arm of the study has not been run, GuardError where answers are not those that were given,
    MissingExtraError without `datadose[inspect]`.
    """
    need_extra("inspect_ai", "inspect")
    run, design = RunFolder(folder), lay_out(study, added(folder))
    base = base or load_base(study.model, precision=study.train.precision)
    form = Form(system=study.system, max_tokens=study.ask.answer_tokens)
    paths, seen = [], set()
    for found in collect(run, design, base, probe_names(design)):
        if (found.pool, found.arm) in seen:
            continue
        seen.add((found.pool, found.arm))
        cell = found.cell
        model = study.model if cell is None else str(run.arm(found.arm))
        of_arm = (
            {}
            if cell is None
            else {"series": cell.series.label, "dose": cell.dose, "seed": cell.seed}
        )
        probes = {p.id: p for p in design.probes[found.pool]}
        pairs = [(probes[o.probe], o) for o in found.outcomes]
        # a public set, and choices behind a cue, are never pooled with our own probes
        groups = [(p.response_name, p.kind == "choice") for p, _ in pairs]
        for response, choice in dict.fromkeys(groups):
            asked = [x for x, g in zip(pairs, groups, strict=True) if g == (response, choice)]
            counts = summarise_counts([answered_probe(p, o) for p, o in asked], choice)
            kind = "choice" if choice else "generate"
            head = {"task": f"{found.pool}/{response}/{kind}", "response": response, "kind": kind}
            summary = {**head, "form": "chat", **of_arm, **counts}
            paths.append(write_log(out, model, summary, form, asked))
    return paths
