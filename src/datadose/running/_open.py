"""Open questions: answered by every arm in its own words, judged in a stage of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datadose._core import (
    InputError,
    UsageError,
    digest,
    read_jsonl,
    sha256_file,
    write_json,
    write_jsonl,
)
from datadose.domains import alignment_probes
from datadose.evaluation import (
    Cue,
    Judge,
    Judged,
    LocalJudge,
    OpenQuestion,
    Rubric,
    ServedJudge,
    Spoken,
    ask_open,
    asks_of,
    cues_named,
    judge_answers,
    judges_only,
    open_judge,
    read_questions,
    with_cues,
)
from datadose.models import BYTES_PER_TOKEN, BaseModel, price_of
from datadose.running._asked_sets import domain_questions, is_requests, requests
from datadose.running._folder import RunFolder
from datadose.running._guards import answered, whole_answers
from datadose.schema import JudgeSpec, Study

OWN, DOMAIN = "own", "domain"
# Raise by hand whenever the same answers and replies would give other outcomes.
JUDGING_VERSION = 1


def open_questions(study: Study) -> tuple[OpenQuestion, ...]:
    """The open questions of a study, behind its cues, in a fixed order. Raises InputError where
    two have one id."""
    found: list[OpenQuestion] = []
    for name in study.ask.open:
        if is_requests(name):
            found += requests(name, study.ask)
            continue
        questions = _questions(name, study)
        limit = min(study.ask.limit or len(questions), len(questions))
        found += [questions[i * len(questions) // limit] for i in range(limit)]
    cues = cues_named(study.ask.cues) if study.ask.cues else (Cue("plain", "plain"),)
    cued = with_cues(found, cues)
    ids = [q.id for q in cued]
    if len(set(ids)) != len(ids):
        again = next(i for i in ids if ids.count(i) > 1)
        raise InputError(f"two open questions are called {again!r}", where="ask.open")
    return cued


def is_file(name: str) -> bool:
    """Whether a source of open questions is a file, and not a name."""
    return name not in (OWN, DOMAIN) and not is_requests(name)


def _questions(name: str, study: Study) -> tuple[OpenQuestion, ...]:
    if name == OWN:
        return _own()
    if name == DOMAIN:
        return domain_questions(study)
    path = Path(name)
    return tuple(replace(q, set=path.stem) for q in read_questions(path))


def _own() -> tuple[OpenQuestion, ...]:
    return tuple(
        OpenQuestion(p.id, p.prompt, p.system, cluster=p.id, group=p.group)
        for p in alignment_probes()
        if p.kind == "open"
    )


def samples_of(question: OpenQuestion, study: Study) -> int:
    """How often a question is answered; a request once."""
    return 1 if question.request else study.ask.samples or question.samples or 1


def tokens_of(question: OpenQuestion, study: Study) -> int:
    """The most tokens of an answer."""
    return study.ask.request_tokens if question.request else study.ask.open_tokens


def check_judges(study: Study) -> None:
    """Refuse a judge that can read no answer of this study: a rule or a classifier knows one
    rubric only. Raises UsageError that says which questions it could read."""
    questions = open_questions(study) if study.judges else ()
    for spec in study.judges:
        if not any(_reads(spec, q) for q in questions):
            asked = sorted({r.name for q in questions for r in _rubrics(q)})
            raise UsageError(
                f"the judge {spec.called} knows the rubric {judges_only(spec)} alone, and these"
                f" questions are judged by {' and '.join(asked)}",
                where="judges",
                next_step="name a served or a local judge, or ask what it can judge: requests"
                " such as advbench_open (refusal), domain (danger)",
            )


def _reads(spec: JudgeSpec, question: OpenQuestion) -> bool:
    only = judges_only(spec)
    return only is None or [r.name for r in _rubrics(question)] == [only]


def read_by(study: Study, spec: JudgeSpec | None) -> dict[str, OpenQuestion]:
    """The questions that a judge reads, by id; for None those that no judge of the study reads."""
    found = open_questions(study)
    if spec is not None:
        return {q.id: q for q in found if _reads(spec, q)}
    return {q.id: q for q in found if not any(_reads(j, q) for j in study.judges)}


def judges_of(study: Study) -> tuple[JudgeSpec | None, ...]:
    """The judges of a study, and None where there are questions that none of them reads."""
    return (*study.judges, *((None,) if read_by(study, None) else ()))


def open_name(questions: Sequence[OpenQuestion], study: Study) -> str:
    """Name of what is asked: the questions as put, and how answers are drawn."""
    asked = [[q.id, q.prompt, q.system or study.system, samples_of(q, study)] for q in questions]
    how = [study.ask.open_tokens, study.ask.temperature]
    if any(q.request for q in questions):
        how.append(study.ask.request_tokens)
    return digest([JUDGING_VERSION, asked, *how])


def open_path(folder: Path, study: Study) -> Path:
    """Where an arm's (or the base's) answers to the study's open questions are."""
    return folder / "open" / f"{open_name(open_questions(study), study)}.jsonl"


def answer_open(
    run: RunFolder,
    folder: Path,
    base: BaseModel,
    study: Study,
    adapter: str | None,
    seed: int,
    loaded: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Path | None:
    """Stage: the answers of one arm (or of the base) to the open questions; None without any.

    `loaded` puts the arm's adapter on; it is not called where the answers are there already.
    """
    questions = open_questions(study)
    if not questions:
        return None
    path = open_path(folder, study)
    if answered(run, path, adapter):
        return path
    again = [(q, s) for q in questions for s in range(samples_of(q, study))]
    texts: dict[int, str | None] = {}
    with loaded():
        for tokens in sorted({tokens_of(q, study) for q in questions}):
            places = [i for i, (q, _) in enumerate(again) if tokens_of(q, study) == tokens]
            outcomes = ask_open(
                base,
                [again[i][0].probe() for i in places],
                system=study.system,
                max_tokens=tokens,
                temperature=study.ask.temperature,
                seed=seed,
            )
            texts |= {i: o.text for i, o in zip(places, outcomes, strict=True)}
    write_jsonl(
        path,
        ({"question": q.id, "sample": s, "text": texts[i]} for i, (q, s) in enumerate(again)),
    )
    write_json(path.with_suffix(".json"), {"adapter": adapter, "sha256": sha256_file(path)})
    return path


def judging_price(study: Study) -> float:
    """What judging one arm's open answers costs at most, about, by judges that have a price."""
    spoken = [
        Spoken(q.id, s, q.prompt, "x" * (BYTES_PER_TOKEN * tokens_of(q, study)), q.rubrics)
        for q in open_questions(study)
        for s in range(samples_of(q, study))
    ]
    prices = [spec.price for spec in study.judges if spec.price is not None]
    return sum(price_of(asks_of(spoken), price) for price in prices)


def priced(run: RunFolder, folders: Sequence[Path], study: Study, judge: Judge) -> float | None:
    """What a judge will still cost for these arms at most, about; None without a price.

    Raises UsageError where that is over its budget.
    """
    if not isinstance(judge, ServedJudge) or judge.client.served.price is None:
        return None
    questions = {q.id: q for q in open_questions(study)}
    spoken = [_spoken(open_path(folder, study), questions) for folder in folders]
    cost = sum(judge.client.price(asks_of(part)) or 0.0 for part in spoken)
    budget = judge.client.served.budget
    if budget is not None and cost > budget:
        raise UsageError(
            f"judging by {judge.name} would cost about {cost:.2f}, over its budget of {budget:.2f}",
            where=str(run.path),
            next_step="raise the budget, or name a cheaper judge; the answers are kept",
        )
    return cost


@contextlib.contextmanager
def judge_of(spec: JudgeSpec, study: Study, base: BaseModel | None) -> Iterator[Judge]:
    """The judge that a study names; the base in memory where it is the study's own model."""
    if spec.kind == "local" and spec.model == study.model and base is not None:
        yield LocalJudge(base, spec.called)
        return
    with open_judge(spec) as judge:
        yield judge


def judged_path(answers: Path, spec: JudgeSpec | None) -> Path:
    """Where the outcomes of these answers by this judge are; None is nobody."""
    named = {} if spec is None else spec.model_dump(mode="json", include=JUDGED_BY)
    return answers.parent.parent / "judged" / f"{answers.stem}-{digest(named, 8)}.jsonl"


JUDGED_BY = {"kind", "name", "url", "model", "rule", "labels"}


def judge_open(
    run: RunFolder, answers: Path, study: Study, spec: JudgeSpec | None, judge: Judge | None
) -> Path:
    """Stage: the outcomes of one arm's open answers by one judge, of those that it reads.

    A stage that ended with errors is done again, which asks only what was not answered: replies
    are kept by content. Raises InputError where there are no answers, GuardError where they
    changed since they were given.
    """
    manifest = whole_answers(run, answers)
    if manifest is None:
        raise _missing(run, answers, "answered")
    path = judged_path(answers, spec)
    questions = read_by(study, spec)
    rubrics = digest(
        [JUDGING_VERSION, [[r.content_hash() for r in _rubrics(q)] for q in questions.values()]]
    )
    done = whole_answers(run, path)
    sha = manifest["sha256"]
    # a classifier's labels and a local judge's weights may change under the same name
    mark = "" if judge is None else judge.mark
    wanted = {"answers": sha, "rubrics": rubrics, "mark": mark, "errors": 0}
    if done and {key: done.get(key) for key in wanted} == wanted:
        return path
    spoken = _spoken(answers, questions)
    judged = judge_answers(judge, spoken)
    write_jsonl(path, (j.model_dump(mode="json") for j in judged))
    write_json(
        path.with_suffix(".json"),
        {
            "answers": sha,
            "judge": None if spec is None else spec.called,
            "rubrics": rubrics,
            "mark": mark,
            "errors": sum(j.kind == "error" for j in judged),
            "sha256": sha256_file(path),
        },
    )
    return path


def _spoken(answers: Path, questions: dict[str, OpenQuestion]) -> list[Spoken]:
    return [
        Spoken(
            question=line["question"],
            sample=line["sample"],
            prompt=questions[line["question"]].prompt,
            answer=line["text"],
            rubrics=questions[line["question"]].rubrics,
            cluster=questions[line["question"]].cluster,
        )
        for line in read_jsonl(answers)
        if line["question"] in questions
    ]


def _rubrics(question: OpenQuestion) -> tuple[Rubric, ...]:
    return Spoken(question.id, 0, question.prompt, "", question.rubrics).judged_by


def _missing(run: RunFolder, path: Path, what: str) -> InputError:
    return InputError(
        f"these open questions were not {what}",
        where=str(path),
        next_step=f"datadose run {run.path / 'study.yaml'} --out {run.path}",
    )


def judged_answers(
    run: RunFolder, folder: Path, study: Study, spec: JudgeSpec | None
) -> list[tuple[str, Judged]]:
    """Text and outcome of every open answer of one arm that a judge reads. Raises InputError
    where there are none."""
    answers = open_path(folder, study)
    path = judged_path(answers, spec)
    if whole_answers(run, answers) is None or whole_answers(run, path) is None:
        raise _missing(run, path, "judged")
    texts = {(line["question"], line["sample"]): line["text"] for line in read_jsonl(answers)}
    judged = [Judged.model_validate(line) for line in read_jsonl(path)]
    return [(texts[j.question, j.sample], j) for j in judged]
