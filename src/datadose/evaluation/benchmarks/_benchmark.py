"""What a benchmark is: where its records come from, and what each of them asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from datadose._core import InputError, Registry, StageError, UsageError, need_extra
from datadose.schema import Check, Response

Kind = Literal["choice", "mass", "generate", "open"]
Record = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One item of a benchmark.

    plain: the prompt as a text to go on with; chat: the same as a user's turn. options: what may
    follow, as it follows a plain prompt (with the space before it); right: indices of the right
    ones. check: how an answer is told right from wrong. before: code that an answer continues or
    completes. helpers, setup: of `TestJob`. group: subject or category.
    """

    id: str
    plain: str
    chat: str
    options: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    check: Check | None = None
    before: str = ""
    helpers: tuple[str, ...] = ()
    setup: str = ""
    group: str = ""


@dataclass(frozen=True)
class Hub:
    """A data set on the Hugging Face hub; `config` may hold `{group}`."""

    repo: str
    config: str | None
    split: str


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, with an example record in the hub's format, in our own words.

    kind: `choice` takes the likeliest option; `mass` the share of probability on right options;
    `generate` an answer that is checked; `open` one that only a judge can score. `local` reads
    the published files, checked by sha256, into records of the hub's format; `tasks` turns a
    record into what is asked. calibrated: options are compared less the base model's
    log-likelihood of them under a contentless prompt. chat: whether it is asked as a chat unless
    told otherwise. stop: texts that end a plain answer.
    """

    title: str
    licence: str
    source: str
    kind: Kind
    data_set: str
    hub: Hub | None
    local: Callable[[Path, Sequence[str]], list[Record]]
    task: Callable[[int, Record], Task]
    example: Record
    response: Response = "domain"
    calibrated: bool = False
    chat: bool = False
    max_tokens: int = 0
    stop: tuple[str, ...] = ()


BENCHMARKS: Registry[Callable[[], Benchmark]] = Registry("benchmark")


@dataclass(frozen=True)
class Chosen:
    """A benchmark as it was asked for: `name`, and the groups that are wanted (none: all)."""

    name: str
    groups: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name as it is given: `mmlu:virology+anatomy`."""
        return f"{self.name}:{'+'.join(self.groups)}" if self.groups else self.name

    @property
    def benchmark(self) -> Benchmark:
        """What the name stands for."""
        return BENCHMARKS.get(self.name)()


def choose(text: str) -> Chosen:
    """`NAME` or `NAME:GROUP+GROUP`; raises UsageError for a name that is not known."""
    name, _, groups = text.strip().partition(":")
    BENCHMARKS.get(name)
    named = (g.strip() for g in groups.split("+") if g.strip())
    return Chosen(name, tuple({_folded(g): g for g in named}.values()))


def read_tasks(chosen: Chosen, data: Path | Literal["hub"]) -> list[Task]:
    """The items of a benchmark, in their published order, of the wanted groups only.

    Raises UsageError for groups that it does not have, InputError for absent or other files,
    StageError where the hub can't be reached.
    """
    benchmark = chosen.benchmark
    if isinstance(data, Path):
        records = benchmark.local(data, chosen.groups)
    else:
        records = _from_hub(chosen, benchmark)
    try:
        tasks = [benchmark.task(number, record) for number, record in enumerate(records, 1)]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"a record of {chosen.name} is not as expected: {type(error).__name__} {error}",
            where=str(data),
            next_step="get the published data set again",
        ) from error
    wanted = {_folded(g) for g in chosen.groups}
    known = {_folded(t.group): t.group for t in tasks}
    if missing := sorted(wanted - known.keys()):
        raise UsageError(
            f"{chosen.name} has no group {missing[0]!r}",
            next_step=f"choose from: {', '.join(sorted(known.values()))}",
        )
    return [t for t in tasks if not wanted or _folded(t.group) in wanted]


def _folded(group: str) -> str:
    return group.casefold().replace(" ", "_")


def _from_hub(chosen: Chosen, benchmark: Benchmark) -> list[Record]:
    hub = benchmark.hub
    if hub is None:
        raise UsageError(
            f"{chosen.name} is not on the hub under a name that is known here",
            next_step="give the folder of its files with --data",
        )
    need_extra("datasets", "hf")
    from datasets import load_dataset

    each = "{group}" in (hub.config or "")
    if each and not chosen.groups:
        raise UsageError(
            f"{chosen.name} is many data sets on the hub: name those that you want",
            next_step=f"--tasks {chosen.name}:NAME+NAME",
        )
    records: list[Record] = []
    for group in chosen.groups if each else (None,):
        config = hub.config.format(group=group) if hub.config and group else hub.config
        try:
            found = load_dataset(hub.repo, config, split=hub.split)
        except Exception as error:
            raise StageError(
                f"{hub.repo} can't be fetched from the hub: {type(error).__name__}",
                next_step="give the folder of its files with --data",
            ) from error
        extra = {} if group is None else {"group": group}
        records += [{**record, **extra} for record in found]
    return records
