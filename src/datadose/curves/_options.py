"""What a person may choose for a table of their own, as a Spec."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, cast

from datadose._core import UsageError
from datadose.curves._types import Spec

RISING = ("misaligned", "dangerous", "refused")
CHOICES: dict[str, tuple[str, ...]] = {
    "axis": ("share", "count"),
    "target": ("these", "like"),
    "scale": ("rate", "continuous"),
    "direction": ("down", "up"),
    "risk": ("added", "extra", "relative"),
}


@dataclass(frozen=True)
class Options:
    """Options of `analyse_table`, checked; `spec` makes each response's Spec of them."""

    axis: str = "share"
    up: Collection[str] = ()
    target: str = "these"
    scale: str = "rate"
    unit: float | None = None
    direction: str | None = None
    risk: str | None = None
    benchmark: float | None = None

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if value not in known and not (value is None and name in ("direction", "risk")):
                raise UsageError(
                    f"no {name} is called {value!r}", next_step=f"choose from: {', '.join(known)}"
                )
        if self.direction is not None and self.up:
            raise UsageError(
                "direction is for all responses and up for those it names: not both",
                next_step="leave one of them out",
            )
        if self.scale == "rate" and self.unit is not None:
            raise UsageError(
                f"a unit of {self.unit:g} on the rate scale, which ends at 1",
                next_step="say that the scale is continuous",
            )
        if self.scale == "continuous":
            self._check_continuous()
        if self.benchmark is not None and not self.benchmark > 0:
            raise UsageError(f"a benchmark response of {self.benchmark:g} is not above 0")
        if self.benchmark is not None and self._share(self.benchmark) >= 1:
            whole = "1" if self.unit is None or self.risk == "relative" else f"{self.unit:g}"
            raise UsageError(
                f"a benchmark response of {self.benchmark:g} is the whole scale, {whole}, or more",
                next_step="10% is 0.1 of a rate, and a tenth of the unit of a score",
            )

    def _check_continuous(self) -> None:
        if self.unit is None:
            raise UsageError(
                "a continuous scale needs a unit: the difference that counts as 1",
                next_step="give 100 for a score of 0 to 100; a loss that matters by 0.1 has unit 1",
            )
        if not (self.unit > 0 and math.isfinite(self.unit)):
            raise UsageError(f"a unit of {self.unit:g} is not above 0")
        if self.risk == "extra":
            raise UsageError(
                "extra risk is a share of what is left up to 1, which only a rate has",
                next_step="choose from: added, relative",
            )

    def _share(self, benchmark: float) -> float:
        """The benchmark response as the engine has it: in units, or a share of r(0)."""
        if self.scale == "rate" or self.risk == "relative":
            return benchmark
        return round(benchmark / cast("float", self.unit), 12)

    def spec(self, name: str) -> Spec:
        """How the response `name` is analysed."""
        # a response of one set is called `misaligned: SET`
        rising = name in self.up or name.partition(":")[0] in RISING
        by_name = "up" if rising else "down"
        rises = (self.direction or by_name) == "up"
        usual = "extra" if rises and self.scale == "rate" else "added"
        return Spec(
            name,
            "up" if rises else "down",
            cast("Any", self.risk or usual),
            benchmark=0.10 if self.benchmark is None else self._share(self.benchmark),
            axis=cast("Any", self.axis),
            target="these" if self.target == "these" else "like these",
            scale=cast("Any", self.scale),
            unit=1.0 if self.unit is None else self.unit,
        )
