"""datadose's answer where an oracle fits the same model, with the same bounds and level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from datadose.curves import ModelFit, fit_model, model_benchmark, model_drop, model_limits

TOLERANCE = 0.05
# half the 0.90 quantile of chi-square(1): how far the profile has fallen at a one-sided 95% limit
FALLEN = 1.3528
ALPHA = 0.05


@dataclass(frozen=True)
class Question:
    """One single-model fit. `slope_at_least` is None for EPA's bounds (1 on the log axis)."""

    oracle: str
    model: str
    risk: str
    response: float
    lower: float | None
    upper: float | None
    slope_at_least: float | None = None

    @property
    def bounds(self) -> dict[str, Any]:
        return {
            "lower_level": self.lower,
            "upper_level": self.upper,
            "slope_at_least": self.slope_at_least,
        }


@dataclass(frozen=True)
class Own:
    """What datadose says."""

    fit: ModelFit
    bmd: float | None
    bmdl: float | None
    bmdu: float | None


def own_answer(q: Question, doses: Any, affected: Any, asked: Any, limits: bool = True) -> Own:
    """Doses, affected and asked are sequences of equal length."""
    d, y, n = (np.asarray(v, dtype=float) for v in (doses, affected, asked))
    fit = fit_model(q.model, d, y, n, **q.bounds)
    found = {"response": q.response, "risk": q.risk}
    bmd = model_benchmark(fit, **found)  # type: ignore[arg-type]
    low, high = (
        model_limits(fit, d, y, n, level=1 - ALPHA, **found, **q.bounds)  # type: ignore[arg-type]
        if limits
        else (None, None)
    )
    return Own(fit, bmd, low, high)


def near(own: float | None, theirs: float | None) -> bool:
    if own is None or theirs is None:
        return own is None and theirs is None
    return abs(own / theirs - 1) <= TOLERANCE


def reasons(q: Question, table: Any, own: Own, theirs: dict[str, Any]) -> dict[str, str]:
    """Why `bmd`, `bmdl`, `bmdu` differ, where the likelihood says that it is not ours that is off.

    The likelihood is the judge: the better maximum is the estimate, and the limit at which the
    profile has fallen by 1.353 is the limit.
    """
    if theirs.get("bmd") is None or own.bmd is None:
        return {}
    ahead = own.fit.log_likelihood - their_likelihood(q, table, theirs)
    if ahead < -0.01:
        # then the search, not the oracle, is at fault
        return {}
    short = f"its fit is {ahead:.3g} below the maximum" if ahead > 0.01 else ""
    found = {}
    if not near(own.bmd, theirs["bmd"]):
        fallen = fallen_at(q, table, own, theirs["bmd"])
        if short:
            found["bmd"] = short
        elif fallen < 0.01:
            found["bmd"] = "not determined: the likelihood is the same at its BMD and at ours"
    for key, limit in (("bmdl", own.bmdl), ("bmdu", own.bmdu)):
        if theirs.get(key) is None or near(limit, theirs[key]):
            continue
        fallen = fallen_at(q, table, own, theirs[key])
        if short:
            found[key] = short
        elif abs(fallen - FALLEN) > 0.02 and (limit is None or crossed(q, table, own, limit)):
            found[key] = f"at its {key.upper()} the profile has fallen by {fallen:.2f}"
    return found


def crossed(q: Question, table: Any, own: Own, limit: float) -> bool:
    """Whether the profile passes the fall of a limit within a thousandth of `limit`."""
    sides = (fallen_at(q, table, own, limit * (1 + way)) - FALLEN for way in (-1e-3, 1e-3))
    return float(np.prod(list(sides))) <= 0


def fallen_at(q: Question, table: Any, own: Own, dose: float) -> float:
    d, y, n = (np.asarray(v, dtype=float) for v in (table.doses, table.affected, table.asked))
    return model_drop(
        own.fit,
        dose,
        d,
        y,
        n,
        response=q.response,
        risk=q.risk,  # type: ignore[arg-type]
        **q.bounds,
    )


def their_likelihood(q: Question, table: Any, theirs: dict[str, Any]) -> float:
    """Without the binomial coefficients, which robustmargin counts and the others do not."""
    found = theirs.get("log_likelihood")
    if found is None:
        return float("inf")
    if q.oracle != "robustmargin":
        return float(found)
    y, n = (np.asarray(v, dtype=float) for v in (table.affected, table.asked))
    return float(found - (gammaln(n + 1) - gammaln(y + 1) - gammaln(n - y + 1)).sum())
