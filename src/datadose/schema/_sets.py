"""A series whose axis is named training sets instead of a dose."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from datadose.schema._ask import Asked, Primary
from datadose.schema._base import Frozen
from datadose.schema._rows import Probe, Row
from datadose.schema._study import Recipe


class NamedSet(Frozen):
    """The rows of one arm under a name, such as `cleaned`; a name may stand once for every seed.

    `wrong[i]` belongs to `rows[i]`, None where nobody knows. It is written apart from the rows and
    never handed to a trainer, a scorer or a detector.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")]
    seed: int
    rows: tuple[Row, ...] = Field(min_length=1)
    wrong: tuple[bool | None, ...]

    @model_validator(mode="after")
    def _one_truth_per_row(self) -> Self:
        if len(self.rows) != len(self.wrong):
            raise ValueError(f"{len(self.rows)} rows but {len(self.wrong)} truths")
        return self

    @property
    def dose(self) -> float | None:
        """Share of rows that are wrong, None where the truth of any row is unknown."""
        known = [w for w in self.wrong if w is not None]
        return sum(known) / len(known) if len(known) == len(self.wrong) else None


class SetSeries(Frozen):
    """Arms that share base, recipe, seed and probes, and differ in their rows.

    All take the same number of optimiser steps, `train.steps`: a smaller set is passed over more
    often. `primary` names, before anything is trained, the probes that decide.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    model: str = "smollm2-135m"
    sets: tuple[NamedSet, ...] = Field(min_length=1)
    probes: tuple[Probe, ...] = Field(min_length=1)
    train: Recipe
    system: str | None = None
    primary: Primary = Primary()

    @model_validator(mode="after")
    def _can_be_compared(self) -> Self:
        if self.train.steps is None:
            raise ValueError("equal steps need train.steps")
        cells = [(s.name, s.seed) for s in self.sets]
        if len(set(cells)) != len(cells):
            raise ValueError("a set stands twice under one name and seed")
        if any(p.kind != "choice" for p in self.probes):
            raise ValueError("only forced choices are asked of a series over named sets")
        wanted = (self.primary.response, self.primary.relation)
        if not any((p.response, p.relation) == wanted for p in self.probes):
            raise ValueError(f"no probe asks for the primary response {wanted[0]}: {wanted[1]}")
        return self

    @property
    def ask(self) -> Asked:
        """Nothing besides the probes."""
        return Asked(inferential=False, untrained=False, danger=False, alignment=False, answers=0)
