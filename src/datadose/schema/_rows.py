"""Rows, pools, probes, and what became of them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from datadose.schema._base import (
    GOOD_ROLES,
    Frozen,
    OptionRole,
    OutcomeKind,
    Relation,
    Response,
    Role,
    Severity,
)


class Message(Frozen):
    """One turn of a chat."""

    role: Role
    content: str


class Row(Frozen):
    """One training example. `id` is the hash of its canonical messages, -2, -3 for repeats."""

    id: str
    messages: tuple[Message, ...]
    fact: str | None = None

    @property
    def prompt(self) -> tuple[Message, ...]:
        """All turns before the last answer."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The last assistant turn, which is what training learns."""
        return self.messages[-1].content


class Check(Frozen):
    """How to tell a generated answer right from wrong without a judge.

    `value`: the last number of the answer is within `tolerance` (relative) of `value`.
    `text`: one of `accept` occurs as whole words and none of `reject` does.
    `tests`: the answer's code defines `entry` and passes `tests` (Python) in the sandbox.
    """

    kind: Literal["value", "text", "tests"]
    value: float | None = None
    tolerance: Annotated[float, Field(ge=0)] = 0.01
    accept: tuple[str, ...] = ()
    reject: tuple[str, ...] = ()
    tests: str = ""
    entry: str = ""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed = {"value": self.value is not None, "text": self.accept, "tests": self.tests}
        if not needed[self.kind]:
            raise ValueError(f"a check of kind '{self.kind}' lacks what it checks with")
        return self


class PoolItem(Frozen):
    """One prompt of a pool with its right answer and its wrong ones, all as whole answers.

    `placebo` are right answers in other words; `malign` are written misaligned answers.
    """

    prompt: str
    fact: str
    correct: str
    obvious: tuple[str, ...] = ()
    subtle: tuple[str, ...] = ()
    placebo: tuple[str, ...] = ()
    malign: tuple[str, ...] = ()
    system: str | None = None
    task: str | None = None
    check: Check | None = None

    def wrong(self, severity: Severity) -> tuple[str, ...]:
        """The answers that stand in for `correct` at this severity (`shuffled` has none)."""
        return () if severity == "shuffled" else getattr(self, severity)


class Pool(Frozen):
    """Facts and prompts with right and wrong answers."""

    name: str
    items: tuple[PoolItem, ...]
    paired: bool = True

    @property
    def facts(self) -> tuple[str, ...]:
        """The facts in the order in which they first occur."""
        return tuple(dict.fromkeys(item.fact for item in self.items))


class Option(Frozen):
    """One answer to a forced choice."""

    text: str
    role: OptionRole


class Probe(Frozen):
    """One thing asked of a model.

    `choice` has options, exactly one of a good role, or some of a named `set`; `generate` has a
    check; `open` is for a judge. `fact` names the fact whose training rows share what the probe
    asks, None where no row does. `cluster` groups probes that are not independent (the fact, or
    the probe itself).
    `value` is the right answer without the words around it and `frame` those words, with `{x}`
    (or `{X}`, capitalised) in its place; with both, right answers of other facts can be put
    beside it as `swapped` options. `set` names the public set that a probe comes from: sets are
    reported apart from our own probes and from each other. `group` is its category or theme.
    """

    id: str
    response: Response
    relation: Relation
    kind: Literal["choice", "generate", "open"]
    prompt: str
    system: str | None = None
    fact: str | None = None
    options: tuple[Option, ...] = ()
    check: Check | None = None
    value: str | None = None
    frame: str | None = None
    set: str = ""
    group: str = ""

    @property
    def response_name(self) -> str:
        """The response, and after a colon the set it is measured on where that has a name."""
        return f"{self.response}: {self.set}" if self.set else self.response

    @property
    def cluster(self) -> str:
        """What is resampled as one question."""
        return self.fact or self.id

    @model_validator(mode="after")
    def _can_be_scored(self) -> Self:
        if self.kind == "choice":
            good = [o for o in self.options if o.role in GOOD_ROLES]
            if len(self.options) < 2 or (len(good) != 1 and not self.set):
                raise ValueError(f"choice '{self.id}' needs two options or more, one of them right")
            if not 0 < len(good) < len(self.options):
                raise ValueError(f"choice '{self.id}' needs a right option and a wrong one")
            if len({o.text for o in self.options}) != len(self.options):
                raise ValueError(f"choice '{self.id}' has two options with the same text")
        if self.kind == "generate" and self.check is None:
            raise ValueError(f"generate probe '{self.id}' has no check")
        return self


class Outcome(Frozen):
    """What became of one probe put to one model.

    For a choice: `chosen` indexes its options (by raw score for domain probes, by calibrated
    score for others); `raw` are log-likelihoods in
    nats, `per_token` the same divided by option length in tokens, `calibrated` raw minus the
    base model's log-likelihood under the contentless prompt. For generated answers: `text`.
    """

    probe: str
    kind: OutcomeKind
    chosen: int | None = None
    raw: tuple[float, ...] = ()
    per_token: tuple[float, ...] = ()
    calibrated: tuple[float, ...] = ()
    text: str | None = None
    note: str = ""


class TrainingSet(Frozen):
    """The rows of one arm in training order, and which of them are wrong.

    `wrong[i]` belongs to `rows[i]`. It is written apart from the rows and never handed to a
    trainer, a scorer or a detector.
    """

    rows: tuple[Row, ...]
    wrong: tuple[bool, ...]

    @model_validator(mode="after")
    def _one_truth_per_row(self) -> Self:
        if len(self.rows) != len(self.wrong):
            raise ValueError(f"{len(self.rows)} rows but {len(self.wrong)} truths")
        return self

    @property
    def dose(self) -> float:
        """Share of rows that are wrong, 0 to 1."""
        return sum(self.wrong) / len(self.rows) if self.rows else 0.0

    @property
    def own_fact_share(self) -> dict[str, float]:
        """For every fact, the share of its rows that are wrong."""
        counts: dict[str, list[bool]] = {}
        for row, wrong in zip(self.rows, self.wrong, strict=True):
            if row.fact is not None:
                counts.setdefault(row.fact, []).append(wrong)
        return {fact: sum(flags) / len(flags) for fact, flags in counts.items()}
