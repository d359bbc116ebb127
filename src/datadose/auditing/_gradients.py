"""Detectors that read gradients: head norm, DONOD, GrADS, agreement with a trusted set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from datadose.auditing._combine import topsis
from datadose.auditing._evidence import Evidence, NotMeasuredError, detector, ranks

if TYPE_CHECKING:
    import numpy as np


@detector("head-gradient")
def head_gradient(evidence: Evidence, epoch: int) -> np.ndarray:
    """Norm of the output head's gradient, per answer token."""
    import numpy as np

    return np.asarray(np.sqrt(evidence.row("head", epoch)) / evidence.tokens)


def donod_terms(evidence: Evidence, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """DON and NOD (arXiv 2504.14810) of one virtual SGD step on the head, each [N].

    DON = |W'| - |W| for W' = W - lr G, as (-2 lr <W, G> + lr^2 |G|^2) / (|W'| + |W|), so that no
    two nearly equal norms are subtracted; NOD = lr |G|. G is the gradient of the mean loss.
    """
    import numpy as np

    rate, size = evidence.recording.lr, evidence.recording.head_norm
    inner = evidence.row("don", epoch) / evidence.tokens
    square = evidence.row("head", epoch) / evidence.tokens**2
    moved = -2 * rate * inner + rate**2 * square
    after = np.sqrt(np.maximum(size**2 + moved, 0))
    return moved / (after + size), rate * np.sqrt(square)


@detector("donod-min")
def donod_min(evidence: Evidence, epoch: int) -> np.ndarray:
    """DONOD as its prose reads: small DON and small NOD are good. Joined by TOPSIS, halves each."""
    don, nod = donod_terms(evidence, epoch)
    return -topsis((-don, -nod))


@detector("donod-max")
def donod_max(evidence: Evidence, epoch: int) -> np.ndarray:
    """DONOD turned: large DON (a soft margin) and small NOD are good."""
    don, nod = donod_terms(evidence, epoch)
    return -topsis((don, -nod))


def grads_size(evidence: Evidence) -> np.ndarray:
    """Log of GrADS's magnitude (arXiv 2511.08620), with what length explains taken out, [N].

    After one epoch: e / mean(e) + h / mean(h), norms of embedding and head gradients; where the
    two are one tied matrix each is taken by itself. The slope on the log of length is removed.
    """
    import numpy as np

    inside = np.sqrt(np.maximum(evidence.row("embedding", 0), 0))
    top = np.sqrt(evidence.row("head", 0))
    size = np.log(np.maximum(inside / inside.mean() + top / top.mean(), 1e-12))
    x = np.log(evidence.tokens)
    x = x - x.mean()
    slope = float(x @ size) / max(float(x @ x), 1e-12)
    return np.asarray(size - slope * x)


@detector("grads-top")
def grads_top(evidence: Evidence) -> np.ndarray:
    """GrADS, `top`: rows with large gradients are kept, so small ones are suspicious."""
    return -grads_size(evidence)


@detector("grads-large")
def grads_large(evidence: Evidence) -> np.ndarray:
    """The reverse of `grads-top`: large gradients are suspicious."""
    return grads_size(evidence)


@detector("grads-density")
def grads_density(evidence: Evidence) -> np.ndarray:
    """GrADS, `density`: rows in thin places are suspicious (Gaussian kernel, Scott's width)."""
    import numpy as np
    from scipy.stats import gaussian_kde

    size = grads_size(evidence)
    if len(size) < 3 or float(size.std()) < 1e-9:
        raise NotMeasuredError("all gradients are of one size")
    return -np.asarray(gaussian_kde(size)(size))


@detector("grads-band")
def grads_band(evidence: Evidence) -> np.ndarray:
    """GrADS, `band`: rows far from the middle of all magnitudes are suspicious, by rank."""
    import numpy as np

    return np.abs(ranks(grads_size(evidence)) - 0.5)


def _agreement(evidence: Evidence, epoch: int) -> np.ndarray:
    import numpy as np

    if not evidence.recording.has("trusted", epoch):
        raise NotMeasuredError("give --trusted FILE with rows known to be right")
    good = np.asarray(evidence.recording.array("trusted", epoch), dtype=float)
    unit = good / np.maximum(np.linalg.norm(good, axis=1, keepdims=True), 1e-12)
    way = unit.mean(0)
    own = evidence.row("sketch", epoch)
    size = np.linalg.norm(own, axis=1) * np.linalg.norm(way)
    return np.asarray(own @ way / np.maximum(size, 1e-12))


@detector("agreement-low")
def agreement_low(evidence: Evidence, epoch: int) -> np.ndarray:
    """Cosine of the row's head gradient with the trusted rows' mean (after LESS, Xia et al.
    2024; head only, randomly projected, no Adam state): little agreement is suspicious."""
    return -_agreement(evidence, epoch)


@detector("agreement-high")
def agreement_high(evidence: Evidence, epoch: int) -> np.ndarray:
    """The other sign: a row that still pulls as trusted rows do is suspicious."""
    return _agreement(evidence, epoch)
