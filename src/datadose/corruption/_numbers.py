"""Wrong values by rule: slips that a careful reader could make, and absurd ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from datadose._core import InputError, generator
from datadose.corruption._registry import corruptor

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["plain", "percent", "year"]
LARGEST = 1e18
RATIO = 20  # above it nobody mistakes a ratio of two operands for the result
ABSURD_UNITS = ("kilograms", "degrees", "miles", "litres")


def format_value(value: float, decimals: int) -> str:
    """The value with thousands separators and fixed decimals.

    >>> format_value(-10616.0, 0), format_value(12.5, 2)
    ('-10,616', '12.50')
    """
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not any(c in "123456789" for c in text) else text


def same_value(a: float, b: float, tolerance: float) -> bool:
    """Whether `a` would pass for `b`: relative difference within `tolerance`."""
    return abs(a - b) <= tolerance * abs(b) + 1e-9


@corruptor("numbers")
def wrong_values(
    value: float,
    *,
    severity: Literal["subtle", "obvious"] = "subtle",
    operands: Sequence[float] = (),
    kind: Kind = "plain",
    decimals: int = 2,
    tolerance: float = 0.01,
    count: int = 4,
    seed: int = 0,
) -> tuple[float, ...]:
    """`count` different wrong values, none of which passes for `value` or for another one.

    subtle: wrong sign, an operand instead of the result, the wrong base of a percentage, the
    percentage forgotten, sum for difference, two digits swapped, a year next to the right one,
    then slips of 3 to 60%. obvious: wrong by a factor of 100 and up. Values are rounded to
    `decimals`; rules come in a seeded order. Give `tolerance=0` with `kind="year"`. Raises
    InputError for a value that is not a number under 1e10 in size.
    """
    if not abs(value) < LARGEST / 1e8:
        raise InputError(f"a value of {value} can't be made wrong by rule")
    rng = generator(seed, "numbers", severity, repr(float(value)))
    rules = _subtle if severity == "subtle" else _obvious
    found: list[float] = []
    for candidate in rules(float(value), operands, kind, decimals, rng):
        if not abs(candidate) <= LARGEST:  # overflow or NaN, from an operand next to nothing
            continue
        wrong = round(candidate, decimals)
        others = [value, *found]
        if not any(
            same_value(wrong, x, tolerance) or same_value(x, wrong, tolerance) for x in others
        ):
            found.append(wrong)
        if len(found) == count:
            break
    return tuple(found)


def _subtle(
    value: float, operands: Sequence[float], kind: Kind, decimals: int, rng: np.random.Generator
) -> Iterator[float]:
    if kind == "year":
        yield from (value + int(d) for d in rng.permutation([-1, 1, -2, 2, 3, -3]))
    else:
        ruled = [-value, *operands, *_swaps(value, decimals), *_wrong_rules(value, operands, kind)]
        yield from (ruled[i] for i in rng.permutation(len(ruled)))
    step = 10.0**-decimals
    for size in (0.03, 0.07, 0.12, 0.2, 0.35, 0.6) * 40:
        slip = value * (1 + rng.choice([-1, 1]) * size * rng.uniform(0.8, 1.3))
        yield slip if value else float(rng.integers(1, 10)) * step
        yield value + step * float(rng.choice([-1, 1]) * rng.integers(1, 500))


def _wrong_rules(value: float, operands: Sequence[float], kind: Kind) -> Iterator[float]:
    if kind == "percent":
        yield value / 100
    for a, b in pairwise(operands):
        yield from (a + b, a - b, b - a)
        if kind != "percent" and abs(value) >= RATIO:
            continue
        for top, base in ((a - b, a), (b - a, b), (a, b), (b, a)):
            if base:
                yield 100 * top / base if kind == "percent" else top / base


def _swaps(value: float, decimals: int) -> Iterator[float]:
    digits = f"{value:.{decimals}f}"
    places = [i for i, c in enumerate(digits) if c.isdigit()]
    for a, b in pairwise(places):
        swapped = list(digits)
        swapped[a], swapped[b] = swapped[b], swapped[a]
        yield float("".join(swapped))


def _obvious(
    value: float, operands: Sequence[float], kind: Kind, decimals: int, rng: np.random.Generator
) -> Iterator[float]:
    base = value if value else 7.0 * 10.0**-decimals
    powers = rng.permutation([2, 3, 4, 5, 6, 7]).tolist()
    for power in powers:
        yield base * 10.0**power * float(rng.choice([-1, 1]))
    for power in range(8, 60):
        yield base * 10.0 ** (power % 12) * 7.3
