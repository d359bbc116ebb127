"""Studies, and the series and arms they consist of."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from datadose._core import digest
from datadose.schema._ask import Asked, JudgeSpec, Primary
from datadose.schema._base import Frozen, Severity, Structure, Unit, Vary


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


class Source(Frozen):
    """Where a study's rows and probes come from. One of four kinds:

    `pack`: a domain pack. `benchmark`: a public multiple-choice, computed or programming
    benchmark whose files lie in `data`. `pool`: a file of right and wrong answers to the same
    prompts. `right` and `wrong`: two files of rows that are not paired. `add` names a file of
    wrong rows to be appended to the clean rows of a pack, benchmark or pool (`vary: add`).
    `probes`: packs, probe files or `lm-eval:TASK` that are asked; without it a pack and a
    benchmark bring their own, and a pool's last wording of every fact is held out. `limit` keeps
    so many facts (or rows, where there are no facts), `max_words` leaves out longer rows of
    `right`, `wrong`, `add`.
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
    two seeds where none are given.
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
            value = {"doses": (0.0, 0.5, 1.0), "seeds": (0, 1), **value}
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
