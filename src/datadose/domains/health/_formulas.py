"""The formulas behind the computed health items, and the record that puts values into words."""

from __future__ import annotations

from dataclasses import dataclass

from datadose.domains._facts import Ask, Fact, Question
from datadose.schema import Check


def dose_by_weight(mg_per_kg: float, kg: float) -> float:
    """Single dose in mg."""
    return mg_per_kg * kg


def per_hour(ml: float, hours: float) -> float:
    """Infusion rate in mL per hour."""
    return ml / hours


def drops_per_minute(ml: float, hours: float, drops_per_ml: float) -> float:
    """Drip rate in drops per minute."""
    return ml * drops_per_ml / (hours * 60)


def body_mass_index(kg: float, metres: float) -> float:
    """Body mass index, kg per square metre."""
    return kg / metres**2


def daily_total(tablets: float, mg: float, times: float) -> float:
    """Total taken in a day in mg."""
    return tablets * mg * times


def volume(mg: float, mg_per_ml: float) -> float:
    """Volume to draw up in mL."""
    return mg / mg_per_ml


def anion_gap(sodium: float, chloride: float, bicarbonate: float) -> float:
    """Sodium minus chloride minus bicarbonate, mmol per litre."""
    return sodium - chloride - bicarbonate


def mean_pressure(systolic: float, diastolic: float) -> float:
    """Mean arterial pressure in mmHg: diastolic plus a third of the pulse pressure."""
    return diastolic + (systolic - diastolic) / 3


def pack_years(cigarettes: float, years: float) -> float:
    """Packs of 20 a day times years."""
    return cigarettes / 20 * years


def hourly_maintenance(kg: float) -> float:
    """Maintenance fluid of a child in mL per hour by the 4-2-1 rule."""
    return 4 * min(kg, 10) + 2 * min(max(kg - 10, 0), 10) + max(kg - 20, 0)


def burn_fluid(kg: float, percent: float) -> float:
    """Parkland: 4 mL per kg and percent of burned skin, in mL over 24 hours."""
    return 4 * kg * percent


def solute(percent: float, ml: float) -> float:
    """Grams dissolved in a volume of a solution of so many grams per 100 mL."""
    return percent * ml / 100


def alcohol_units(ml: float, percent: float) -> float:
    """UK units of 10 mL of pure alcohol."""
    return ml * percent / 1000


def cardiac_output(stroke_ml: float, rate: float) -> float:
    """Blood pumped in a minute, in mL."""
    return stroke_ml * rate


@dataclass(frozen=True)
class Item:
    """A computed fact before its values are put into words. `unit` has no digits."""

    id: str
    source: str
    unit: str
    right: float
    subtle: dict[str, float]
    obvious: dict[str, float]
    foils: tuple[float, float]
    ask: tuple[str, str, str, str]
    probes: tuple[str, str]
    say: tuple[str, str]
    placebo: tuple[str, str]
    then: tuple[str, float, str] | None = None
    """A question that divides the value by a number, and the unit of its answer."""

    def put(self, value: float, unit: str | None = None) -> str:
        return f"{value:g} {self.unit if unit is None else unit}".strip()

    def inferential(self) -> tuple[Question, ...]:
        if self.then is None:
            return ()
        ask, by, unit = self.then
        return (
            Question(
                ask=ask,
                correct=self.put(self.right / by, unit),
                subtle=self.put(next(iter(self.subtle.values())) / by, unit),
                obvious=self.put(next(iter(self.obvious.values())) / by, unit),
                foils=(self.put(self.foils[0] / by, unit), self.put(self.foils[1] / by, unit)),
            ),
        )

    def fact(self) -> Fact:
        return Fact(
            id=self.id,
            source=self.source,
            correct=self.put(self.right),
            subtle=tuple(self.put(x) for x in self.subtle.values()),
            obvious=tuple(self.put(x) for x in self.obvious.values()),
            foils=(self.put(self.foils[0]), self.put(self.foils[1])),
            ask=self.ask,
            say=self.say,
            placebo=self.placebo,
            probes=tuple(Ask(ask=x) for x in self.probes),
            inferential=self.inferential(),
            check=Check(kind="value", value=self.right),
        )
