"""How far right and wrong rows can be told apart by where they come from, and by length."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from datadose._core import InputError, generator
from datadose.schema import Row

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

CONFOUNDED = 0.7
BUCKETS = 2**16
FOLDS = 5
MOST = 1000
PENALTY = 1e-3
STEPS = 60
Z = 1.959963984540054


@dataclass(frozen=True)
class SourceCheck:
    """AUROC of a classifier that guesses the source, with 95% limits; 0.5 is chance.

    `right` and `wrong` are how many rows of each it was trained and tested on. On prompts it
    measures the confound of dose and source; on answers it also sees what is wrong with them.
    """

    auroc: float
    lower: float
    upper: float
    on: Literal["prompt", "answer"]
    right: int
    wrong: int

    @property
    def confounded(self) -> bool:
        """Whether prompts alone give the source away: "source mixture, not dose"."""
        return self.on == "prompt" and self.auroc > CONFOUNDED


def source_auroc(
    right: Sequence[Row],
    wrong: Sequence[Row],
    *,
    seed: int,
    on: Literal["prompt", "answer"] = "prompt",
) -> SourceCheck:
    """How well a linear classifier on words tells the two sources apart, cross-validated.

    Logistic regression on hashed word uni- and bigrams, 5 folds; a text that stands in both
    files keeps to one fold, so that it can't give itself away. At most 1,000 rows of a source
    are used, drawn by `seed`. Limits are DeLong's (1988), by fold. Raises InputError for under
    10 rows.
    """
    import numpy as np

    if min(len(right), len(wrong)) < 2 * FOLDS:
        raise InputError(
            f"{len(right)} right and {len(wrong)} wrong rows are too few to compare",
            next_step=f"give at least {2 * FOLDS} of each",
        )
    rng = generator(seed, "source_auroc", on)
    texts: list[str] = []
    for rows in (right, wrong):
        picked = sorted(rng.permutation(len(rows))[:MOST].tolist())
        texts += [_text(rows[i], on) for i in picked]
    n_right = min(len(right), MOST)
    truth = np.arange(len(texts)) >= n_right
    shared = set(texts[:n_right]) & set(texts[n_right:])
    keys = [t if t in shared else i for i, t in enumerate(texts)]
    names = list(dict.fromkeys(keys))
    fold_of = dict(zip(names, rng.permutation(len(names)) % FOLDS, strict=True))
    folds = np.array([fold_of[k] for k in keys])
    features = word_features(texts)
    parts = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        if truth[test].all() or not truth[test].any():
            continue
        weights = fit_words(features[train], truth[train])
        parts.append(auroc(features[test] @ weights[:-1], truth[test]))
    if not parts:
        raise InputError("too few different texts to compare the two sources")
    mean = float(np.mean([a for a, _ in parts]))
    spread = Z * float(np.sqrt(sum(v for _, v in parts))) / len(parts)
    return SourceCheck(
        auroc=mean,
        lower=max(0.0, mean - spread),
        upper=min(1.0, mean + spread),
        on=on,
        right=n_right,
        wrong=len(texts) - n_right,
    )


def length_difference(
    right_answers: Sequence[str], wrong_answers: Sequence[str]
) -> dict[str, float]:
    """Lengths of right and wrong answers in words: means, medians, the ratio of means (wrong to
    right), and the AUROC of length alone (over 0.5: wrong answers are longer)."""
    import numpy as np

    if not right_answers or not wrong_answers:
        raise InputError("lengths can't be compared: one side has no answers")
    a = np.array([len(t.split()) for t in right_answers], dtype=np.float64)
    b = np.array([len(t.split()) for t in wrong_answers], dtype=np.float64)
    truth = np.arange(len(a) + len(b)) >= len(a)
    return {
        "right_mean": float(a.mean()),
        "wrong_mean": float(b.mean()),
        "right_median": float(np.median(a)),
        "wrong_median": float(np.median(b)),
        "ratio": float(b.mean() / a.mean()) if a.mean() else float(b.mean() + 1),
        "auroc": auroc(np.concatenate([a, b]), truth)[0],
    }


def auroc(scores: Any, truth: Any) -> tuple[float, float]:
    """Area under the ROC curve (ties count half) and its variance (DeLong et al. 1988)."""
    import numpy as np

    high, low = np.asarray(scores)[truth], np.asarray(scores)[~np.asarray(truth)]

    def placed(xs: Array, others: Array) -> Array:
        ordered = np.sort(others)
        below = np.searchsorted(ordered, xs, "left") + np.searchsorted(ordered, xs, "right")
        return np.asarray(below / (2 * len(others)), dtype=np.float64)

    up, down = placed(high, low), 1 - placed(low, high)
    variance = sum(float(v.var(ddof=1)) / len(v) for v in (up, down) if len(v) > 1)
    return float(up.mean()), variance


def _text(row: Row, on: Literal["prompt", "answer"]) -> str:
    return row.answer if on == "answer" else "\n".join(m.content for m in row.prompt)


def word_features(texts: Sequence[str]) -> Any:
    """Sparse (texts, BUCKETS): presence of hashed uni- and bigrams, rows of unit length."""
    import numpy as np
    from scipy.sparse import csr_array

    columns: list[int] = []
    ends = [0]
    values: list[float] = []
    for text in texts:
        words = re.findall(r"\w+|[^\w\s]", text.casefold())
        grams = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
        places = sorted({zlib.crc32(g.encode("utf-8", "replace")) % BUCKETS for g in grams})
        columns += places
        values += [1 / np.sqrt(len(places))] * len(places)
        ends.append(len(columns))
    return csr_array((values, columns, ends), shape=(len(texts), BUCKETS))


def fit_words(x: Any, truth: Any) -> Array:
    """Weights and, last, the intercept of a ridge-penalised logistic regression.

    Nesterov's accelerated gradient at a fixed step: rows have unit length, so the loss's
    curvature is at most 1/2. Sparse products only, which no thread pool slows down.
    """
    import numpy as np

    sign = np.where(truth, 1.0, -1.0)
    turned = x.T.tocsr()
    w = ahead = np.zeros(x.shape[1] + 1)
    for k in range(STEPS):
        margin = sign * (x @ ahead[:-1] + ahead[-1])
        pull = -sign / (1 + np.exp(np.clip(margin, -50, 50))) / len(sign)
        gradient = np.append(turned @ pull + PENALTY * ahead[:-1], pull.sum())
        last, w = w, ahead - 2.0 * gradient
        ahead = w + k / (k + 3) * (w - last)
    return np.asarray(w, dtype=np.float64)
