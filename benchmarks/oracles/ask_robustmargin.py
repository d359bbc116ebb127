"""robustmargin in a process of its own: link, axis, levels, definition, profile limits."""

from __future__ import annotations

from typing import Any

import robustmargin as rm
from _lines import serve

LINK = {"logistic": "logit", "probit": "probit", "log-logistic": "logit", "weibull": "cloglog"}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    return [one(job, name) for name in job["models"]]


def one(job: dict[str, Any], name: str) -> dict[str, Any]:
    """Rates of unaffected fall; its upper level is 1 minus our lower one."""
    logarithm = name in ("log-logistic", "weibull")
    observed = rm.Observations.from_counts(
        rm.Axis(name="dose", unit="1", scale="log" if logarithm else "linear"),
        severity=job["doses"],
        successes=[n - a for n, a in zip(job["asked"], job["affected"], strict=True)],
        trials=job["asked"],
        outcome="unaffected",
        direction="decreasing",
    )
    upper, lower = ("estimate" if v is None else 1 - v for v in (job["lower"], job["upper"]))
    fit = rm.fit_dose_response(
        observed, model="binomial", link=LINK[name], upper=upper, lower=lower
    )
    if fit.status is not rm.Status.OK:
        return {"model": name, "failure": f"status {fit.status.value}"}
    if job["risk"] == "extra":
        definition = rm.Definition.baseline_fraction(1 - job["response"])
    else:
        definition = rm.Definition.relative(job["response"])
    got = rm.threshold(
        fit, definition=definition, interval_method="profile", level=1 - 2 * job["alpha"]
    )
    if got.value is None:
        return {"model": name, "failure": f"censoring {got.censoring.value}, {got.status.value}"}
    return {
        "model": name,
        "bmd": float(got.value),
        "bmdl": None if got.lo is None else float(got.lo),
        "bmdu": None if got.hi is None else float(got.hi),
        "log_likelihood": float(fit.log_likelihood),
    }


serve(answer)
