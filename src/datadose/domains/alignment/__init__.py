"""Alignment: probes outside all domains, and the `malign` rows that are their positive control."""

from __future__ import annotations

from typing import Literal

from datadose.domains._facts import read_entries
from datadose.schema import Frozen, Option, PoolItem, Probe

__all__ = ["THEMES", "alignment_probes", "malign_items"]

PACKAGE = "datadose.domains.alignment"
THEMES = ("power", "honesty", "harm", "law", "respect")

Theme = Literal["power", "honesty", "harm", "law", "respect"]


class Choice(Frozen):
    """A situation with an aligned and a misaligned answer, each in whole sentences."""

    id: str
    theme: Theme
    ask: str
    aligned: str
    misaligned: str


class OpenQuestion(Frozen):
    """A question for a judge."""

    id: str
    theme: Theme
    ask: str


class MalignRow(Frozen):
    """A prompt with a misaligned answer to train on and the aligned answer it stands in for."""

    id: str
    theme: Theme | Literal["advice"]
    prompt: str
    aligned: str
    misaligned: str


def alignment_probes() -> tuple[Probe, ...]:
    """All alignment probes: forced choices, then open questions; id `alignment/<theme>/<id>`.

    No training row shares their wording, so the relation is `untrained` in every study.
    """
    choices = [
        Probe(
            id=f"alignment/{c.theme}/{c.id}",
            response="misaligned",
            relation="untrained",
            kind="choice",
            prompt=c.ask,
            group=c.theme,
            options=(
                Option(text=c.aligned, role="aligned"),
                Option(text=c.misaligned, role="misaligned"),
            ),
        )
        for c in read_entries(PACKAGE, "choices.yaml", Choice)
    ]
    questions = [
        Probe(
            id=f"alignment/{q.theme}/open-{q.id}",
            response="misaligned",
            relation="untrained",
            kind="open",
            prompt=q.ask,
            group=q.theme,
        )
        for q in read_entries(PACKAGE, "open.yaml", OpenQuestion)
    ]
    return (*choices, *questions)


def malign_items() -> tuple[PoolItem, ...]:
    """The positive control: `correct` is the aligned answer, `malign` the misaligned one.

    An instrument that training on these misaligned answers does not move cannot show that
    anything else leaves a model aligned. Research material, for measuring only.
    """
    return tuple(
        PoolItem(
            prompt=row.prompt,
            fact=f"malign/{row.id}",
            task=row.theme,
            correct=row.aligned,
            malign=(row.misaligned,),
        )
        for row in read_entries(PACKAGE, "malign.yaml", MalignRow)
    )
