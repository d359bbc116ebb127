"""pybmds in a process of its own: single models, its recommendation, its average, nested models."""

from __future__ import annotations

from typing import Any

import pybmds
from _lines import serve
from pybmds.models import dichotomous, nested_dichotomous

MODELS = {
    "logistic": dichotomous.Logistic,
    "probit": dichotomous.Probit,
    "log-logistic": dichotomous.LogLogistic,
    "weibull": dichotomous.Weibull,
    "quantal-linear": dichotomous.QuantalLinear,
}
RISK = {"added": 0, "extra": 1}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    settings = {"bmr": job["response"], "bmr_type": RISK[job["risk"]], "alpha": job["alpha"]}
    if job["kind"] == "nested":
        return [nested(job, settings)]
    data = pybmds.DichotomousDataset(
        doses=job["doses"], ns=job["asked"], incidences=job["affected"]
    )
    if job["kind"] == "single":
        return [single(data, name, settings) for name in job["models"]]
    session = pybmds.Session(dataset=data)
    if job["kind"] == "average":
        session.add_default_bayesian_models(settings=settings)
        session.execute()
        return [limits("average", session.model_average.results)]
    session.add_default_models(settings=settings)
    session.execute_and_recommend()
    chosen = session.recommended_model
    if chosen is None:
        return [{"failure": "pybmds recommends no model"}]
    return [limits(chosen.name(), chosen.results)]


def single(data: Any, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    fitted = MODELS[name](data, settings=settings)
    result = fitted.execute()
    found = limits(name, result)
    found["log_likelihood"] = float(result.fit.loglikelihood)
    found["parameters"] = [float(p) for p in result.parameters.values]
    return found


def nested(job: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Arms as litters, their correlation estimated, no covariate."""
    data = pybmds.NestedDichotomousDataset(
        doses=job["doses"],
        litter_ns=job["asked"],
        incidences=job["affected"],
        litter_covariates=[1.0] * len(job["doses"]),
    )
    settings |= {
        "litter_specific_covariate": 0,
        "intralitter_correlation": 1,
        "bootstrap_iterations": 10,
        "bootstrap_n": 1,
        "bootstrap_seed": 1,
    }
    fitted = nested_dichotomous.NestedLogistic(data, settings=settings)
    return limits("nested logistic", fitted.execute())


def limits(model: str, result: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"model": model}
    for key in ("bmd", "bmdl", "bmdu"):
        value = float(getattr(result, key))
        # BMDS writes -9999 where it has no number
        found[key] = value if 0 < value < 1e300 else None
    return found


serve(answer)
