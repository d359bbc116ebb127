"""Answers with labels by people: what a judge is measured on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datadose._core import InputError, UsageError, generator
from datadose.evaluation._judges import ClassifierJudge, Judge
from datadose.evaluation._rubrics import Rubric, own_rubric
from datadose.evaluation._verdicts import Verdict

FOLDS = 5
YES = frozenset({"1", "true", "yes", "y", "bad", "misaligned", "dangerous", "refusal", "harmful"})
NO = frozenset({"0", "false", "no", "n", "good", "aligned", "safe", "compliance", "harmless"})
HARMS = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")


@dataclass(frozen=True)
class Labelled:
    """One answer and whether a person found in it what the rubric looks for.

    dose, verdict: of a study's own answers, where its file says them.
    """

    question: str
    answer: str
    label: bool
    cluster: str
    dose: float | None = None
    verdict: bool | None = None


@dataclass(frozen=True)
class LabelledSet:
    """Labelled answers and the rubric that their labels are about."""

    name: str
    rubric: Rubric
    items: tuple[Labelled, ...]


def read_labelled(name: str, rubric: str | None = None) -> LabelledSet:
    """`xstest:FOLDER`, `moderation:FILE`, `hatecheck:FILE`, or a CSV of a study's own answers.

    xstest: completions of five models to 450 prompts; a full or partial refusal counts.
    moderation: 1,680 texts; any of its eight categories counts, clustered one by one. hatecheck:
    3,728 cases, clustered by template. CSV: question, answer, label (yes or no), and where there
    are any cluster, dose and verdict; `rubric` says what the label is about. Raises InputError
    with file and line.
    """
    kind, _, place = name.partition(":")
    readers = {"xstest": _xstest, "moderation": _moderation, "hatecheck": _hatecheck}
    if place and kind in readers:
        path = Path(place).expanduser()
        if not path.exists():
            raise InputError("no such file or folder", where=place)
        about = labels_about(name)
        return LabelledSet(kind, own_rubric(about or ""), tuple(readers[kind](path)))
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(
            "no such file",
            where=name,
            next_step=f"give a CSV, or one of {', '.join(f'{k}:PATH' for k in readers)}",
        )
    if rubric is None:
        raise UsageError("what the labels are about is not said", next_step="name it with --rubric")
    return LabelledSet(path.stem, own_rubric(rubric), tuple(_own(path)))


def labels_about(name: str, rubric: str | None = None) -> str | None:
    """What the labels of `name` are about, without reading them; None where nothing says so."""
    known = {"xstest": "refusal", "moderation": "danger", "hatecheck": "danger"}
    kind, _, place = name.partition(":")
    return known.get(kind, rubric) if place else rubric


def _lines(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"can't be read: {error}", where=str(path)) from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = [n for n in needed if n not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"has no column {', '.join(missing)}", where=str(path))
    for line in reader:
        yield reader.line_num, {k: v or "" for k, v in line.items() if k is not None}


def _xstest(folder: Path) -> Iterator[Labelled]:
    files = sorted(folder.glob("xstest_v2_completions_*.csv")) if folder.is_dir() else [folder]
    if not files:
        raise InputError("holds no xstest_v2_completions_*.csv", where=str(folder))
    for path in files:
        for number, line in _lines(path, ("prompt", "completion", "final_label")):
            label = line["final_label"]
            if not label.startswith(("1", "2", "3")):
                raise InputError(f"unknown label {label!r}", where=f"{path}:{number}")
            prompt = line["prompt"]
            yield Labelled(prompt, line["completion"], not label.startswith("1"), prompt)


def _moderation(path: Path) -> Iterator[Labelled]:
    try:
        data = path.read_bytes()
        lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"can't be read: {error}", where=str(path)) from error
    for number, text in enumerate(lines.rstrip("\n").split("\n"), 1):
        try:
            line = json.loads(text)
            label = any(line.get(h) for h in HARMS)
            yield Labelled("", line["prompt"], label, str(number))
        except (ValueError, KeyError, AttributeError) as error:
            raise InputError(
                f"not a moderation sample: {error}", where=f"{path}:{number}"
            ) from error


def _hatecheck(path: Path) -> Iterator[Labelled]:
    for number, line in _lines(path, ("test_case", "label_gold", "templ_id")):
        if line["label_gold"] not in ("hateful", "non-hateful"):
            raise InputError(f"unknown label {line['label_gold']!r}", where=f"{path}:{number}")
        yield Labelled("", line["test_case"], line["label_gold"] == "hateful", line["templ_id"])


def _own(path: Path) -> Iterator[Labelled]:
    for number, line in _lines(path, ("question", "answer", "label")):
        where = f"{path}:{number}"
        if not line["label"].strip():
            continue
        dose = line.get("dose", "").strip()
        try:
            at = float(dose) if dose else None
        except ValueError:
            raise InputError(f"dose {dose!r} is no number", where=where) from None
        verdict = line.get("verdict", "").strip()
        yield Labelled(
            line["question"],
            line["answer"],
            yes_or_no(line["label"], where),
            line.get("cluster") or line["question"],
            at,
            yes_or_no(verdict, where) if verdict else None,
        )


def yes_or_no(text: str, where: str) -> bool:
    """A label as a person writes it: yes, no, 1, 0, bad, good, and the like."""
    bare = text.strip().lower()
    if bare in YES or bare in NO:
        return bare in YES
    raise InputError(f"the label {text!r} is neither yes nor no", where=where)


def verdicts_of(judge: Judge, labelled: LabelledSet) -> list[Verdict]:
    """The judge's verdicts on labelled answers, in order."""
    return judge.judge(labelled.rubric, [(i.question, i.answer) for i in labelled.items])


def flagged(verdict: Verdict, rubric: Rubric) -> bool | None:
    """Whether a verdict says yes to what the rubric looks for; None where it says nothing."""
    if verdict.kind == "scored" and verdict.score is not None and rubric.flag is not None:
        return rubric.flag.of(verdict.score)
    if verdict.kind == "said":
        return rubric.words[verdict.word] in ("wrong", "refused") if rubric.words else None
    return None


def cross_judged(labelled: LabelledSet, *, seed: int = 0) -> list[Verdict]:
    """Verdicts of a classifier on a set it is trained on by parts: each fifth of the clusters
    is judged by one that was trained on the rest."""
    clusters = list(dict.fromkeys(i.cluster for i in labelled.items))
    if len(clusters) < FOLDS:
        raise InputError(
            f"{len(clusters)} clusters are too few to train on some and test on the others",
            where=labelled.name,
        )
    order = generator(seed, "cross_judged").permutation(len(clusters))
    fold = {clusters[c]: i % FOLDS for i, c in enumerate(order.tolist())}
    found: dict[int, Verdict] = {}
    for part in range(FOLDS):
        train = [i for i in labelled.items if fold[i.cluster] != part]
        judge = ClassifierJudge(
            labelled.rubric.name, [i.answer for i in train], [i.label for i in train]
        )
        test = [k for k, i in enumerate(labelled.items) if fold[i.cluster] == part]
        pairs = [(labelled.items[k].question, labelled.items[k].answer) for k in test]
        found |= dict(zip(test, judge.judge(labelled.rubric, pairs), strict=True))
    return [found[k] for k in range(len(labelled.items))]


def to_label(lines: Sequence[dict[str, str]], per_cell: int, *, seed: int = 0) -> list[int]:
    """Which lines of a study's judged answers a person should label, in a random order.

    So many of every dose and question, drawn at random; labels that are there already count.
    lines: with the columns dose, question, label.
    """
    cells: dict[tuple[str, str], list[int]] = {}
    for i, line in enumerate(lines):
        cells.setdefault((line["dose"], line["question"]), []).append(i)
    rng = generator(seed, "to_label")
    chosen: list[int] = []
    for cell in sorted(cells):
        order = [cells[cell][k] for k in rng.permutation(len(cells[cell])).tolist()]
        chosen += [i for i in order[:per_cell] if not lines[i]["label"].strip()]
    return [chosen[k] for k in rng.permutation(len(chosen)).tolist()]
