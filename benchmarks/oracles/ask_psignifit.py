"""psignifit in a process of its own: with flat priors and levels fixed, or as its manual has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import psignifit
from _lines import serve

# its own grid (40 x 40 x 20 x 20 x 20) takes seconds of CPU and gigabytes for a fit
THINNER = {"threshold": 40, "width": 25, "lambda": 10, "gamma": 10, "eta": 12}
SIGMOID = {"logistic": "logistic", "probit": "norm"}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    data = np.column_stack([job["doses"], job["affected"], job["asked"]]).astype(float)
    if job["kind"] == "usual":
        fit = psignifit.psignifit(
            data,
            experiment_type="yes/no",
            sigmoid="logistic",
            grid_steps=THINNER,
            steps_moving_bounds=THINNER,
            verbose=False,
        )
        return [found("usual", fit, fit.parameter_estimate["threshold"])]
    return [matched(data, name, job) for name in job["models"]]


def matched(data: np.ndarray, name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Flat priors, fixed levels, no overdispersion: the mode is the maximum likelihood."""
    low, high = float(data[:, 0].min()), float(data[:, 0].max())
    spread = high - low
    flat = {"threshold": np.ones_like, "width": np.ones_like}
    fit = psignifit.psignifit(
        data,
        experiment_type="yes/no",
        sigmoid=SIGMOID[name],
        fixed_parameters={"gamma": job["lower"], "lambda": 1 - job["upper"], "eta": 0.0},
        priors=flat,
        bounds={
            "threshold": (low - spread, high + spread),
            "width": (spread / 1000, 10 * spread),
        },
        grid_steps={"threshold": 200, "width": 200, "gamma": 1, "lambda": 1, "eta": 1},
        steps_moving_bounds={"threshold": 100, "width": 100, "gamma": 1, "lambda": 1, "eta": 1},
        verbose=False,
    )
    return found(name, fit, fit.parameter_estimate["threshold"])


def found(model: str, fit: Any, threshold: float) -> dict[str, Any]:
    # its 0.9 interval has 5% outside on either side, as BMDL and BMDU have
    out = {"model": model, "bmd": float(threshold)}
    for key, level in (("", "0.9"), ("_95", "0.95")):
        low, high = fit.confidence_intervals["threshold"][level]
        out["bmdl" + key], out["bmdu" + key] = float(low), float(high)
    return out


serve(answer)
