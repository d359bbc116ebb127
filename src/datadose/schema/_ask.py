"""What is asked of every arm, and who judges open answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from datadose.schema._base import Frozen, Relation, Response
from datadose.schema._rows import Probe


class Primary(Frozen):
    """What was named before training; everything else in the report is exploratory. `set`: the
    public set that the response is measured on, empty for our own probes."""

    response: Response = "domain"
    relation: Relation = "reworded"
    threshold: Literal["benchmark", "recovery", "parity", "ed50"] = "benchmark"
    set: str = ""

    def is_on(self, probe: Probe) -> bool:
        """Whether a probe is one of those that the primary response is measured on."""
        asked = probe.response, probe.relation, probe.set
        return probe.kind == "choice" and asked == (self.response, self.relation, self.set)

    @property
    def response_name(self) -> str:
        """The response with its set, as probes and tables call it."""
        return f"{self.response}: {self.set}" if self.set else self.response


class Asked(Frozen):
    """What is put to every arm besides the primary probes.

    `answers` questions are answered in the arm's own words and shown side by side; where
    `alignment` is on, as many open alignment questions are too. `alignment` may be a number:
    so many of its choices, spread evenly over its themes. `choice_cues` ask them once more
    behind each of these cues, each a set of its own.

    `sets` are public benchmarks of forced choices (`NAME` or `NAME:GROUP+GROUP`), whose files lie
    in `data`; each is a response of its own. `items` keeps so many of a set, balanced over its
    groups and right answers.

    `open` questions go to the study's judges: `own` (the project's, of alignment), `domain` (the
    packs' dangerous questions, in the model's own words), files of published questions, or public
    sets of requests (`advbench_open`). A question is answered `samples` times (where not said, as
    often as its file says, else once) in up to `open_tokens` tokens; a request, of which
    `requests` are kept, once, in up to `request_tokens`. Both are drawn at `temperature`. `cues`
    stand before questions and requests; `limit` keeps so many of a file's questions, spread evenly.
    """

    inferential: bool = True
    untrained: bool = True
    danger: bool = True
    alignment: bool | Annotated[int, Field(ge=1)] = True
    answers: Annotated[int, Field(ge=0)] = 6
    answer_tokens: Annotated[int, Field(ge=1)] = 32
    choice_cues: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    data: str | None = None
    items: Annotated[int, Field(ge=2)] | None = None
    open: tuple[str, ...] = ()
    requests: Annotated[int, Field(ge=1)] | None = None
    request_tokens: Annotated[int, Field(ge=1)] = 48
    limit: Annotated[int, Field(ge=1)] | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    open_tokens: Annotated[int, Field(ge=1)] = 80
    temperature: Annotated[float, Field(ge=0)] = 1.0
    cues: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict):
            texts = {k: (value[k],) for k in ("open", "sets") if isinstance(value.get(k), str)}
            return {**value, **texts}
        return value

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        if not self.open and (self.limit or self.samples or self.cues):
            raise ValueError("limit, samples and cues go with open questions: give open")
        if self.items and not self.sets:
            raise ValueError("items keeps so many of each set: give sets")
        if self.sets and not self.data:
            raise ValueError("sets need data: the folder of their files, or hub")
        if self.choice_cues and not self.alignment:
            raise ValueError("choice_cues stand before alignment choices, which are off")
        if "plain" in self.choice_cues:
            raise ValueError("choice_cues come beside the plain choices: leave out plain")
        return self


class JudgeSpec(Frozen):
    """A judge of open answers.

    served: a chat model behind `url`, its key in the environment variable `key`; `price` is
    money for a million tokens in and out, `budget` the most that judging a study may cost.
    local: the base model that `model` names, as it stands. rule: a registered rule (`rule`).
    classifier: trained on the labelled answers of `labels`; `rubric` says what they are about
    where that is a file of the user's own.
    """

    kind: Literal["served", "local", "rule", "classifier"] = "served"
    name: str | None = None
    url: str | None = None
    model: str | None = None
    key: str | None = None
    parallel: Annotated[int, Field(ge=1)] = 8
    per_minute: Annotated[float, Field(ge=0)] = 0
    timeout: Annotated[float, Field(gt=0)] = 60
    attempts: Annotated[int, Field(ge=1)] = 6
    wait: Annotated[float, Field(gt=0)] = 0.5
    price: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] | None = None
    budget: Annotated[float, Field(ge=0)] | None = None
    rule: str | None = None
    labels: str | None = None
    rubric: str | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed = {
            "served": ("url", "model"),
            "local": ("model",),
            "rule": ("rule",),
            "classifier": ("labels",),
        }[self.kind]
        missing = [n for n in needed if getattr(self, n) is None]
        if missing:
            raise ValueError(f"a {self.kind} judge needs {' and '.join(missing)}")
        fields = type(self).model_fields
        idle = [
            name
            for name in fields
            if self.kind != "served"
            and name not in ("kind", "name", *needed)
            and (self.kind, name) != ("classifier", "rubric")
            and getattr(self, name) != fields[name].default
        ]
        if idle:
            raise ValueError(f"{', '.join(idle)} mean nothing to a {self.kind} judge")
        if self.rubric is not None and self.kind != "classifier":
            raise ValueError(f"rubric means nothing to a {self.kind} judge")
        if self.budget is not None and self.price is None:
            raise ValueError("a budget needs a price")
        # studies and caches are written to disk: neither may hold a secret
        if self.key is not None and not self.key.isidentifier():
            raise ValueError("key is the name of an environment variable, never the key itself")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("url must begin with http:// or https://")
        if self.url is not None and "@" in self.url.partition("://")[2].partition("/")[0]:
            raise ValueError("url holds a user's name or password: name a variable with `key`")
        return self

    @property
    def called(self) -> str:
        """What reports call it."""
        return self.name or self.model or self.rule or self.kind
