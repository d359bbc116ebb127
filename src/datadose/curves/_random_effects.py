"""The check beside the marginal means: a logistic model with random arms and questions.

logit p = dose + arm + question, arms and questions normal with variances of their own, by
penalised likelihood (Breslow and Clayton 1993, with their EM step for the variances).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEPS = 60
CLOSE = 1e-4
LARGEST = 12.0
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)


@dataclass(frozen=True)
class RandomEffects:
    """Rates per dose [D] over the questions asked, their covariance, and the two spreads.

    sd_arm, sd_question are on the logit scale. failure says why there is no fit.
    """

    rate: Array
    cov: Array
    sd_arm: float
    sd_question: float
    failure: str = ""


def random_effects(good: Array, asked: Array) -> RandomEffects:
    """Fit counts [S, D, Q] by dose, arm and question; arms without answers are left out."""
    s, d = np.nonzero(asked.sum(axis=2))
    doses = good.shape[1]
    if len(s) <= doses or len(np.unique(d)) < doses:
        return _failed(doses, "every arm has a dose of its own, or a dose has none")
    y, n = good[s, d], asked[s, d]
    at_dose = (d[:, None] == np.arange(doses)).astype(float)
    with np.errstate(invalid="ignore"):
        share = (at_dose.T @ y.sum(axis=1) + 0.5) / (at_dose.T @ n.sum(axis=1) + 1)
    beta = np.log(share / (1 - share))
    arm, question = np.zeros(len(s)), np.zeros(good.shape[2])
    var_arm, var_question = 0.05, 0.5
    for _ in range(STEPS):
        eta = np.clip((at_dose @ beta + arm)[:, None] + question, -LARGEST, LARGEST)
        p = expit(eta)
        w, rest = n * p * (1 - p), y - n * p
        design = np.concatenate([at_dose, np.eye(len(s))], axis=1)
        penalty = np.concatenate([np.full(doses, 1e-6), np.full(len(s), 1 / var_arm)])
        fixed = design.T @ (w.sum(axis=1)[:, None] * design) + np.diag(penalty)
        mixed = design.T @ w
        own = w.sum(axis=0) + 1 / var_question
        # questions are eliminated first: their block is diagonal
        left = mixed / own
        cov = np.linalg.inv(fixed - left @ mixed.T)
        slope = np.concatenate([at_dose.T @ rest.sum(axis=1), rest.sum(axis=1) - arm / var_arm])
        other = rest.sum(axis=0) - question / var_question
        step = cov @ (slope - left @ other)
        move = (other - mixed.T @ step) / own
        size = max(float(np.abs(step).max()), float(np.abs(move).max()))
        scale = min(1.0, 2.0 / size) if size > 0 else 1.0
        beta, arm = beta + scale * step[:doses], arm + scale * step[doses:]
        question = question + scale * move
        spread = 1 / own + np.einsum("kq,kl,lq->q", left, cov, left)
        new_arm = float(np.mean(arm**2 + np.diag(cov)[doses:]))
        new_question = float(np.mean(question**2 + spread))
        change = abs(new_arm - var_arm) / var_arm + abs(new_question - var_question) / var_question
        var_arm, var_question = max(new_arm, 1e-6), max(new_question, 1e-6)
        if change < CLOSE and size < CLOSE:
            break
    if not np.isfinite(beta).all() or float(np.abs(beta).max()) > LARGEST:
        return _failed(doses, "a dose has all answers alike: its logit has no bound")
    rate, slope_at = _marginal(beta, question, var_arm)
    return RandomEffects(
        rate, cov[:doses, :doses] * np.outer(slope_at, slope_at), var_arm**0.5, var_question**0.5
    )


def _marginal(beta: Array, question: Array, var_arm: float) -> tuple[Array, Array]:
    """Rate of each dose over the questions as they are and over arms, and its slope in beta."""
    eta = beta[:, None, None] + question[:, None] + NODES * np.sqrt(var_arm)
    weight = WEIGHTS / WEIGHTS.sum()
    p = expit(eta)
    return (p @ weight).mean(axis=1), ((p * (1 - p)) @ weight).mean(axis=1)


def _failed(doses: int, why: str) -> RandomEffects:
    nan = np.full(doses, np.nan)
    return RandomEffects(nan, np.full((doses, doses), np.nan), float("nan"), float("nan"), why)
