"""pybmds in a process of its own: single models, its recommendation, its average, nested models."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
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
        return [alone(lambda: nested(job, settings))]
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
    if chosen is not None:
        return [{**limits(chosen.name(), chosen.results), "recommended": True}]
    # none passes its test of fit: what is left to a user is the lowest AIC among those with limits
    fits = [m for m in session.models if m.has_results and limits("", m.results)["bmdl"]]
    if not fits:
        return [{"failure": "no model has limits"}]
    chosen = min(fits, key=lambda m: m.results.fit.aic)
    return [{**limits(chosen.name(), chosen.results), "recommended": False}]


def alone(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """`ask` in a child: the nested fit of pybmds 25.2 corrupts memory and may abort."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            found = ask()
        except Exception as error:
            found = {"failure": f"{type(error).__name__}: {error}"[:120]}
        os.write(into, json.dumps(found).encode())
        os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) or not text:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "no answer"
        return {"failure": f"its process ended by {name}"}
    return json.loads(text)


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
