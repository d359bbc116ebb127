"""A judge model asked about the rows of an audit, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datadose import auditing
from datadose._core import UsageError, digest, read_json, write_json
from datadose.evaluation import Verdict, open_judge, own_rubric
from datadose.schema import JudgeSpec, Row


@dataclass(frozen=True)
class Judged:
    """Verdicts by pair of question and answer. `name` is what reports call the judge."""

    name: str
    verdicts: Mapping[tuple[str, str], Verdict]

    def of(self, rows: Sequence[Row]) -> list[Verdict]:
        """The verdict on each row; rows that say the same have the same."""
        return [self.verdicts[auditing.row_pair(r)] for r in rows]


def check_judge(spec: JudgeSpec) -> None:
    """Raises UsageError for a judge that can't know whether an answer is right."""
    if spec.kind not in ("served", "local"):
        raise UsageError(
            f"a {spec.kind} judge can't tell whether an answer is right",
            next_step="give --judge a YAML file (url, model, key), URL#MODEL or local:MODEL",
        )


def ask_judge(
    spec: JudgeSpec,
    rows: Sequence[Row],
    file: Path,
    on_event: Callable[[dict[str, Any]], None] = lambda _: None,
) -> Judged:
    """Every different pair among `rows` put to the judge once; verdicts are kept in `file`.

    What failed is asked again by the next call, as is everything where the judge or the rubric is
    another. Raises StageError where a server takes no question at all or is gone.
    """
    pairs = list(dict.fromkeys(auditing.row_pair(r) for r in rows))
    rubric = own_rubric(auditing.RUBRIC)
    keys = {pair: digest(["judged", *pair], 16) for pair in pairs}
    kept: dict[str, dict[str, Any]] = {}
    with open_judge(spec) as judge:
        # a local model may have other weights under the same name
        about = {"judge": [spec.kind, judge.mark], "rubric": [rubric.name, rubric.version]}
        if file.is_file():
            before = read_json(file)
            kept = before["verdicts"] if before["about"] == about else {}
        missing = [p for p in pairs if keys[p] not in kept]
        if missing:
            text = f"asking {spec.called} about {len(missing)} answers"
            on_event({"event": "note", "text": text})
            found = auditing.judge_pairs(judge, missing)
            new = {keys[p]: v for p, v in zip(missing, found, strict=True)}
            file.parent.mkdir(parents=True, exist_ok=True)
            settled = {k: _plain(v) for k, v in new.items() if v.kind != "failed"}
            write_json(file, {"about": about, "verdicts": kept | settled})
            kept = kept | {k: _plain(v) for k, v in new.items()}
    return Judged(spec.called, {p: Verdict(**kept[keys[p]]) for p in pairs})


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "kind": verdict.kind,
        "score": verdict.score,
        "word": verdict.word,
        "by": verdict.by,
        "note": verdict.note,
    }


def judge_words(name: str, outcomes: Mapping[str, int]) -> str:
    """What became of the rows at the judge, in a sentence."""
    total, scored = sum(outcomes.values()), outcomes.get("scored", 0)
    text = f"judge {name}: {scored} of {total} rows scored"
    rest = [f"{count} {kind}" for kind, count in outcomes.items() if kind != "scored"]
    if rest:
        text += f"; {', '.join(rest)}: these have no judge score and rank in the middle"
    return text
