"""A judge from what a study file or a command says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from datadose._core import InputError, UsageError
from datadose.evaluation._judges import (
    ClassifierJudge,
    Judge,
    LocalJudge,
    RuleJudge,
    ServedJudge,
    rules,
)
from datadose.evaluation._labelled import labels_about, read_labelled
from datadose.evaluation._rubrics import own_rubric
from datadose.models import ChatClient, Reply, Served, cache_folder, load_base
from datadose.schema import JudgeSpec


@contextlib.contextmanager
def open_judge(
    spec: JudgeSpec,
    *,
    rubric: str | None = None,
    on_reply: Callable[[Reply], None] = lambda _: None,
) -> Iterator[Judge]:
    """The judge that `spec` describes; replies of served ones are kept in the cache folder.

    rubric: what the labels of a classifier's CSV are about.
    Raises UsageError or InputError where it can't be had.
    """
    if spec.kind == "rule":
        yield RuleJudge(spec.rule or "")
    elif spec.kind == "local":
        yield LocalJudge(load_base(spec.model or ""), spec.called)
    elif spec.kind == "classifier":
        known = read_labelled(spec.labels or "", spec.rubric or rubric)
        answers, labels = [i.answer for i in known.items], [i.label for i in known.items]
        yield ClassifierJudge(known.rubric.name, answers, labels, spec.called)
    else:
        with ChatClient(served_by(spec), cache_folder() / "replies") as client:
            yield ServedJudge(client, spec.called, on_reply=on_reply)


def judges_only(spec: JudgeSpec) -> str | None:
    """The one rubric that a rule or a classifier knows; None for judges that read any.

    Raises UsageError for a rule that is not known, and for labels that say not what they are about.
    """
    if spec.kind == "rule":
        rules.get(spec.rule or "")
        return spec.rule
    if spec.kind != "classifier":
        return None
    about = labels_about(spec.labels or "", spec.rubric)
    if about is None:
        raise UsageError(
            f"what the labels of {spec.labels} are about is not said",
            where="judges",
            next_step="add rubric: danger, or whatever they are about",
        )
    return own_rubric(about).name


def served_by(spec: JudgeSpec) -> Served:
    """Where a served judge is and how it may be asked."""
    return Served(
        url=spec.url or "",
        model=spec.model or "",
        key=spec.key,
        parallel=spec.parallel,
        per_minute=spec.per_minute,
        timeout=spec.timeout,
        attempts=spec.attempts,
        wait=spec.wait,
        price=spec.price,
        budget=spec.budget,
    )


def judge_spec(text: str) -> JudgeSpec:
    """A judge named on the command line: a YAML file of its fields, or in short `URL#MODEL`,
    `rule:NAME`, `local:MODEL`, `classifier:LABELS`. Raises InputError or UsageError with the way
    out."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if text.startswith(("http://", "https://")):
        url, _, model = text.rpartition("#")
        if not url or not model:
            raise UsageError(
                "a judge behind a URL needs the name of its model",
                next_step="give URL#MODEL, or a YAML file (url, model, key)",
            )
        # a url with a password in it is refused, and must not be shown in saying so
        return _spec({"url": url, "model": model}, "the judge's url")
    kind, _, value = text.partition(":")
    short = {"rule": "rule", "local": "model", "classifier": "labels"}
    if value and kind in short:
        return JudgeSpec.model_validate({"kind": kind, short[kind]: value})
    path = Path(text).expanduser()
    if not path.is_file():
        raise UsageError(
            f"no judge is described by {text!r}",
            next_step="give a YAML file (url, model, key), URL#MODEL, rule:NAME, local:MODEL or"
            " classifier:LABELS",
        )
    try:
        fields: Any = YAML(typ="safe", pure=True).load(path.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"broken YAML: {str(error).splitlines()[0]}", where=text) from error
    return _spec(fields, text)


def _spec(fields: Any, where: str) -> JudgeSpec:
    from pydantic import ValidationError

    try:
        return JudgeSpec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "judge"
        raise InputError(f"{place}: {first['msg']}", where=where) from error
