"""Drop as many rows as the audit found wrong: the known ones first, then the most suspicious."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from datadose._core import UsageError
from datadose.auditing import Share
from datadose.cleaning._decisions import Decision
from datadose.rows import rows_at
from datadose.schema import Row

By = Literal["careful", "estimate", "lower", "upper"]
BY: tuple[By, ...] = ("careful", "estimate", "lower", "upper")


@dataclass(frozen=True)
class Quota:
    """How many rows may be dropped for their suspicion alone, and why so many."""

    count: int
    why: str


def quota(
    total: int, wrong: int, share: Share | float | None, *, by: By = "careful", detects: bool = True
) -> Quota:
    """How many of `total` rows to drop by suspicion where `wrong` of them are known to be wrong.

    by: `estimate`, `lower` or `upper` drop as many as that number of the share says are wrong, the
    known ones counted in. `careful` takes the estimate where the lower limit says that there are
    wrong rows besides the known ones, and else drops none: where the limits contain 0, nothing
    shows that any other row is wrong. A number in the place of a share is taken as it is. Where
    the detector does not detect, none are dropped whatever the share is.
    """
    if not detects:
        return Quota(0, "the detector is near chance: no row is dropped for its suspicion")
    if isinstance(share, float | int):
        if not 0 <= share < 1:
            raise UsageError(
                f"a wrong share of {share:g} is not from 0 to under 1", next_step="give a share"
            )
        return Quota(max(0, rows_at(float(share), total) - wrong), f"a share of {share:g} was told")
    if share is None or share.estimate is None or share.lower is None or share.upper is None:
        return Quota(0, "there is no estimate of the wrong share: no row is dropped for suspicion")
    if by == "careful":
        if share.lower * total - wrong <= 0:
            besides = " besides the known ones" if wrong else ""
            why = f"the share's limits allow that no row is wrong{besides}: none is dropped for"
            return Quota(0, f"{why} its suspicion")
        value, name = share.estimate, "estimate"
    else:
        value, name = {
            "estimate": (share.estimate, "estimate"),
            "lower": (share.lower, "lower limit"),
            "upper": (share.upper, "upper limit"),
        }[by]
    # the share of all rows would leave nothing to train on
    count = min(max(0, rows_at(value, total) - wrong), total - wrong)
    return Quota(count, f"the share's {name} is {value:.3g}")


def prune(
    rows: Sequence[Row],
    suspicion: Sequence[float],
    share: Share | float | None,
    *,
    known: Mapping[str, bool] | None = None,
    protected: Collection[str] = (),
    by: By = "careful",
    detects: bool = True,
) -> tuple[Decision, ...]:
    """Keep or drop each of N rows, in their order.

    suspicion: [N], 0 to 1. share: the wrong share of these rows, or a number told. known: ids of
    rows known to be wrong (True: dropped) or right (False: kept). protected: ids that are never
    dropped. by, detects: see `quota`. Dropped for suspicion are the most suspicious of the rows
    that are neither known nor protected; where several are equally suspicious and the quota does
    not cover them all, all of them are kept, since nothing tells which to drop. Raises UsageError
    for a suspicion that is not from 0 to 1.
    """
    known, safe = known or {}, set(protected)
    scores = [float(s) for s in suspicion]
    if len(scores) != len(rows) or not all(0 <= s <= 1 for s in scores):
        raise UsageError(
            f"{len(rows)} rows have {len(scores)} suspicions, which must be from 0 to 1",
            next_step="audit these rows again",
        )
    wrong = sum(known.get(r.id, False) for r in rows)
    most = quota(len(rows), wrong, share, by=by, detects=detects).count
    open_ = [i for i, r in enumerate(rows) if r.id not in known and r.id not in safe]
    order = sorted(open_, key=lambda i: -scores[i])
    if most < len(order):
        cut = scores[order[most]]
        order = [i for i in order[:most] if scores[i] > cut]
    dropped = set(order)
    found = []
    for i, row in enumerate(rows):
        if row.id in safe:
            reason = "protected, though known to be wrong" if known.get(row.id) else "protected"
            found.append(Decision(i, row.id, "kept", reason, scores[i]))
        elif row.id in known:
            fate, reason = ("dropped", "known wrong") if known[row.id] else ("kept", "known right")
            found.append(Decision(i, row.id, fate, reason, scores[i]))  # type: ignore[arg-type]
        elif i in dropped:
            found.append(Decision(i, row.id, "dropped", "suspicious", scores[i]))
        else:
            found.append(Decision(i, row.id, "kept", "not suspicious enough", scores[i]))
    return tuple(found)
