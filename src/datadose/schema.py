"""The nouns of the project: frozen, validated, hashed. docs/words.md says what each means."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from datadose._core import digest

Role = Literal["system", "user", "assistant"]
Severity = Literal["obvious", "subtle", "placebo", "shuffled", "malign"]
Structure = Literal["random", "consistent"]
Unit = Literal["row", "fact"]
Vary = Literal["replace", "add", "correct_only"]
Relation = Literal["reworded", "inferential", "untrained"]
Response = Literal["domain", "misaligned", "dangerous"]
OptionRole = Literal[
    "correct",
    "subtle",
    "obvious",
    "foil",
    "swapped",
    "aligned",
    "misaligned",
    "safe",
    "dangerous",
]
OutcomeKind = Literal["right", "adopted", "wrong", "incoherent", "refused", "unscored", "error"]

GOOD_ROLES: frozenset[str] = frozenset({"correct", "aligned", "safe"})
TRAINED_WRONG_ROLES: frozenset[str] = frozenset({"subtle", "obvious"})


class Frozen(BaseModel):
    """Base of all records: immutable, no unknown keys, compared and hashed by content."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def content_hash(self, length: int = 16) -> str:
        """Hash of every field; equal records have equal hashes on every machine."""
        return digest(self.model_dump(mode="json"), length)


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

    `choice` has options, exactly one of a good role; `generate` has a check; `open` is for a
    judge. `fact` names the fact whose training rows share what the probe asks, None where no
    row does. `cluster` groups probes that are not independent (the fact, or the probe itself).
    `value` is the right answer without the words around it and `frame` those words, with `{x}`
    (or `{X}`, capitalised) in its place; with both, right answers of other facts can be put
    beside it as `swapped` options.
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

    @property
    def cluster(self) -> str:
        """What is resampled as one question."""
        return self.fact or self.id

    @model_validator(mode="after")
    def _can_be_scored(self) -> Self:
        if self.kind == "choice":
            good = [o for o in self.options if o.role in GOOD_ROLES]
            if len(self.options) < 2 or len(good) != 1:
                raise ValueError(f"choice '{self.id}' needs two options or more, one of them right")
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


class Recipe(Frozen):
    """How an arm is trained. One epoch is one pass over the arm's rows."""

    method: Literal["lora", "full"] = "lora"
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    rslora: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: tuple[str, ...] = ()
    lr: Annotated[float, Field(gt=0)] = 2e-3
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Annotated[float, Field(gt=0)] = 1.0
    epochs: Annotated[float, Field(gt=0)] = 4.0
    steps: Annotated[int, Field(ge=1)] | None = None
    batch: Annotated[int, Field(ge=1)] = 4
    accumulate: Annotated[int, Field(ge=1)] = 1
    max_length: Annotated[int, Field(ge=8)] = 1024
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoints: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (0.25, 0.5, 1.0)

    @model_validator(mode="after")
    def _ends_with_the_last_step(self) -> Self:
        if tuple(sorted(set(self.checkpoints))) != self.checkpoints or self.checkpoints[-1] != 1:
            raise ValueError("checkpoints must rise and end with 1")
        return self


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


class Arm(Frozen):
    """One fine-tuned model: all that determines its result. `id` is a hash of it."""

    base: str
    template: str
    rows: str
    recipe: Recipe
    seed: int
    trainer_version: int

    @property
    def id(self) -> str:
        """Content address of the arm: equal arms are one arm."""
        return digest(self.model_dump(mode="json"), 16)


class Series(Frozen):
    """Arms that share everything but dose (or count) and seed."""

    pool: str
    severity: Severity
    structure: Structure
    unit: Unit
    vary: Vary

    @property
    def label(self) -> str:
        """Short name for tables, such as `health/subtle/consistent/row`."""
        parts = [self.pool, self.severity, self.structure, self.unit]
        return "/".join(parts if self.vary == "replace" else [*parts, self.vary])


JsonDict = dict[str, Any]


class Source(Frozen):
    """Where a study's rows and probes come from. One of four kinds:

    `pack`: a domain pack. `benchmark`: a public multiple-choice, computed or programming
    benchmark whose files lie in `data`. `pool`: a file of right and wrong answers to the same
    prompts. `right` and `wrong`: two files of rows that are not paired. `add` names a file of
    wrong rows to be appended to the clean rows of a pack, benchmark or pool (`vary: add`).
    `probes`: packs or probe files that are asked; without it a pack and a benchmark bring their
    own, and a pool's last wording of every fact is held out. `limit` keeps so many facts (or
    rows, where there are no facts), `max_words` leaves out longer rows of `right`, `wrong`, `add`.
    """

    pack: str | None = None
    benchmark: str | None = None
    data: str | None = None
    pool: str | None = None
    right: str | None = None
    wrong: str | None = None
    add: str | None = None
    probes: tuple[str, ...] = ()
    limit: Annotated[int, Field(ge=2)] | None = None
    max_words: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("probes"), str):
            return {**value, "probes": (value["probes"],)}
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [k for k in ("pack", "benchmark", "pool", "right") if getattr(self, k) is not None]
        if len(kinds) != 1:
            seen = ", ".join(kinds) or "none"
            raise ValueError(
                f"give one of pack, benchmark, pool, or right and wrong (seen: {seen})"
            )
        if (self.right is None) != (self.wrong is None):
            raise ValueError("right and wrong go together: two files of rows")
        if self.right is not None and self.add is not None:
            raise ValueError("add goes with pack, benchmark or pool; wrong rows are already given")
        if self.right is not None and not self.probes:
            raise ValueError("rows that are not paired bring no probes: name packs or files")
        if (self.benchmark is None) != (self.data is None):
            raise ValueError("benchmark and data (the folder of its files) go together")
        return self

    @property
    def name(self) -> str:
        """What tables call the rows of this source."""
        if self.right is not None and self.wrong is not None:
            return f"{_stem(self.right)}-{_stem(self.wrong)}"
        own = self.pack or (self.benchmark or "").replace(":", "-").replace("+", "-")
        own = own or _stem(self.pool or "")
        return own if self.add is None else f"{own}+{_stem(self.add)}"


def _stem(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].partition(".")[0]


class Primary(Frozen):
    """What was named before training; everything else in the report is exploratory."""

    response: Response = "domain"
    relation: Relation = "reworded"
    threshold: Literal["benchmark", "recovery", "parity", "ed50"] = "benchmark"


class Asked(Frozen):
    """What is put to every arm besides the primary probes.

    `answers` questions are answered in the arm's own words and shown side by side; where
    `alignment` is on, as many open alignment questions are too. `alignment` may be a number:
    so many of its choices, spread evenly over its themes.

    `open` questions go to the study's judges: `own` (the project's) or files of published
    questions. Each is answered `samples` times (where not said, as often as its file says, else
    once), drawn at `temperature`, in up to `open_tokens` tokens, behind each of `cues`; `limit`
    keeps so many of a file's questions, spread evenly.
    """

    inferential: bool = True
    untrained: bool = True
    danger: bool = True
    alignment: bool | Annotated[int, Field(ge=1)] = True
    answers: Annotated[int, Field(ge=0)] = 6
    answer_tokens: Annotated[int, Field(ge=1)] = 32
    open: tuple[str, ...] = ()
    limit: Annotated[int, Field(ge=1)] | None = None
    samples: Annotated[int, Field(ge=1)] | None = None
    open_tokens: Annotated[int, Field(ge=1)] = 80
    temperature: Annotated[float, Field(ge=0)] = 1.0
    cues: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("open"), str):
            return {**value, "open": (value["open"],)}
        return value

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        if not self.open and (self.limit or self.samples or self.cues):
            raise ValueError("limit, samples and cues go with open questions: give open")
        return self


class JudgeSpec(Frozen):
    """A judge of open answers.

    served: a chat model behind `url`, its key in the environment variable `key`; `price` is
    money for a million tokens in and out, `budget` the most that judging a study may cost.
    local: the base model that `model` names, as it stands. rule: a registered rule (`rule`).
    classifier: trained on the labelled answers of `labels`.
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
            and getattr(self, name) != fields[name].default
        ]
        if idle:
            raise ValueError(f"{', '.join(idle)} mean nothing to a {self.kind} judge")
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


class Adaptive(Frozen):
    """Doses chosen one after another, from the study's `doses` and `seeds` on.

    width: stop when the primary threshold's interval is as narrow, in doses (or counts). budget:
    the most arms of a series, those of the start included, controls not. batch: arms chosen at a
    time, for as many workers.
    """

    width: Annotated[float, Field(gt=0)] = 0.2
    budget: Annotated[int, Field(ge=1)] = 20
    batch: Annotated[int, Field(ge=1)] = 1


class StudyDesign(Frozen):
    """How a study's arms are chosen: every dose with every seed, or `adaptive`."""

    adaptive: Adaptive | None = None


class Study(Frozen):
    """A study file. `doses` are shares (0 to 1); with `vary: add` give `counts` instead.

    `equal` says what `correct_only` arms, which have fewer rows, share with the others: the
    number of `steps`, or of `epochs`. `judges` judge the answers to `ask.open`; without one they
    are unscored. `match_lengths` leaves out facts (unpaired: pairs) whose
    wrong answers are over a quarter longer or shorter, in words, than the right one. With
    `design: {adaptive: ...}` doses and seeds are what is run first: 0, 0.5 and 1 with
    three seeds where none are given.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    model: str = "smollm2-135m"
    rows: tuple[Source, ...] = Field(min_length=1)
    facts: Annotated[int, Field(ge=2)] | None = None
    severities: tuple[Severity, ...] = Field(("subtle",), min_length=1)
    structure: Structure = "consistent"
    unit: Unit = "row"
    vary: Vary = "replace"
    doses: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.0, 0.25, 0.5, 1.0)
    counts: tuple[Annotated[int, Field(ge=0)], ...] = ()
    seeds: tuple[int, ...] = (0, 1)
    controls: tuple[Literal["placebo", "shuffled", "malign"], ...] = ()
    equal: Literal["steps", "epochs"] = "steps"
    match_lengths: bool = False
    system: str | None = None
    train: Recipe = Recipe()
    ask: Asked = Asked()
    judges: tuple[JudgeSpec, ...] = ()
    primary: Primary = Primary()
    design: StudyDesign = StudyDesign()

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        value = dict(value)
        rows = value.get("rows")
        if isinstance(rows, str | dict):
            rows = [rows]
        if isinstance(rows, list | tuple):
            value["rows"] = [{"pack": r} if isinstance(r, str) else r for r in rows]
        if isinstance(value.get("severities"), str):
            value["severities"] = (value["severities"],)
        if isinstance(value.get("seeds"), int) and not isinstance(value["seeds"], bool):
            value["seeds"] = tuple(range(value["seeds"]))
        design = value.get("design")
        if isinstance(design, dict) and design.get("adaptive") is not None:
            value = {"doses": (0.0, 0.5, 1.0), "seeds": (0, 1, 2), **value}
        return value

    @model_validator(mode="after")
    def _has_an_axis(self) -> Self:
        if self.vary == "add" and not self.counts:
            raise ValueError("vary: add needs counts, such as counts: [0, 25, 100]")
        if self.vary != "add" and self.counts:
            raise ValueError("counts go with vary: add")
        if not self.seeds:
            raise ValueError("at least one seed is needed")
        if self.judges and not self.ask.open:
            raise ValueError("judges need questions: ask: {open: own}, or files of questions")
        called = [judge.called for judge in self.judges]
        if len(set(called)) != len(called):
            raise ValueError(f"two judges are called the same: {', '.join(called)}")
        asked = [(j.kind, j.url, j.model, j.rule, j.labels) for j in self.judges]
        if len(set(asked)) != len(asked):
            raise ValueError("two judges are the same model: they would agree with themselves")
        if len(set(self.axis)) < 2:
            raise ValueError("at least two different doses are needed")
        self._can_start()
        names = [source.name for source in self.rows]
        if len(set(names)) != len(names):
            raise ValueError(f"two sources are called the same: {', '.join(names)}")
        for source in self.rows:
            if (source.right is not None or source.add is not None) and len(self.severities) > 1:
                raise ValueError(
                    f"the wrong rows of {source.name} come from one file: name one severity"
                )
            from_file = source.right is not None or source.add is not None
            if from_file and (self.unit, self.structure) != ("row", "consistent"):
                raise ValueError(
                    f"the wrong rows of {source.name} are taken as they stand: unit and structure"
                    " go with paired rows"
                )
            if self.match_lengths and self.vary == "add":
                raise ValueError("match_lengths pairs right and wrong rows: not with vary: add")
            if source.add is not None and self.vary != "add":
                raise ValueError(f"{source.name} adds rows: give vary: add and counts")
            if source.right is not None and self.vary == "correct_only":
                raise ValueError("vary: correct_only needs paired rows")
        return self

    def _can_start(self) -> None:
        """Refuse an adaptive design whose start says nothing of the noise, or is all there is."""
        adaptive = self.design.adaptive
        if adaptive is None:
            return
        if len(set(self.axis)) < 3 or self.axis[0] != 0 or len(set(self.seeds)) < 2:
            raise ValueError(
                "an adaptive design starts from dose 0 and two more, with two seeds or more"
            )
        start = len(set(self.axis)) * len(set(self.seeds))
        if adaptive.budget < start:
            raise ValueError(f"the start alone has {start} arms, the budget is {adaptive.budget}")

    @property
    def axis(self) -> tuple[float, ...]:
        """The doses (or counts) in rising order."""
        return tuple(sorted({float(d) for d in (self.counts or self.doses)}))
