"""Detectors that read how hard a row's answer is: loss, margin, what the prompt adds, length."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datadose.auditing._evidence import Evidence, detector

if TYPE_CHECKING:
    import numpy as np

FOLDS = "give --folds 2 or more"
ALONE = "the answers were not scored under a contentless prompt"


@detector("loss")
def loss(evidence: Evidence, epoch: int) -> np.ndarray:
    """Mean answer loss (nats a token) just before the row's own update in this epoch."""
    return evidence.mean("loss", epoch)


@detector("loss-worst")
def loss_worst(evidence: Evidence, epoch: int) -> np.ndarray:
    """Loss of the row's worst answer token: one wrong word in a right sentence."""
    import numpy as np

    tokens = evidence.recording.array("loss", epoch)
    return np.asarray(np.maximum.reduceat(tokens, evidence.recording.offset[:-1]), dtype=float)


@detector("aum")
def aum(evidence: Evidence, epoch: int) -> np.ndarray:
    """Area under the margin (Pleiss et al. 2020): minus the mean logit margin up to this epoch.

    The margin of a row is that of its answer tokens, averaged.
    """
    import numpy as np

    means = [evidence.mean("margin", e) for e in range(epoch + 1)]
    return np.asarray(-np.mean(means, axis=0))


@detector("aum-worst")
def aum_worst(evidence: Evidence, epoch: int) -> np.ndarray:
    """The same with the margin of the row's worst answer token."""
    import numpy as np

    cuts = evidence.recording.offset[:-1]
    parts = [
        np.minimum.reduceat(evidence.recording.array("margin", e), cuts) for e in range(epoch + 1)
    ]
    return np.asarray(-np.mean(np.asarray(parts, dtype=float), axis=0))


@detector("pmi")
def pmi(evidence: Evidence, epoch: int) -> np.ndarray:
    """Minus log p(y|x) - log p(y), a token: what the prompt does not explain of the answer."""
    import numpy as np

    alone = evidence.need("alone", ALONE)
    return np.asarray(evidence.mean("loss", epoch) - alone / evidence.tokens)


@detector("ifd")
def ifd(evidence: Evidence, epoch: int) -> np.ndarray:
    """Instruction-following difficulty (Li et al. 2024): loss given the prompt / loss without.

    Made to find hard rows, not wrong ones.
    """
    import numpy as np

    alone = evidence.need("alone", ALONE) / evidence.tokens
    return np.asarray(evidence.mean("loss", epoch) / np.maximum(alone, 1e-6))


@detector("self-validation")
def self_validation(evidence: Evidence) -> np.ndarray:
    """Minus the tuned model's log-odds that the answer is right (after arXiv 2502.12635)."""
    return -evidence.need("yes", "the model was not asked whether its rows are right")


@detector("held-out")
def held_out(evidence: Evidence) -> np.ndarray:
    """Confident learning's self-confidence over folds (Northcutt et al. 2021), for answers.

    The loss a token under models trained on the other folds: minus the log of the geometric mean
    of the probabilities that a label would have.
    """
    import numpy as np

    return np.asarray(evidence.need("held_out", FOLDS) / evidence.tokens)


@detector("held-out-excess")
def held_out_excess(evidence: Evidence) -> np.ndarray:
    """Held-out loss less the loss without a prompt: held-out PMI, which length can't move."""
    import numpy as np

    held = evidence.need("held_out", FOLDS)
    return np.asarray((held - evidence.need("alone", ALONE)) / evidence.tokens)


@detector("length")
def length(evidence: Evidence) -> np.ndarray:
    """Control: number of answer tokens. No other detector may merely repeat it."""
    import numpy as np

    return np.asarray(evidence.tokens, dtype=float)


@detector("length-short")
def length_short(evidence: Evidence) -> np.ndarray:
    """Control: the same, short answers first."""
    import numpy as np

    return np.asarray(-length(evidence))
