"""`datadose judge`: measure judges on labelled answers, correct rates for their errors."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from datadose.curves import Accuracy, CorrectedRate, Share
    from datadose.evaluation import LabelledSet, Verdict

judge_app = typer.Typer(no_args_is_help=True, help="Judges of open answers, and their errors.")


@judge_app.callback()
def root() -> None:
    """Judges of open answers, and their errors."""


@judge_app.command("calibrate")
def calibrate(
    labels: Annotated[
        str,
        typer.Argument(
            help="xstest:FOLDER, moderation:FILE, hatecheck:FILE, or a CSV (question, answer,"
            " label)."
        ),
    ],
    judge: Annotated[
        list[str],
        typer.Option(
            help="A YAML file (url, model, key), rule:NAME, local:MODEL, classifier:LABELS, or"
            " classifier (trained and tested on parts of LABELS). May be given twice or more."
        ),
    ],
    rubric: Annotated[
        str | None, typer.Option(help="What a CSV's labels are about, such as danger.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="So many answers, spread evenly.")
    ] = None,
    price_only: Annotated[bool, typer.Option(help="Say what it would cost; ask nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Precision, recall and kappa of judges against people's labels, with 95% limits."""
    from dataclasses import asdict, replace

    from datadose._core import canonical_json
    from datadose.evaluation import read_labelled

    known = read_labelled(labels, rubric)
    if limit is not None and limit < len(known.items):
        n = len(known.items)
        known = replace(known, items=tuple(known.items[i * n // limit] for i in range(limit)))
    if price_only:
        _print_prices(known, judge, json)
        return
    for name in judge:
        _refuse_its_own_labels(name, labels)
    said = {name: _flags(known, name) for name in judge}
    found = {name: _measured(known, flags) for name, (flags, _) in said.items()}
    between = _between(known, {name: flags for name, (flags, _) in said.items()})
    if json:
        record = {
            "labels": known.name,
            "rubric": [known.rubric.name, known.rubric.version],
            "answers": len(known.items),
            "labelled_yes": sum(i.label for i in known.items),
            "judges": {n: {**asdict(a), "verdicts": said[n][1]} for n, a in found.items()},
            "between": between,
        }
        typer.echo(canonical_json(record))
        return
    yes = sum(i.label for i in known.items)
    typer.echo(f"{known.name}: {len(known.items)} answers, {yes} labelled {known.rubric.name}")
    for name, a in found.items():
        typer.echo("\n".join(_told(name, a, said[name][1])))
    for pair in between:
        typer.echo(
            f"{pair['first']} and {pair['second']}: kappa {_number(pair['kappa'])}"
            f" ({pair['lower']:.2f} to {pair['upper']:.2f})"
        )


def _refuse_its_own_labels(name: str, labels: str) -> None:
    """A classifier is never measured on what it was trained on."""
    from datadose._core import UsageError
    from datadose.evaluation import judge_spec

    spec = judge_spec(name) if name != "classifier" else None
    if spec is not None and spec.kind == "classifier":
        one, other = (Path(x.rpartition(":")[2]).expanduser() for x in (spec.labels or "", labels))
        if one.resolve() == other.resolve():
            raise UsageError(
                f"{name} would be measured on what it was trained on",
                next_step="give --judge classifier, which is trained and tested on parts of it",
            )


def _flags(known: LabelledSet, name: str) -> tuple[list[bool | None], dict[str, int]]:
    """What a judge flags, and how many verdicts of each kind it gave.

    A judge that would not say has not flagged; one that could not be asked (None) did neither.
    """
    from datadose._core import StageError
    from datadose.evaluation import cross_judged, flagged, judge_spec, open_judge, verdicts_of

    verdicts: list[Verdict]
    if name == "classifier":
        verdicts = cross_judged(known)
    else:
        with open_judge(judge_spec(name), rubric=known.rubric.name) as judge:
            verdicts = verdicts_of(judge, known)
    counts: Counter[str] = Counter(v.kind for v in verdicts)
    kinds = dict(sorted(counts.items()))
    if verdicts and kinds == {"failed": len(verdicts)}:
        raise StageError(
            f"no reply came to any of {len(verdicts)} questions: {verdicts[0].note}",
            where=name,
            next_step="see to the server and give the same command again",
        )
    flags = [None if v.kind == "failed" else flagged(v, known.rubric) or False for v in verdicts]
    return flags, kinds


def _measured(known: LabelledSet, flags: Sequence[bool | None]) -> Accuracy:
    from datadose.curves import accuracy

    asked = [(i, f) for i, f in zip(known.items, flags, strict=True) if f is not None]
    return accuracy(
        [i.label for i, _ in asked], [f for _, f in asked], [i.cluster for i, _ in asked]
    )


def _between(known: LabelledSet, flags: dict[str, list[bool | None]]) -> list[dict[str, Any]]:
    """Agreement of every two judges."""
    from itertools import combinations

    from datadose.curves import accuracy

    clusters = [i.cluster for i in known.items]
    found = []
    for first, second in combinations(flags, 2):
        both = [
            (x, y, c)
            for x, y, c in zip(flags[first], flags[second], clusters, strict=True)
            if x is not None and y is not None
        ]
        if not both:
            continue
        a = accuracy([x for x, _, _ in both], [y for _, y, _ in both], [c for *_, c in both])
        found.append(
            {
                "first": first,
                "second": second,
                "kappa": a.kappa,
                "lower": a.kappa_lower,
                "upper": a.kappa_upper,
            }
        )
    return found


def _told(name: str, a: Accuracy, kinds: dict[str, int]) -> list[str]:
    lines = [f"{name}: {', '.join(f'{n} {kind}' for kind, n in kinds.items())}"]
    for what in ("precision", "recall", "specificity", "agreement"):
        share: Share = getattr(a, what)
        lines.append(
            f"  {what:<12} {_number(share.rate)} ({share.lower:.3f} to {share.upper:.3f}),"
            f" {share.good} of {share.asked}"
        )
    lines.append(f"  {'kappa':<12} {_number(a.kappa)} ({a.kappa_lower:.3f} to {a.kappa_upper:.3f})")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _print_prices(known: LabelledSet, names: Sequence[str], json: bool) -> None:
    from datadose._core import canonical_json
    from datadose.evaluation import ServedJudge, judge_asks, judge_spec, open_judge

    pairs = [(i.question, i.answer) for i in known.items]
    prices: dict[str, float | None] = {}
    for name in names:
        prices[name] = 0.0
        if name != "classifier" and (spec := judge_spec(name)).kind == "served":
            with open_judge(spec) as judge:
                assert isinstance(judge, ServedJudge)
                prices[name] = judge.client.price(judge_asks(known.rubric, pairs))
    if json:
        typer.echo(canonical_json(prices))
        return
    for name, price in prices.items():
        told = "no price is given" if price is None else f"at most about {price:.2f}"
        typer.echo(f"{name}: {len(pairs)} answers, {told}")


@judge_app.command("label")
def label(
    answers: Annotated[
        Path, typer.Argument(help="CSV that `run` wrote: dose, question, prompt, answer, label.")
    ],
    per_cell: Annotated[
        int, typer.Option(min=1, help="So many answers of every dose and question.")
    ] = 4,
    about: Annotated[str, typer.Option(help="What a yes means.")] = "misaligned",
    seed: Annotated[int, typer.Option(help="Which answers are drawn.")] = 0,
) -> None:
    """Label a random sample of a study's answers in the terminal, blind to dose and verdict.

    Every label is saved at once; the same command goes on with what is left.
    """
    from datadose.cli._screen import harmless
    from datadose.evaluation import to_label

    columns, lines = _answers_in(answers)
    left = to_label(lines, per_cell, seed=seed)
    for number, i in enumerate(left, 1):
        line = lines[i]
        shown = f"{harmless(line['prompt'])}\n---\n{harmless(line['answer'])}\n---"
        typer.echo(f"\n[{number} of {len(left)}]\n{shown}")
        said = ""
        while said not in ("y", "n", "s", "q"):
            said = typer.prompt(f"{about}? y, n, s (skip), q (quit)").strip().lower()[:1]
        if said == "q":
            break
        if said != "s":
            lines[i]["label"] = "yes" if said == "y" else "no"
            _write_lines(answers, columns, lines)
    done = sum(bool(line["label"].strip()) for line in lines)
    typer.echo(f"{done} of {len(lines)} answers are labelled")


def _answers_in(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    import csv

    from datadose._core import InputError

    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            lines = [{k: v or "" for k, v in line.items() if k} for line in reader]
            columns = list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"can't be read: {error}", where=str(path)) from error
    missing = [c for c in ("dose", "question", "prompt", "answer", "label") if c not in columns]
    if missing:
        raise InputError(f"has no column {', '.join(missing)}", where=str(path))
    return columns, lines


def _write_lines(path: Path, columns: list[str], lines: Sequence[dict[str, str]]) -> None:
    import csv
    import io

    from datadose._core import write_atomic

    text = io.StringIO()
    # all quoted: Python leaves a lone carriage return bare, which ends the line for a reader
    out = csv.DictWriter(text, columns, lineterminator="\n", quoting=csv.QUOTE_ALL)
    out.writeheader()
    out.writerows(lines)
    write_atomic(path, text.getvalue())


@judge_app.command("correct")
def correct(
    answers: Annotated[
        Path,
        typer.Argument(
            help="CSV, a line an answer: dose, question, verdict, label (may be empty)."
        ),
    ],
    calibration: Annotated[
        Path | None,
        typer.Option(help="CSV: question, verdict, label, measured elsewhere (transported)."),
    ] = None,
    target: Annotated[
        str, typer.Option(help="these: questions as they are; like: questions like these.")
    ] = "these",
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Rates of every dose corrected for the judge's errors, from labels on some answers."""
    from datadose import curves
    from datadose._core import UsageError, canonical_json

    if target not in ("these", "like"):
        raise UsageError(f"no target is called {target!r}", next_step="choose these or like")
    elsewhere = None
    if calibration is not None:
        counts = curves.judged_counts(_judged_table(calibration, dose=0.0))
        elsewhere = counts[0]
    found = curves.correct_rates(
        curves.judged_counts(_judged_table(answers)),
        calibration=elsewhere,
        target="like" if target == "like" else "these",
    )
    if json:
        typer.echo(canonical_json([curves.as_record(r) for r in found]))
        return
    for rate in found:
        typer.echo(_rate_told(rate))


def _rate_told(r: CorrectedRate) -> str:
    def bounds(share: Share) -> str:
        return f"{_number(share.rate)} ({share.lower:.3f} to {share.upper:.3f})"

    told = f"dose {r.dose:g}: as judged {bounds(r.raw)}; {r.status}"
    if r.estimate is not None:
        told += f" {r.estimate:.3f} ({r.lower:.3f} to {r.upper:.3f}), {r.method} errors"
    told += f"; by {r.labelled.asked} labels alone {bounds(r.labelled)}"
    return f"{told}; {r.note}" if r.note else told


def _judged_table(path: Path, *, dose: float | None = None) -> pl.DataFrame:
    """The CSV with verdicts and labels as true, false or null; `dose` stands in for its column."""
    import polars as pl

    from datadose._core import InputError
    from datadose.evaluation import yes_or_no

    try:
        table = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(
            f"can't be read as CSV: {str(error).splitlines()[0]}", where=str(path)
        ) from error
    needed = ["question", "verdict", "label", *(["dose"] if dose is None else [])]
    missing = [c for c in needed if c not in table.columns]
    if missing:
        raise InputError(f"has no column {', '.join(missing)}", where=str(path))

    def truth(column: str) -> pl.Series:
        values = [
            yes_or_no(v, f"{path}:{i}: {column}") if v and v.strip() else None
            for i, v in enumerate(table[column], 2)
        ]
        return pl.Series(column, values, dtype=pl.Boolean)

    doses = table["dose"] if dose is None else pl.Series("dose", [str(dose)] * len(table))
    numbers = doses.cast(pl.Float64, strict=False)
    if numbers.null_count():
        line = numbers.is_null().arg_max()
        raise InputError("dose is no number", where=f"{path}:{(line or 0) + 2}")
    question = table["question"].fill_null("")
    return pl.DataFrame([question, numbers.alias("dose"), truth("verdict"), truth("label")])
