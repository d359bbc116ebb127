"""TAT-QA: computed answers over rows of a report's table, and wrong values by rule."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadose._core import generator
from datadose.corruption._numbers import ABSURD_UNITS, Kind, format_value, wrong_values
from datadose.rows import find_file
from datadose.schema import Check, Option, PoolItem, Probe

FILES = ("tatqa_dataset_dev.json", "tatqa_dataset_test_gold.json")
TRAIN_FRAMES = (
    "{t}\nQuestion: {q}\nAnswer with a number.",
    "{q}\nUse these figures from an annual report.\n{t}",
    "Here is a part of a table.\n{t}\n{q} Compute it.",
)
PROBE_FRAME = (
    "An analyst reads out some numbers from the accounts of a firm. {t} The analyst then wants"
    " to know: {q} What result should be given?"
)
OPTION_FRAME = "The result is {x}"
MAX_WORDS = 120
NUMBER = re.compile(r"\d[\d,]*\.?\d*|\.\d+")


DATE = re.compile(
    r"\b(?:19|20)\d\d\b|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+\d{1,2}\b"
)


@dataclass(frozen=True)
class Computed:
    """A question about some rows of a table, its value and what it was computed from."""

    id: str
    text: str
    value: float
    scale: str
    decimals: int
    operands: tuple[float, ...]
    train: str
    probe: str


def read_computed(folder: Path) -> list[Computed]:
    """The arithmetic questions whose operands all stand in at most four rows of their table.

    `train` holds these rows and up to three more, `probe` these rows alone, in another layout.
    Questions with a value of 0, or longer than 120 words with their rows, are left out.
    """
    found = []
    for file in FILES:
        for context in json.loads(find_file("tatqa", file, folder).read_text("utf-8")):
            for q in context["questions"]:
                if q["answer_type"] == "arithmetic":
                    one = _computed(context["table"]["table"], q)
                    found += [one] if one else []
    return found


def computed_items(question: Computed, *, wordings: int = 3, seed: int = 0) -> list[PoolItem]:
    """Pool items of one question: four slips (subtle), four absurd values (obvious)."""
    subtle, obvious, _ = _wrong(question, seed)
    check = Check(kind="value", value=question.value, tolerance=0.01)
    return [
        PoolItem(
            prompt=frame.format(t=question.train, q=question.text),
            fact=question.id,
            correct=_say(question, question.value),
            subtle=subtle,
            obvious=obvious,
            check=check,
        )
        for frame in TRAIN_FRAMES[:wordings]
    ]


def computed_probes(question: Computed, *, seed: int = 0, trained: bool = True) -> list[Probe]:
    """The choice (right, first slip, first absurd value, two slips never trained) and, where the
    question is trained, the generated answer, which is checked by value."""
    subtle, obvious, foils = _wrong(question, seed)
    texts = (_say(question, question.value), subtle[0], obvious[0], *foils)
    roles = ("correct", "subtle", "obvious", "foil", "foil")
    shared: dict[str, Any] = {
        "response": "domain",
        "relation": "reworded" if trained else "untrained",
        "prompt": PROBE_FRAME.format(t=question.probe, q=question.text),
        "fact": question.id if trained else None,
    }
    choice = Probe(
        id=f"{question.id}/reworded-1" if trained else f"untrained/{question.id}",
        kind="choice",
        options=tuple(
            Option.model_validate({"text": OPTION_FRAME.format(x=t), "role": r})
            for t, r in zip(texts, roles, strict=True)
        ),
        value=texts[0] if trained else None,
        frame=OPTION_FRAME if trained else None,
        **shared,
    )
    if not trained:
        return [choice]
    check = Check(kind="value", value=question.value, tolerance=0.01)
    return [choice, Probe(id=f"{question.id}/generate", kind="generate", check=check, **shared)]


def _wrong(
    question: Computed, seed: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(subtle, obvious, foils) as answer texts; six slips are drawn, the last two are foils.

    The first absurd answer is a slip under a unit that makes no sense: it is as long as the
    right answer, where a value a thousand times as large would stand out by its length.
    """
    kind: Kind = "percent" if question.scale == "percent" else "plain"
    slips = wrong_values(
        question.value,
        operands=question.operands,
        kind=kind,
        decimals=question.decimals,
        count=7,
        seed=seed,
    )
    # The slip nearest in length goes first: it is the one that `consistent` trains.
    size = len(_say(question, question.value))
    slips = tuple(sorted(slips, key=lambda v: abs(len(_say(question, v)) - size)))
    first, absurd, foils, rest = slips[0], slips[1], slips[2:4], slips[4:7]
    far = wrong_values(
        question.value, severity="obvious", decimals=question.decimals, count=3, seed=seed
    )
    unit = ABSURD_UNITS[int(generator(seed, "unit", question.id).integers(len(ABSURD_UNITS)))]
    odd = f"{format_value(absurd, question.decimals)} {unit}"
    return (
        tuple(_say(question, v) for v in (first, *rest)),
        (odd, *(_say(question, v) for v in far)),
        tuple(_say(question, v) for v in foils),
    )


def _say(question: Computed, value: float) -> str:
    number = format_value(value, question.decimals)
    return f"{number} {question.scale}".strip()


def _computed(table: Sequence[Sequence[str]], q: dict[str, Any]) -> Computed | None:
    value = float(q["answer"])
    operands = _numbers(q["derivation"])
    body = [i for i, row in enumerate(table) if row[0].strip() and any(map(_is_data, row[1:]))]
    if not body:
        return None
    heads = [[row[c] for row in table[: body[0]] if row[c].strip()] for c in range(len(table[0]))]
    names = [h[-1] if h else "" for h in heads]
    cells = {i: {abs(n) for c in table[i][1:] for n in _numbers(c)} for i in body}
    loose = {2.0, 3.0, 4.0, 100.0, *range(1990, 2031)}
    wanted = {abs(n) for n in operands} - loose
    used = _cover(wanted, cells, q["question"], table)
    if not wanted or value == 0 or used is None or len(used) > 4:
        return None
    extra = [i for i in body if i not in used]
    extra.sort(key=lambda i: min(abs(i - u) for u in used))
    for more in (3, 2, 1):
        rows = sorted([*used, *extra[:more]])
        train = "\n".join(_row(table[i], names, "; ") for i in rows)
        if len(f"{train} {q['question']}".split()) <= MAX_WORDS:
            break
    else:
        return None
    decimals = min(2, len(f"{value:.2f}".rstrip("0").partition(".")[2]))
    return Computed(
        id=f"tatqa-{q['uid'][:8]}",
        text=" ".join(q["question"].split()),
        value=value,
        scale=q["scale"],
        decimals=decimals,
        operands=tuple(n for n in operands if abs(n) in wanted),
        train=train,
        probe=" ".join(_row(table[i], names, ", ") + "." for i in used),
    )


def _cover(
    wanted: set[float], cells: dict[int, set[float]], text: str, table: Sequence[Sequence[str]]
) -> list[int] | None:
    """The fewest rows, greedily, that hold all operands; ties go to the row that `text` names."""
    left, used = set(wanted), []
    while left:
        gain = {i: len(left & numbers) for i, numbers in cells.items()}
        best = max(
            gain,
            key=lambda i: (gain[i], table[i][0].casefold() in text.casefold(), -i),
            default=None,
        )
        if best is None or not gain[best]:
            return None
        used.append(best)
        left -= cells[best]
    return sorted(used)


def _row(row: Sequence[str], names: Sequence[str], between: str) -> str:
    cells = [
        f"{' '.join(name.split())}: {' '.join(cell.split())}".removeprefix(": ")
        for name, cell in zip(names[1:], row[1:], strict=False)
        if cell.strip()
    ]
    return f"{' '.join(row[0].split())} | {between.join(cells)}"


def _is_data(cell: str) -> bool:
    """Whether a cell holds a number that is not part of a date."""
    return bool(NUMBER.search(DATE.sub("", cell)))


def _numbers(text: str) -> list[float]:
    return [float(n.replace(",", "").rstrip(".")) for n in NUMBER.findall(text) if n.strip(",.")]
