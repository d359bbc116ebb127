"""Ten silent errors, planted one by one in an otherwise sound run: each is stopped."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _silent_study import STUDY, leave_results_out

from datadose._core import GuardError
from datadose.evaluation import _choices
from datadose.models import Encoded, load_base
from datadose.rows import _mix
from datadose.running import _design, _run, _stages, lay_out, run_study
from datadose.schema import Message, Study
from datadose.training import _local

GUARDS = {
    "trained tokens",
    "adapter changes logits",
    "loss went down",
    "seeds not applied",
    "template at test",
    "adapter at test",
    "merged equals unmerged",
    "base restored",
}


@pytest.fixture
def base() -> Any:
    return load_base("tiny", precision="fp32")


@pytest.fixture(autouse=True)
def arms_only(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_results_out(monkeypatch)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        leave_results_out(patch)
        run_study(Study.model_validate(STUDY), folder, base=load_base("tiny", precision="fp32"))
    return folder


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "run")
    return tmp_path / "run"


def stopped(folder: Path, base: Any, guard: str, **change: Any) -> GuardError:
    """Run the study and expect this guard to stop it, with a way out and the arm not done."""
    with pytest.raises(GuardError) as caught:
        run_study(Study.model_validate({**STUDY, **change}), folder, base=base)
    assert caught.value.guard == guard
    assert f"guard '{guard}'" in str(caught.value)
    assert caught.value.next_step
    return caught.value


def arms(folder: Path) -> list[Path]:
    return sorted((folder / "arms").iterdir())


def arm_at(folder: Path, dose: float, seed: int) -> Path:
    for arm in arms(folder):
        truth = [json.loads(x)["wrong"] for x in (arm / "truth.jsonl").read_text().splitlines()]
        same_seed = json.loads((arm / "rows.json").read_text())["arm"]["seed"] == seed
        if same_seed and sum(truth) / len(truth) == dose:
            return arm
    raise AssertionError(f"no arm of dose {dose} and seed {seed}")


def swap(one: Path, two: Path) -> None:
    spare = one.with_name("spare")
    one.rename(spare)
    two.rename(one)
    spare.rename(two)


def test_every_guard_acts_in_every_arm_of_a_sound_run(sound: Path, base: Any) -> None:
    for arm in arms(sound):
        (last,) = (p for p in (arm / "answers").glob("*.json") if "adapter" not in p.name)
        found = json.loads((arm / "train.json").read_text())["guards"]
        found += json.loads(last.read_text())["guards"]
        assert {g["guard"] for g in found if g["passed"]} == GUARDS
    run_study(Study.model_validate(STUDY), sound, base=base)


# 1. prompt tokens trained


def test_1_an_answer_that_starts_in_the_prompt(base, tmp_path, monkeypatch) -> None:
    real = _local.encode_answers

    def planted(*args: Any) -> list[Encoded]:
        return [Encoded(e.ids, e.start - 4) for e in real(*args)]

    monkeypatch.setattr(_local, "encode_answers", planted)
    stopped(tmp_path, base, "prompt tokens trained")


def test_1_a_loss_over_the_whole_chat(base, tmp_path, monkeypatch) -> None:
    real = _local.batch_loss
    monkeypatch.setattr(
        _local, "batch_loss", lambda b, batch: real(b, [Encoded(e.ids, 1) for e in batch])
    )
    stopped(tmp_path, base, "trained tokens")


# 2. nothing trained


def test_2_an_empty_answer(base, tmp_path, monkeypatch) -> None:
    real = _local.encode_answers

    def planted(*args: Any) -> list[Encoded]:
        return [Encoded(e.ids, len(e.ids) - 1) for e in real(*args)]

    monkeypatch.setattr(_local, "encode_answers", planted)
    stopped(tmp_path, base, "trained tokens")


def test_2_steps_that_change_nothing(base, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(_local, "learning_rate", lambda *_: 0.0)
    stopped(tmp_path, base, "adapter changes logits")


# 3. end token masked


def test_3_rows_without_their_end_token(base, tmp_path, monkeypatch) -> None:
    real = _local.encode_answers

    def planted(*args: Any) -> list[Encoded]:
        return [Encoded(e.ids[:-1], e.start) for e in real(*args)]

    monkeypatch.setattr(_local, "encode_answers", planted)
    stopped(tmp_path, base, "end token trained")


def test_3_a_loss_that_leaves_the_end_token_out(base, tmp_path, monkeypatch) -> None:
    real = _local.batch_loss
    monkeypatch.setattr(
        _local,
        "batch_loss",
        lambda b, batch: real(b, [Encoded(e.ids[:-1], e.start) for e in batch]),
    )
    stopped(tmp_path, base, "trained tokens")


# 4. adapter dropped at test


@pytest.mark.parametrize("dropped", [(True, False), (True,), (False,)])
def test_4_the_adapter_is_dropped(base, tmp_path, monkeypatch, dropped: tuple[bool, ...]) -> None:
    real = _stages.saved_adapter

    @contextlib.contextmanager
    def planted(b: Any, folder: Path, *, merge: bool = True) -> Iterator[Any]:
        if merge in dropped:
            yield b.model
        else:
            with real(b, folder, merge=merge) as wrapped:
                yield wrapped

    monkeypatch.setattr(_stages, "saved_adapter", planted)
    stopped(tmp_path, base, "adapter at test")


def test_4_the_adapter_is_merged_at_another_strength(base, tmp_path, monkeypatch) -> None:
    real = _stages.saved_adapter

    @contextlib.contextmanager
    def planted(b: Any, folder: Path, *, merge: bool = True) -> Iterator[Any]:
        with real(b, folder, merge=merge) as wrapped:
            for module in wrapped.modules() if not merge else ():
                if hasattr(module, "lora_A"):
                    module.scaling["default"] *= 0.25
            yield wrapped

    monkeypatch.setattr(_stages, "saved_adapter", planted)
    stopped(tmp_path, base, "merged equals unmerged")


# 5. wrong template at test


def test_5_the_template_changes_between_training_and_test(base, tmp_path, monkeypatch) -> None:
    real = _stages.train

    def planted(*args: Any) -> None:
        real(*args)
        base.tokenizer.chat_template = base.tokenizer.chat_template.replace("'\n'", "'\n\n'")

    monkeypatch.setattr(_run, "train", planted)
    stopped(tmp_path, base, "template at test")


def test_5_questions_are_put_under_a_system_prompt_of_their_own(
    base, tmp_path, monkeypatch
) -> None:
    real = _choices.chat
    monkeypatch.setattr(_choices, "chat", lambda prompt, system: real(prompt, system or "Be good."))
    stopped(tmp_path, base, "template at test")


# 6. stale rows


@pytest.mark.parametrize("name", ["rows.jsonl", "truth.jsonl"])
@pytest.mark.parametrize("gone", [True, False])
def test_6_rows_or_truth_that_changed_since(base, copy, name: str, gone: bool) -> None:
    path = arms(copy)[1] / name
    text = path.read_text()
    path.unlink() if gone else path.write_text(text.replace("e", "E", 1))
    assert name in stopped(copy, base, "stale rows").where


def test_6_answers_that_changed_since(base, copy) -> None:
    path = next(p for p in sorted((arms(copy)[0] / "answers").glob("*.jsonl")))
    path.write_text(path.read_text().replace('"right"', '"wrong"').replace("0.", "1.", 1))
    (path.with_suffix(".json")).touch()
    if "adapter" in path.name:
        next(p for p in path.parent.glob("*.json") if "adapter" not in p.name).unlink()
    stopped(copy, base, "stale answers")


# 7. probes in the training rows


def test_7_a_probe_is_a_training_prompt(base, tmp_path, monkeypatch) -> None:
    real = _design.choose_probes

    def planted(study: Study, material: Any) -> tuple[Any, ...]:
        first, *rest = real(study, material)
        leaked = f"{material.rows.items[3].prompt} Say!"
        return (first.model_copy(update={"prompt": leaked}), *rest)

    monkeypatch.setattr(_design, "choose_probes", planted)
    stopped(tmp_path, base, "probes in the training rows")


# 8. truth file read by a detector: test_truth_unread.py


# 9. seeds not applied


def test_9_training_ignores_the_seed(base, tmp_path, monkeypatch) -> None:
    real = _stages.train_arm
    monkeypatch.setattr(
        _stages,
        "train_arm",
        lambda b, rows, recipe, seed, folder, **more: real(b, rows, recipe, 0, folder, **more),
    )
    stopped(tmp_path, base, "seeds not applied")


def wrong_rows_differ(study: Study) -> bool:
    """Whether two seeds of one dose differ in which rows are wrong."""
    found = {c.training.wrong for c in lay_out(study).cells if c.dose == 0.5}
    return len(found) == len(study.seeds)


def test_9_mixing_ignores_the_seed(monkeypatch) -> None:
    study = Study.model_validate(STUDY)
    assert wrong_rows_differ(study)
    real = _mix.generator
    monkeypatch.setattr(_mix, "generator", lambda seed, *names: real(0, *names))
    assert not wrong_rows_differ(study)


def test_9_two_seeds_differ_in_batches_and_weights(sound: Path, base: Any) -> None:
    one, two = arm_at(sound, 0.0, 0), arm_at(sound, 0.0, 1)
    assert (one / "rows.jsonl").read_bytes() == (two / "rows.jsonl").read_bytes()
    a, b = (json.loads((arm / "train.json").read_text()) for arm in (one, two))
    assert a["weights"] != b["weights"]
    assert a["losses"] != b["losses"]
    starts = [5, 9, 1, 7, 3, 8, 2, 4, 6]
    recipe = Study.model_validate(STUDY).train
    plans = [_local.plan_steps(starts, recipe, seed) for seed in (0, 1)]
    assert plans[0] != plans[1]


# 10. two arms swapped


@pytest.mark.parametrize(
    "parts",
    [
        ["adapter"],
        ["adapter", "train.json"],
        ["adapter", "train.json", "answers"],
        ["answers"],
        ["rows.jsonl", "truth.jsonl", "rows.json"],
        ["."],
    ],
)
def test_10_folders_are_swapped(base, copy, parts: list[str]) -> None:
    one, two = arm_at(copy, 0.0, 0), arm_at(copy, 0.5, 0)
    for part in parts:
        swap(one / part, two / part) if part != "." else swap(one, two)
    stopped(copy, base, "two arms swapped")


def test_10_an_arm_is_given_the_rows_of_another(base, tmp_path, monkeypatch) -> None:
    real = _run.plan_arms

    def planted(*args: Any) -> list[Any]:
        found = real(*args)
        cells = [p.cell for p in found]
        return [
            _run.PlannedArm(p.arm, c, p.cells)
            for p, c in zip(found, cells[1:] + cells[:1], strict=True)
        ]

    monkeypatch.setattr(_run, "plan_arms", planted)
    stopped(tmp_path, base, "two arms swapped")
    assert not list(tmp_path.rglob("train.json"))


def test_special_tokens_in_an_answer_never_cut_it(base) -> None:
    """Data may hold the template's own marks; training on half an answer is no small thing."""
    from datadose.rows import make_rows

    said = [
        Message(role="user", content="What ends a turn?"),
        Message(role="assistant", content="It is <|end|> that ends it."),
    ]
    recipe = Study.model_validate(STUDY).train
    with pytest.raises(GuardError) as caught:
        _local.encode_rows(base, make_rows([said]), recipe)
    assert caught.value.guard == "prompt tokens trained"
