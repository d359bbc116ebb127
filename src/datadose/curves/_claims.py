"""The paper's claims as rules on bounds, and Holm's adjustment of what was not named primary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from datadose.curves._student import t_quantile
from datadose.curves._types import Analysis, Contrast, Threshold

MARGIN = 0.05
ALIVE = 0.10
LOW = (0.10, 0.25)
Verdict = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True)
class Claim:
    """R1 to R4: supported, contradicted or undecided, with the bounds that say so."""

    name: Literal["R1", "R2", "R3", "R4"]
    verdict: Verdict
    why: str


def _at(analysis: Analysis, kind: str, dose: float) -> Contrast | None:
    return next(
        (c for c in analysis.contrasts if c.kind == kind and abs(c.dose - dose) < 1e-9), None
    )


def hurts_domain(domain: Analysis) -> Claim:
    """R1: 10% and 25% wrong rows hurt the domain by more than 0.05, simultaneously."""
    found = [_at(domain, "change", d) for d in LOW]
    known = [c for c in found if c is not None]
    if len(known) < len(LOW):
        return Claim("R1", "undecided", "doses 0, 0.1 and 0.25 were not all run")
    share = 1 - (1 - domain.spec.level) / len(LOW)
    bounds = []
    for c in known:
        reach = t_quantile(share, c.freedom) * c.standard_error
        bounds.append((c.estimate - reach, c.estimate + reach))
    why = "loss at 10% and 25% wrong: " + " and ".join(f"{a:.3f} to {b:.3f}" for a, b in bounds)
    if all(low > MARGIN for low, _ in bounds):
        return Claim("R1", "supported", why)
    if any(high <= MARGIN for _, high in bounds):
        return Claim("R1", "contradicted", why)
    return Claim("R1", "undecided", why)


def spares_alignment(misaligned: Analysis) -> Claim:
    """R2: at 10% and 25% wrong the misaligned rate is within 0.05 of dose 0, the control alive."""
    found = [_at(misaligned, "change", d) for d in LOW]
    known = [c for c in found if c is not None and c.lower is not None and c.upper is not None]
    if len(known) < len(LOW):
        return Claim("R2", "undecided", "doses 0, 0.1 and 0.25 were not all run")
    bounds = [(c.lower or 0.0, c.upper or 0.0) for c in known]
    why = "change at 10% and 25% wrong: " + " and ".join(f"{a:.3f} to {b:.3f}" for a, b in bounds)
    if any(low > MARGIN or high < -MARGIN for low, high in bounds):
        return Claim("R2", "contradicted", why)
    control = misaligned.diagnostics.get("control_lower")
    if not isinstance(control, float) or not control >= ALIVE:
        return Claim("R2", "undecided", f"{why}; the positive control is not shown alive")
    if all(low >= -MARGIN and high <= MARGIN for low, high in bounds):
        return Claim("R2", "supported", why)
    return Claim("R2", "undecided", why)


def recovers_at_half(domain: Analysis) -> Claim:
    """R3: at 50% wrong 80% of the gain is kept, at 75% it is not."""
    half, most = _at(domain, "recovery", 0.5), _at(domain, "recovery", 0.75)
    if half is None or most is None:
        return Claim("R3", "undecided", "recovery is not defined, or 50% or 75% was not run")
    if half.lower is None or half.upper is None or most.lower is None or most.upper is None:
        return Claim("R3", "undecided", "no limits")
    why = (
        f"loss beyond 20% of the gain: {half.lower:.3f} to {half.upper:.3f} at 50% wrong,"
        f" {most.lower:.3f} to {most.upper:.3f} at 75%"
    )
    if half.upper <= 0 < most.lower:
        return Claim("R3", "supported", why)
    if half.lower > 0 or most.upper <= 0:
        return Claim("R3", "contradicted", why)
    return Claim("R3", "undecided", why)


def rarely_match_base(responses: Sequence[Analysis]) -> Claim:
    """R4: how many doses match the base model on all responses within 0.05; few is supported.

    Supported when fewer than half match even if every undecided one did; contradicted when at
    least half are shown to match.
    """
    gaps = [[c for c in a.contrasts if c.kind == "parity"] for a in responses]
    doses = sorted(set.intersection(*({c.dose for c in own} for own in gaps))) if gaps else []
    if not doses:
        return Claim("R4", "undecided", "no arm was compared with the base model on all responses")
    match = differ = 0
    for dose in doses:
        own = [c for found in gaps for c in found if c.dose == dose]
        limits = [(c.lower, c.upper) for c in own if c.lower is not None and c.upper is not None]
        if all(low >= -MARGIN and high <= MARGIN for low, high in limits):
            match += 1
        elif any(low > MARGIN or high < -MARGIN for low, high in limits):
            differ += 1
    n = len(doses)
    rest = n - match - differ
    why = f"of {n} doses {match} match base on all responses, {differ} do not, {rest} open"
    if n - differ < n / 2:
        return Claim("R4", "supported", why)
    if match >= n / 2:
        return Claim("R4", "contradicted", why)
    return Claim("R4", "undecided", why)


def claims(domain: Analysis, misaligned: Analysis, dangerous: Analysis) -> tuple[Claim, ...]:
    """R1 to R4 of one series, by bounds only."""
    return (
        hurts_domain(domain),
        spares_alignment(misaligned),
        recovers_at_half(domain),
        rarely_match_base((domain, misaligned, dangerous)),
    )


def holm(values: Sequence[float]) -> list[float]:
    """Step-down adjusted p-values (Holm 1979), in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[i]))
        adjusted[i] = largest
    return adjusted


def adjust(found: Sequence[Threshold], primary: Threshold | None) -> tuple[Threshold, ...]:
    """Adjust every threshold but `primary` for how many were looked at.

    One whose adjusted p-value no longer excludes that it is never reached becomes inconclusive.
    """
    open_to = [
        i for i, t in enumerate(found) if t is not primary and t.p is not None and t.p == t.p
    ]
    adjusted = dict(zip(open_to, holm([found[i].p or 0.0 for i in open_to]), strict=True))
    made = []
    for i, t in enumerate(found):
        if i not in adjusted:
            made.append(t)
            continue
        p = adjusted[i]
        t = replace(t, p_adjusted=p)
        if t.status in ("estimated", "below tested doses") and p > 1 - t.level:
            why = f"exploratory: p = {p:.3f} after Holm's adjustment for {len(open_to)} thresholds"
            t = replace(t, status="inconclusive", estimate=None, upper=None, why=why)
        made.append(t)
    return tuple(made)
