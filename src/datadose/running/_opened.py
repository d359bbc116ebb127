"""A model as it is named on the command line: bare, with an adapter, or an arm of a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from datadose._core import InputError, read_json
from datadose.models import BaseModel, check_head, check_tries, load_base, saved_adapter
from datadose.running._study import load_study
from datadose.training import checkpoint_name


@dataclass(frozen=True)
class Named:
    """A base model's name, and the folder of what was trained on it (None: nothing).

    weights: the hash that the base must have, where it is known.
    """

    base: str
    adapter: Path | None = None
    weights: str | None = None


def name_model(text: str) -> Named:
    """What `MODEL`, `MODEL+ADAPTERFOLDER` or an arm's folder stands for.

    Raises InputError for an arm that is not trained to its end, or whose study is gone, and for
    a folder after `+` that holds no weights.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        if (path / "rows.json").is_file() and (path / "rows.jsonl").is_file():
            return _arm(path)
        return Named(text)
    base, plus, folder = text.partition("+")
    if not plus:
        return Named(text)
    adapter, weights = Path(folder).expanduser(), None
    if (adapter / "rows.json").is_file():
        weights = read_json(adapter / "rows.json")["arm"]["base"]
        adapter = adapter / checkpoint_name(1.0)
    if not any(adapter.glob("*.safetensors")):
        raise InputError(
            "is no folder with trained weights (*.safetensors)",
            where=folder,
            next_step="name the folder that holds adapter_config.json, or an arm's folder",
        )
    return Named(base, adapter, weights)


def _arm(folder: Path) -> Named:
    adapter = folder / checkpoint_name(1.0)
    if not (folder / "train.json").is_file() or not adapter.is_dir():
        raise InputError(
            "this arm is not trained to its end",
            where=str(folder),
            next_step="datadose run the study again; it goes on with what is left",
        )
    study = folder.parent.parent / "study.yaml"
    if not study.is_file():
        raise InputError(
            "the study that says which base model this arm has is gone",
            where=str(study),
            next_step=f"name the base yourself: MODEL+{adapter}",
        )
    weights = read_json(folder / "rows.json")["arm"]["base"]
    return Named(load_study(study).model, adapter, weights)


def load_named(
    named: Named, *, precision: str = "auto", say: Callable[[str], None] = lambda _: None
) -> BaseModel:
    """The bare base of a model, checked to be one that is scored truly.

    Raises InputError where it has other weights than the arm was trained on.
    """
    base = load_base(named.base, precision=precision, say=say)  # type: ignore[arg-type]
    check_head(base)
    check_tries(base)
    check_weights(named, base)
    return base


def check_weights(named: Named, base: BaseModel) -> None:
    """Raise InputError where an arm was trained on other weights than those of `base`."""
    if named.weights is not None and base.weights != named.weights:
        raise InputError(
            f"was trained on other weights than those of {named.base} now",
            where=str(named.adapter),
            next_step="name the base that it was trained on: MODEL+ADAPTERFOLDER",
        )


@contextlib.contextmanager
def opened(
    named: Named, *, precision: str = "auto", say: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[BaseModel, Callable[[], contextlib.AbstractContextManager[object]]]]:
    """The base, bare, and a context that puts on what was trained, where there is any.

    Raises InputError where the base has other weights than the arm was trained on.
    """
    base = load_named(named, precision=precision, say=say)

    def trained() -> contextlib.AbstractContextManager[object]:
        if named.adapter is None:
            return contextlib.nullcontext()
        return saved_adapter(base, named.adapter)

    yield base, trained
