"""Measure every detector on planted errors, choose one, and say which are no better than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from datadose.auditing._combine import rank_average, topsis
from datadose.auditing._evidence import Evidence, NotMeasuredError, detector, ranks, settled, timed
from datadose.auditing._measures import auroc, auroc_error, average_precision, precision_at
from datadose.auditing._plant import Planted, fact_names

if TYPE_CHECKING:
    import numpy as np

CONTROLS = ("length", "length-short")
COMBINED = ("views", "rank-average", "topsis")
OTHERS, SURPRISE = "other rows", "surprise"
TAUGHT = (OTHERS, SURPRISE)
# What a detector reads; all others read the model's own surprise at the answer.
VIEWS = {
    "neighbours": OTHERS,
    "in-context": OTHERS,
    "in-context-worst": OTHERS,
    "self-validation": "opinion",
    "judge": "opinion",
    "agreement-low": "trusted rows",
    "agreement-high": "trusted rows",
}
# What other rows contradict is wrong however it came to be. Surprise hangs on how an error was
# made, and planted ones, made by rule, overrate it; they underrate detectors that find the wrong
# rows that were there before, since those count as right.
VOICES = {OTHERS: 3}
Z = 1.96
DETECTABLE = 0.65

Parts = tuple[tuple[str, int | None], ...]
"""Names of detectors and when each of them looks."""


@dataclass(frozen=True)
class Measured:
    """How one detector ranked the planted rows of a copy.

    `when`: the epoch (from 1) that did best, 0 for all epochs averaged by rank, None for detectors
    that look once. `auroc` with two-sided 95% limits, `average_precision`, and `precision` among
    as many rows as were planted: randomly planted rows against untouched ones, consistently
    planted ones left out. `consistent`: AUROC of those, None where none could be planted.
    `status`: `detects`, `near chance` (the limits hold 0.5), `reversed` or `not measured`.
    """

    name: str
    when: int | None
    auroc: float | None
    lower: float | None
    upper: float | None
    average_precision: float | None
    precision: float | None
    consistent: float | None
    status: str
    note: str = ""


@dataclass(frozen=True)
class Calibration:
    """All detectors on one planted copy, the chosen one, and what is known of it.

    `random` and `consistent` are numbers of planted rows. `spots` are the shares of the copy's
    rows that are less suspicious than each randomly planted one, sorted: what turns a rank into a
    suspicion. `parts` are the columns that `rank-average` and `topsis` join, `views` those of each
    view that `views` joins. `not_detectable` says that consistent errors are missed by the chosen
    detector, or that too few facts were planted to show that they are not.
    """

    table: tuple[Measured, ...]
    chosen: str
    parts: Parts
    views: tuple[Parts, ...]
    random: int
    consistent: int
    how: dict[str, int]
    spots: tuple[float, ...]
    not_detectable: bool
    prior: tuple[float, float] | None

    @property
    def best(self) -> Measured:
        return next(m for m in self.table if m.name == self.chosen)


def score(evidence: Evidence, name: str, when: int | None) -> np.ndarray:
    """One detector's column [N], larger is more suspicious; `when` as in Measured."""
    import numpy as np

    method = detector.get(name)
    if not timed(name):
        return np.asarray(method(evidence), dtype=float)
    if when:
        return np.asarray(method(evidence, when - 1), dtype=float)
    epochs = range(evidence.recording.epochs)
    return rank_average([np.asarray(method(evidence, e), dtype=float) for e in epochs])


def combine(evidence: Evidence, name: str, parts: Parts, views: Sequence[Parts] = ()) -> np.ndarray:
    """`rank-average` or `topsis` over the columns of `parts`, or `views`: the mean over `views` of
    the rank of each one's rank average, so that a view has one voice (other rows: three) however
    many detectors.

    Where other rows are among the views, they and surprise are first joined and `settled` by how
    like a row its examples are: of a row like no other, a short run has learned little, so that its
    surprise is no sign either. An opinion stands by itself.
    """
    if name == "views":
        taught: list[np.ndarray] = []
        voices: list[np.ndarray] = []
        for view in views:
            what = view_of(view[0][0])
            column = combine(evidence, "rank-average", view)
            to = taught if what in TAUGHT else voices
            to += [column] * VOICES.get(what, 1)
        alike = evidence.asked.get("alike")
        if alike is not None and any(view_of(view[0][0]) == OTHERS for view in views):
            taught = [settled(ranks(rank_average(taught)), alike)] * len(taught)
        return rank_average([*taught, *voices])
    columns = [score(evidence, n, w) for n, w in parts]
    return rank_average(columns) if name == "rank-average" else topsis([ranks(c) for c in columns])


def view_of(name: str) -> str:
    """What a detector reads."""
    return VIEWS.get(name, SURPRISE)


def split_views(able: Sequence[Measured]) -> tuple[Parts, ...]:
    """The detectors of each view that detect; where none does, its best one if that is above
    chance by one standard error. Views without any are left out. Of `OTHERS`, where it is in, all
    members are that are not reversed: which of them planted rows favour says little (`VOICES`)."""
    views: dict[str, list[Measured]] = {}
    for m in able:
        views.setdefault(view_of(m.name), []).append(m)
    found = []
    for view, members in views.items():
        good = [m for m in members if m.status == "detects"]
        best = max(members, key=lambda m: m.auroc or 0.0)
        error = ((best.auroc or 0.0) - (best.lower or 0.0)) / Z
        if not good and (best.auroc or 0.0) - error > 0.5:
            good = [best]
        if good and view == OTHERS:
            good = [m for m in members if m.status != "reversed"]
        if good:
            found.append(tuple((m.name, m.when) for m in good))
    return tuple(found)


def measure(column: np.ndarray, planted: Planted, name: str, when: int | None) -> Measured:
    """One column's figures on a planted copy."""
    import numpy as np

    wrong = np.zeros(len(column), dtype=bool)
    wrong[list(planted.random)] = True
    fixed = np.zeros(len(column), dtype=bool)
    fixed[list(planted.consistent)] = True
    s, w = column[~fixed], wrong[~fixed]
    value = auroc(s, w)
    error = auroc_error(value, int(w.sum()), int((~w).sum()))
    low, high = max(0.0, value - Z * error), min(1.0, value + Z * error)
    status = "detects" if low > 0.5 else "reversed" if high < 0.5 else "near chance"
    return Measured(
        name,
        when,
        value,
        low,
        high,
        average_precision(s, w),
        precision_at(s, w, int(w.sum())),
        auroc(column[~wrong], fixed[~wrong]) if fixed.any() else None,
        status,
    )


def calibrate(evidence: Evidence, planted: Planted, *, without: Sequence[str] = ()) -> Calibration:
    """Measure all detectors on the planted copy that `evidence` was recorded on, and choose one.

    A detector that can look at any epoch is taken at the one with the best AUROC, all epochs
    averaged among them. Combinations join all that detect by their lower limit, controls left
    out, or each view's (`split_views`). Chosen is the highest AUROC, a combination before a single
    detector where they are within one standard error, since the best of many single ones is partly
    luck; and before both, where it is within 1.96 of them, the combination of views: a few planted
    rows can't tell them apart, and views seldom err on the same rows. Controls are measured and
    never chosen; where nothing detects, the best single one is chosen and its status says so.
    Detectors in `without` are left out of all of it.
    """

    found: list[Measured] = []
    columns: dict[tuple[str, int | None], np.ndarray] = {}
    for name in [n for n in detector if n not in without]:
        moments = [0, *range(1, evidence.recording.epochs + 1)] if timed(name) else [None]
        tried = []
        note = ""
        for when in moments:
            try:
                column = score(evidence, name, when)
            except NotMeasuredError as error:
                note = str(error)
                break
            columns[name, when] = column
            tried.append(measure(column, planted, name, when))
        if tried:
            found.append(max(tried, key=lambda m: m.auroc or 0.0))
        else:
            found.append(
                Measured(name, None, None, None, None, None, None, None, "not measured", note)
            )
    good = [m for m in found if m.status == "detects" and m.name not in CONTROLS]
    good.sort(key=lambda m: -(m.auroc or 0))
    parts = tuple((m.name, m.when) for m in good)
    views = split_views([m for m in found if m.auroc is not None and m.name not in CONTROLS])
    for name in COMBINED:
        if len(views if name == "views" else parts) > 1:
            found.append(measure(combine(evidence, name, parts, views), planted, name, None))
    able = [m for m in found if m.auroc is not None and m.name not in CONTROLS]
    top = max(able, key=lambda m: m.auroc or 0.0)
    untouched = len(planted.rows) - len(planted.random) - len(planted.consistent)
    near = auroc_error(top.auroc or 0.0, len(planted.random), untouched)
    joined = [m for m in able if m.name in COMBINED and (m.auroc or 0) >= (top.auroc or 0) - near]
    best = max(joined, key=lambda m: m.auroc or 0.0) if joined else top
    best = next(
        (m for m in able if m.name == "views" and (m.auroc or 0) >= (top.auroc or 0) - Z * near),
        best,
    )
    column = (
        combine(evidence, best.name, parts, views)
        if best.name in COMBINED
        else columns[best.name, best.when]
    )
    place = ranks(column)
    table = sorted(found, key=lambda m: (m.auroc is None, -(m.auroc or 0), m.name))
    return Calibration(
        table=tuple(table),
        chosen=best.name,
        parts=parts,
        views=views,
        random=len(planted.random),
        consistent=len(planted.consistent),
        how=dict(planted.how),
        spots=tuple(sorted(float(place[i]) for i in planted.random)),
        not_detectable=best.consistent is not None and not _shown(best.consistent, planted),
        prior=model_share(place, planted),
    )


def _shown(consistent: float, planted: Planted) -> bool:
    """Whether an AUROC of consistently planted rows is far enough from chance: DETECTABLE or more,
    and its lower limit above a half. A fact's rows share their fate, so facts count, not rows."""
    names = fact_names(planted.rows)
    facts = len({names[i] for i in planted.consistent})
    others = len(names) - len(planted.consistent) - len(planted.random)
    low = consistent - Z * auroc_error(consistent, facts, others)
    return consistent >= DETECTABLE and low > 0.5


def column_of(evidence: Evidence, measured: Measured, calibration: Calibration) -> np.ndarray:
    """A detector or combination of a calibration on other rows than the planted copy, [N]."""
    if measured.name in COMBINED:
        return combine(evidence, measured.name, calibration.parts, calibration.views)
    return score(evidence, measured.name, measured.when)


def chosen_column(evidence: Evidence, calibration: Calibration) -> np.ndarray:
    """The chosen detector on other rows than the planted copy, [N]."""
    return column_of(evidence, calibration.best, calibration)


def suspicion(column: np.ndarray, spots: Sequence[float]) -> np.ndarray:
    """A column as suspicion, [N] from 0 to 1: which part of the planted rows it would exceed.

    A row's rank among all rows is put between the ranks that planted rows had in their copy, and
    interpolated, so that order is kept: at 0.5 it is as suspicious as the median planted row. It
    is no chance of being wrong.
    """
    import numpy as np

    knots = np.concatenate([[0.0], np.asarray(spots), [1.0]])
    heights = np.arange(len(knots)) / (len(knots) - 1)
    keep = np.concatenate([[True], np.diff(knots) > 0])
    return np.asarray(np.interp(ranks(column), knots[keep], heights[keep]))


def model_share(column: np.ndarray, planted: Planted) -> tuple[float, float] | None:
    """(estimate, upper limit) of the share wrong among untouched rows, if errors look planted.

    No more of them can be wrong than min over t of P(untouched >= t) / P(planted >= t), for were
    the share larger, so many would score above t (the mixture proportion of Blanchard, Lee and
    Scott 2010). Thresholds leave at least half of the planted rows above: at the very top a few
    lucky ones would tell too little. The upper limit takes both shares at their exact limits, for
    all thresholds at once. None where the detector is near chance.
    """
    import numpy as np

    from datadose.curves import exact_limits

    touched = {*planted.random, *planted.consistent}
    rest = column[[i for i in range(len(column)) if i not in touched]]
    bad = np.sort(column[list(planted.random)])
    if len(bad) < 4 or measure(column, planted, "", None).status != "detects":
        return None
    tried = len(bad) // 2 + 1
    level = 1 - 0.05 / tried
    best, limit = 1.0, 1.0
    for k, cut in enumerate(bad[:tried]):
        above, over = len(bad) - k, int((rest >= cut).sum())
        best = min(best, over / len(rest) / (above / len(bad)))
        most = exact_limits(over, len(rest), level)[1]
        limit = min(limit, most / max(exact_limits(above, len(bad), level)[0], 1e-9))
    return best, min(1.0, max(limit, best))
