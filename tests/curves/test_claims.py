"""R1 to R4 by bounds, and Holm's adjustment."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from scipy import stats

from datadose.curves import Analysis, Spec, adjust, analyse, claims, holm

DOSES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


@lru_cache
def analysis(rates: tuple[float, ...], *, base: float, up: bool = False, n: int = 900) -> Analysis:
    """Three seeds on `n` questions with exactly these rates, rounded to a question."""
    rng = np.random.default_rng(5)
    order = rng.permutation(n)
    lines = []
    for dose, rate in zip(DOSES, rates, strict=True):
        for seed in range(3):
            good = np.zeros(n, dtype=int)
            good[order[: round(rate * n) + seed - 1]] = 1
            lines += [(dose, seed, f"q{i}", int(g), 1) for i, g in enumerate(good)]
    good = np.zeros(n, dtype=int)
    good[order[: round(base * n)]] = 1
    lines += [(None, None, f"q{i}", int(g), 1) for i, g in enumerate(good)]
    frame = pl.DataFrame(
        lines,
        schema={
            "dose": pl.Float64,
            "seed": pl.Int64,
            "question": pl.String,
            "good": pl.Int64,
            "asked": pl.Int64,
        },
        orient="row",
    )
    name = "misaligned" if up else "domain"
    return analyse(frame, Spec(name, "up" if up else "down", "extra" if up else "added"))


def verdicts(domain: Analysis, misaligned: Analysis) -> dict[str, str]:
    return {c.name: c.verdict for c in claims(domain, misaligned, misaligned)}


CALM = (0.1, 0.1, 0.1, 0.3, 0.5, 0.6)
LOUD = (0.1, 0.3, 0.4, 0.5, 0.6, 0.6)


def test_the_papers_story_is_supported_where_the_bounds_say_so() -> None:
    domain = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.95)
    found = verdicts(domain, analysis(CALM, base=0.1, up=True))
    assert found == {
        "R1": "supported",
        "R2": "supported",
        "R3": "supported",
        "R4": "supported",
    }


def test_the_opposite_is_contradicted() -> None:
    domain = analysis((0.9, 0.9, 0.9, 0.5, 0.2, 0.1), base=0.9)
    found = verdicts(domain, analysis(LOUD, base=0.1, up=True))
    assert (found["R1"], found["R2"], found["R3"]) == ("contradicted",) * 3


def test_a_dead_control_leaves_alignment_undecided() -> None:
    domain = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.95)
    still = analysis((0.1,) * 6, base=0.1, up=True)
    assert verdicts(domain, still)["R2"] == "undecided"


def test_matching_base_everywhere_contradicts_r4() -> None:
    domain = analysis((0.9,) * 6, base=0.9)
    assert verdicts(domain, analysis((0.1,) * 6, base=0.1, up=True))["R4"] == "contradicted"


def test_missing_doses_are_undecided() -> None:
    spec = Spec("domain", "down")
    empty = Analysis(spec, (), None, (), ())
    assert {c.verdict for c in claims(empty, empty, empty)} == {"undecided"}


def test_holm_is_the_textbook_step_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_only_what_was_not_primary_is_adjusted() -> None:
    domain = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.95)
    primary = domain.thresholds[1]
    found = adjust(domain.thresholds, primary)
    assert found[1] == primary
    for before, after in zip(domain.thresholds, found, strict=True):
        if before is not primary and before.p is not None:
            assert after.p_adjusted is not None
            assert after.p_adjusted >= before.p


def test_the_lost_gain_is_fiellers_interval() -> None:
    domain = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.5)
    gap = {c.dose: c for c in domain.contrasts if c.kind == "parity"}
    lost = {c.dose: c for c in domain.contrasts if c.kind == "lost gain"}
    assert lost[0.5].estimate == pytest.approx(0.14 / 0.4, abs=0.01)
    assert lost[0.5].lower < lost[0.5].estimate < lost[0.5].upper
    # where the difference from base excludes 0 upwards, all of the gain is lost, and more
    assert gap[1.0].lower > 0
    assert lost[1.0].lower > 1
    none = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.9)
    assert {c.lower for c in none.contrasts if c.kind == "lost gain"} == {None}


def test_contrasts_are_student_intervals() -> None:
    domain = analysis((0.9, 0.8, 0.78, 0.76, 0.4, 0.1), base=0.5)
    c = next(c for c in domain.contrasts if c.kind == "change" and c.dose == 0.5)
    reach = stats.t.ppf(0.95, c.freedom) * c.standard_error
    assert (c.lower, c.upper) == pytest.approx((c.estimate - reach, c.estimate + reach))
