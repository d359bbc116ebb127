"""Labels of rows: the labelling session as a state machine, and labels in a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from datadose._core import InputError, Issue, write_atomic

Label = Literal["wrong", "right", "unsure"]
KEYS: Mapping[str, Label] = {"y": "wrong", "n": "right", "?": "unsure"}
UNDO, QUIT = "u", "q"
SAID: Mapping[str, Label] = {
    **dict.fromkeys(("y", "yes", "wrong", "1", "true"), "wrong"),
    **dict.fromkeys(("n", "no", "right", "0", "false"), "right"),
    **dict.fromkeys(("?", "unsure", ""), "unsure"),
}


@dataclass(frozen=True)
class Session:
    """A labelling session: ids in the order in which they are shown, and the labels so far.

    Labels go from the first id on without a gap, so that what is labelled is always a first part
    of the drawn order, which is a sample too.
    """

    queue: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    stopped: bool = False

    @property
    def current(self) -> str | None:
        """The id to be shown, None where all are labelled or the person stopped."""
        done = self.stopped or len(self.labels) >= len(self.queue)
        return None if done else self.queue[len(self.labels)]

    def press(self, key: str) -> Session:
        """The session after a key: y wrong, n right, ? unsure, u undo, q stop, or no change."""
        if key == QUIT:
            return replace(self, stopped=True)
        if key == UNDO:
            return replace(self, labels=self.labels[:-1])
        if key in KEYS and self.current is not None:
            return replace(self, labels=(*self.labels, KEYS[key]))
        return self

    def known(self) -> dict[str, Label]:
        """Labels by id."""
        return dict(zip(self.queue, self.labels, strict=False))


def resumed(queue: Sequence[str], known: Mapping[str, Label]) -> Session:
    """A session over `queue` that starts after the labels that are already known."""
    labels: list[Label] = []
    for name in queue:
        if name not in known:
            break
        labels.append(known[name])
    return Session(tuple(queue), tuple(labels))


@dataclass(frozen=True)
class Labelled:
    """Labels by id, and each one's chance to be drawn where the file gives it."""

    labels: dict[str, Label]
    probability: dict[str, float]


def read_labels(path: Path, ids: Sequence[str]) -> Labelled:
    """Labels of a CSV with columns `id` and `label`; `probability` where chances were not equal.

    A label is y, n or ?, or yes, no, wrong, right, 1, 0; empty is ?. Raises InputError that lists
    unknown ids, ids that stand twice, and values out of range, with their lines.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"can't be read: {error}", where=str(path), next_step="give a CSV of id,label"
        ) from error
    reader = csv.DictReader(io.StringIO(text))
    if not {"id", "label"} <= set(reader.fieldnames or ()):
        raise InputError(
            f"needs the columns id and label (seen: {', '.join(reader.fieldnames or ())})",
            where=str(path),
            next_step="scores.csv has every row's id",
        )
    known, labels, chances = set(ids), {}, {}
    issues = []
    for record in reader:
        where, name = f"{path}:{reader.line_num}", (record["id"] or "").strip()
        label = SAID.get((record["label"] or "").strip().lower())
        if name not in known:
            issues.append(Issue(f"{where}: id", "is no row of this file", name[:40]))
        elif name in labels:
            issues.append(Issue(f"{where}: id", "is labelled twice", name[:40]))
        elif label is None:
            issues.append(Issue(f"{where}: label", "is not y, n or ?", str(record["label"])[:40]))
        else:
            labels[name] = label
        chance = (record.get("probability") or "").strip()
        if chance:
            try:
                chances[name] = float(chance)
            except ValueError:
                chances[name] = -1.0
            if not 0 < chances[name] <= 1:
                issues.append(Issue(f"{where}: probability", "is not over 0 and at most 1", chance))
    if issues:
        raise InputError(
            f"{len(issues)} bad places in these labels",
            where=str(path),
            issues=issues[:20],
            total=len(issues),
            next_step="mend or delete these lines",
        )
    if chances and len(chances) != len(labels):
        raise InputError(
            f"{len(labels) - len(chances)} labels have no probability, others have one",
            where=str(path),
            next_step="give every label its probability, or none",
        )
    return Labelled(labels, chances)


def part_of_draw(
    known: Mapping[str, Label], ids: Sequence[str], probability: Sequence[float]
) -> Labelled:
    """The labels of a draw that is labelled in part, each with its chance to be among them.

    ids and probability: the rows drawn, in order, and their chances. Rows are labelled from the
    first drawn on, so that a first part of the draw is a draw with fewer chances.
    """
    chances = dict(zip(ids, probability, strict=True))
    part = len(known) / max(1, len(ids))
    return Labelled(dict(known), {name: chances[name] * part for name in known})


def write_labels(path: Path, labels: Mapping[str, Label], probability: Mapping[str, float]) -> None:
    """Write labels as `read_labels` reads them, atomically."""
    short = {v: k for k, v in KEYS.items()}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "label", "probability"])
    for name, label in labels.items():
        writer.writerow([name, short[label], repr(probability[name])])
    write_atomic(path, out.getvalue())
