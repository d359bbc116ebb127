"""What a study can be expected to find before any of it is run: power by simulation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from datadose import curves
from datadose._core import InputError
from datadose.curves import Aim, Assumed, CurvePower, Power
from datadose.running._adaptive import candidate_steps
from datadose.running._analyses import choices, label_of
from datadose.running._design import lay_out
from datadose.running._gather import choose_probes, gather
from datadose.schema import Study

if TYPE_CHECKING:
    import polars as pl

STUDIES, STUDIES_ADAPTIVE = 40, 10


def foresee(study: Study, *, like: Path | None = None, seed: int = 0) -> Power:
    """Simulate studies with this study's facts, wordings, doses and seeds, and analyse them.

    Facts and wordings are those of the primary probes of the first source. like: a run folder, or
    a table, whose rates and variances are assumed; without one, defaults. Doses are in the study's
    units. Raises InputError where `like` can't be read or has no primary response.
    """
    material = gather(study.rows[0], study)
    asked = study.primary.response_name, study.primary.relation
    probes = [p for p in choose_probes(study, material) if study.primary.is_on(p)]
    if not probes:
        raise InputError(
            f"no choice is asked for {' '.join(asked)}",
            where="primary",
            next_step="name a response and relation that the probes have",
        )
    down = study.primary.response == "domain"
    top = study.axis[-1] if study.vary == "add" else 1.0
    spec = curves.Spec(label_of(*asked), "down" if down else "up", "added" if down else "extra")
    assumed = _assumed(study, like, spec, top)
    facts = len({p.cluster for p in probes})
    world = replace(assumed.world, facts=facts, wordings=max(1, round(len(probes) / facts)))
    assumed = replace(assumed, world=world)
    doses = [d / top for d in study.axis]
    adaptive = study.design.adaptive
    aim = Aim(study.primary.threshold, spec.benchmark)
    run = curves.fixed(doses, len(study.seeds))
    if adaptive is not None:
        aim = replace(aim, width=adaptive.width / top, budget=adaptive.budget)
        cell = next(c for c in lay_out(study).cells if not c.control)
        run = curves.adaptive(
            spec,
            aim,
            doses=doses,
            seeds=len(study.seeds),
            batch=adaptive.batch,
            steps=candidate_steps(study, cell),
        )
    found = curves.power(
        run,
        doses,
        len(study.seeds),
        spec,
        aim,
        assumed,
        studies=STUDIES if adaptive is None else STUDIES_ADAPTIVE,
        seed=seed,
    )
    return replace(found, curves=tuple(_in_doses(c, top) for c in found.curves))


def _in_doses(found: CurvePower, top: float) -> CurvePower:
    def scaled(value: float | None) -> float | None:
        return None if value is None else value * top

    return replace(
        found,
        true=scaled(found.true),
        width=scaled(found.width),
        lower=scaled(found.lower),
        upper=scaled(found.upper),
    )


def _assumed(study: Study, like: Path | None, spec: curves.Spec, top: float) -> Assumed:
    if like is None:
        return curves.assume(None, spec)
    frame = _earlier(like, study)
    block = curves.to_block(frame, replace(spec, axis="count"))
    if study.vary != "add" and len(block.doses) and block.doses[-1] > 1:
        raise InputError(
            f"a dose of {block.doses[-1]:g} is not between 0 and 1",
            where=str(like),
            next_step="name a run or table whose doses are shares",
        )
    return curves.assume(block, spec)


def _earlier(like: Path, study: Study) -> pl.DataFrame:
    """The lines of the primary response in an earlier run folder or table."""
    import polars as pl

    response, relation = study.primary.response_name, study.primary.relation
    label = label_of(response, relation)
    if not like.is_dir():
        frame = curves.read_table(like)
        if "response" not in frame.columns:
            return frame
        names = frame["response"].unique(maintain_order=True).to_list()
        named = next((n for n in (label, response) if n in names), names[0] if names else "")
        return frame.filter(pl.col("response") == named)
    path = like / "responses.parquet"
    if not path.is_file():
        raise InputError(
            "no results of a run are there",
            where=str(path),
            next_step=f"datadose run {like / 'study.yaml'} --out {like}",
        )
    table = pl.read_parquet(path)
    series = table.filter((pl.col("series") != "") & ~pl.col("control"))
    first = series.row(0, named=True) if len(series) else {"pool": "", "series": ""}
    own = choices(table, first["pool"], response, relation)
    own = own.filter(((pl.col("series") == first["series"]) & ~pl.col("control")) | pl.col("base"))
    if own.is_empty():
        raise InputError(
            f"that run asked no {label}", where=str(like), next_step="name another with --like"
        )
    return own
