"""Whether an answer made from the evidence is to be believed over a row's own.

A logistic rule on four signs, fitted on rows whose right answer is known and which the reader did
not learn from. Scales are fixed. Weights are drawn to a prior, so that few rows move them little:
it is what the same fit, drawn to zero, gave on held-out rows of the health and legal packs, seed 0,
before signs were bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

SCALES = (10.0, 10.0, 0.3, 10.0)
PRIOR = (0.42, 0.76, 0.75, 1.44)
PRIOR_MARGIN = 3.93
# no sign outweighs all others, whatever its size
MOST = 5.0
RIDGE = 0.1
HARMED = 0.02


@dataclass(frozen=True)
class Signs:
    """What speaks for a candidate: nats by which the reader prefers it to the row's `own` answer
    and to saying that the evidence does not tell (`untold`), the `share` of the question's words
    that a passage has, 0 to 1, and nats by which the untuned model finds the `question` likelier
    after the likeliest passage than after none (query likelihood: Sachan et al. 2022, UPR), as
    of a question of 16 words at most."""

    own: float
    untold: float
    share: float
    question: float

    def scaled(self) -> tuple[float, ...]:
        """The signs in their units, none beyond `MOST` of them."""
        units = (s / unit for s, unit in zip(astuple(self), SCALES, strict=True))
        return tuple(min(MOST, max(-MOST, s)) for s in units)


@dataclass(frozen=True)
class Gate:
    """weights: of the scaled signs, none below 0. margin: what their sum has to exceed."""

    weights: tuple[float, ...] = PRIOR
    margin: float = PRIOR_MARGIN

    def gain(self, signs: Signs) -> float:
        """Log-odds beyond the margin; above 0 a change is proposed. Minus infinity where the
        reader finds the row's own answer at least as likely."""
        if signs.own <= 0:
            return -math.inf
        return sum(w * s for w, s in zip(self.weights, signs.scaled(), strict=True)) - self.margin


def fit_gate(
    seen: Sequence[Signs],
    good: Sequence[bool],
    harmless: Sequence[tuple[Sequence[Signs], int]] = (),
) -> Gate:
    """The rule from candidates `seen`, of which some are `good`: the row's right answer.

    The margin is where a candidate is as likely good as not, or higher. harmless: groups of right
    rows, each the candidates of those that have one and how many were shown passages; of each at
    most `HARMED` may be changed. Ridge towards the prior weights, maximum a posteriori, weights
    not below 0.
    """
    import numpy as np
    from scipy.optimize import minimize

    x = np.array([[*s.scaled(), -1.0] for s in seen]).reshape(len(seen), len(SCALES) + 1)
    sign = np.where(np.asarray(good, dtype=bool), 1.0, -1.0)
    prior = np.array([*PRIOR, PRIOR_MARGIN])

    def loss(w: np.ndarray) -> float:
        pull = RIDGE * float(((w - prior) ** 2).sum())
        return float(np.logaddexp(0, -sign * (x @ w)).sum()) + pull

    bounds = [(0.0, None)] * len(SCALES) + [(None, None)]
    *weights, even = minimize(loss, prior, method="L-BFGS-B", bounds=bounds).x.tolist()
    found = Gate(tuple(weights), 0.0)
    margins = [even]
    for signs, put in harmless:
        gains = sorted((found.gain(s) for s in signs), reverse=True)
        spared = int(HARMED * put)
        margins += gains[spared : spared + 1]
    return replace(found, margin=max(margins))
