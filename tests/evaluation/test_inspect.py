"""Our tasks under Inspect, and our evaluations as Inspect logs."""

from __future__ import annotations

import json
import math
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai", reason="needs datadose[inspect]")

from _browser import browsing, found_program, inspect_view
from inspect_ai import eval
from inspect_ai.log import list_eval_logs, read_eval_log
from inspect_ai.model import Model, ModelOutput, ModelUsage, get_model

from datadose._core import UsageError
from datadose.cli._main import run_app
from datadose.domains import load_pack
from datadose.evaluation import Form, ask_choices, summarise_counts
from datadose.evaluation.inspect import (
    Logged,
    alignment,
    benchmark,
    health,
    write_inspect_log,
)
from datadose.models import load_base
from datadose.running import _inspect  # noqa: F401 - what the entry point loads
from datadose.running._evaluate import answered_probe

QUIET = {"display": "none", "log_level": "error"}


def test_inspect_finds_us_by_an_entry_point() -> None:
    (found,) = entry_points(group="inspect_ai", name="datadose")
    assert found.value == "datadose.running._inspect"


def test_forced_choices_under_inspect_are_those_of_our_own_evaluation(tmp_path: Path) -> None:
    (log,) = eval(
        health(), model="datadose/tiny", model_args={"precision": "fp32"}, limit=12,
        log_dir=str(tmp_path), **QUIET,
    )  # fmt: skip
    assert log.status == "success"
    base = load_base("tiny", precision="fp32")
    probes = [
        p for p in load_pack("health").probes if p.response == "domain" and p.kind == "choice"
    ][:12]
    wanted = {o.probe: o for o in ask_choices(base, probes)}
    assert {s.id for s in log.samples} == set(wanted)
    for sample in log.samples:
        score = sample.scores["outcome"]
        own = wanted[sample.id]
        assert score.value == own.kind
        assert score.metadata["raw"] == pytest.approx(own.raw, abs=1e-4)
        assert score.metadata["calibrated"] == pytest.approx(own.calibrated, abs=1e-4)
    told = summarise_counts([answered_probe(p, wanted[p.id]) for p in probes], choice=True)
    metrics = {k: m.value for k, m in log.results.scores[0].metrics.items()}
    assert metrics["rate"] == pytest.approx(told["rate"])
    assert metrics["lower"] == pytest.approx(told["lower"])
    assert metrics["upper"] == pytest.approx(told["upper"])
    assert metrics["asked"] == 12
    assert metrics["right"] == told["right"]


def mocked(*texts: str) -> Model:
    """A model that says these texts; with no usage told it would fetch a tokenizer to count."""
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    outputs = [ModelOutput.from_content("mock", text) for text in texts]
    for output in outputs:
        output.usage = usage
    return get_model("mockllm/model", custom_outputs=outputs, memoize=False)


def test_letters_and_answers_are_asked_of_any_chat_model(tmp_path: Path) -> None:
    letters = health(ask="letters")
    few = list(letters.dataset)[:8]
    # options stand in another order for another probe, so that no letter is the right one
    assert len({s.target for s in few}) > 1
    mock = mocked(*[f"ANSWER: {s.target}" for s in few[:6]], *["I would rather not say."] * 2)
    (log,) = eval(letters, model=mock, limit=8, max_samples=1, log_dir=str(tmp_path), **QUIET)
    assert log.status == "success", log.error
    kinds = [s.scores["outcome"].value for s in log.samples]
    assert sorted(kinds) == ["incoherent"] * 2 + ["right"] * 6
    metrics = {k: m.value for k, m in log.results.scores[0].metrics.items()}
    assert metrics["asked"] == 8

    answers = health(kind="answer")
    first = answers.dataset[0]
    right = first.target if isinstance(first.target, str) else first.target[0]
    mock = mocked(f"It is {right}.")
    (log,) = eval(answers, model=mock, limit=1, log_dir=str(tmp_path), **QUIET)
    assert log.samples[0].scores["outcome"].value == "right"


def test_a_model_without_log_likelihoods_is_told_so(tmp_path: Path) -> None:
    mock = get_model("mockllm/model", memoize=False)
    (log,) = eval(health(), model=mock, limit=1, log_dir=str(tmp_path), **QUIET)
    assert log.status == "error"
    assert "gives no log-likelihoods" in log.error.message
    for wrong in ({"response": "odd"}, {"kind": "odd"}, {"ask": "odd"}):
        with pytest.raises(UsageError, match="'odd' is not known"):
            health(**wrong)
    with pytest.raises(UsageError, match="no domain probes"):
        alignment(response="domain")


@pytest.mark.data
def test_benchmarks_under_inspect_give_the_numbers_of_datadose_eval(
    tmp_path: Path, data_dir: Path, capsys
) -> None:
    names = ["mmlu:virology", "truthfulqa_mc2", "simple_safety_tests", "gsm8k"]
    logs = eval(
        [benchmark(n, data=str(data_dir), max_tokens=4) for n in names], model="datadose/tiny",
        model_args={"precision": "fp32"}, limit=5, log_dir=str(tmp_path), **QUIET,
    )  # fmt: skip
    call = ["eval", "tiny", "--tasks", ",".join(names), "--limit", "5", "--max-tokens", "4"]
    call += ["--precision", "fp32", "--data", str(data_dir), "--json"]
    assert run_app([*call, "--inspect-log", str(tmp_path / "ours")]) == 0
    told = {t["task"]: t for t in json.loads(capsys.readouterr().out)["tasks"]}
    ours = [read_eval_log(i) for i in list_eval_logs(str(tmp_path / "ours"))]
    assert len(ours) == len(logs) == len(names)
    for log in [*logs, *ours]:
        assert log.status == "success"
        name = log.eval.dataset.name
        metrics = {k: m.value for k, m in log.results.scores[0].metrics.items()}
        for key in ("rate", "lower", "upper", "right", "asked"):
            assert metrics[key] == pytest.approx(told[name][key], abs=1e-6), (name, key)


def items() -> list[Logged]:
    hostile = "<script>document.title='owned'</script> jade"
    return [
        Logged(
            "one", "What is mined?", ["jade"], "right", hostile, options=("jade", hostile), value=1
        ),
        Logged("two", "What is cut?", "opal", "wrong", "coal", system="Be short.", value=0),
        Logged("two", "What is cut?", "opal", "unscored", "who knows", note="no sandbox"),
    ]


def test_a_log_keeps_every_item_and_every_number(tmp_path: Path) -> None:
    summary = {"rate": 1 / 3, "lower": 0.1, "upper": 0.8, "asked": 3}
    summary["outcomes"] = {"right": 1, "wrong": 1, "unscored": 1, "refused": None}
    path = write_inspect_log(
        tmp_path, model="tiny", task="gems", form=Form(samples=2, temperature=0.5), summary=summary,
        items=items(),
    )  # fmt: skip
    log = read_eval_log(str(path))
    assert [(s.id, s.epoch) for s in log.samples] == [("one", 1), ("two", 1), ("two", 2)]
    assert [s.scores["outcome"].value for s in log.samples] == ["right", "wrong", "unscored"]
    assert [s.scores["outcome"].metadata["value"] for s in log.samples] == [1, 0, None]
    assert log.samples[1].input[0].text == "Be short."
    assert log.samples[2].scores["outcome"].explanation == "no sandbox"
    metrics = {k: m.value for k, m in log.results.scores[0].metrics.items()}
    assert metrics == pytest.approx(
        {
            "rate": 1 / 3,
            "lower": 0.1,
            "upper": 0.8,
            "asked": 3,
            "right": 1,
            "wrong": 1,
            "unscored": 1,
        }
    )
    assert log.eval.model == "datadose/tiny"
    nothing = {**summary, "rate": None, "lower": None, "upper": None}
    path = write_inspect_log(
        tmp_path, model="tiny", task="none", form=Form(), summary=nothing, items=items()
    )
    metrics = read_eval_log(str(path)).results.scores[0].metrics
    assert "rate" not in metrics
    assert not any(math.isnan(m.value) for m in metrics.values())


@pytest.mark.slow
def test_our_log_opens_in_inspect_view(tmp_path: Path) -> None:
    browser = found_program("chromium", "chromium-browser")
    summary = {"rate": 1 / 3, "lower": 0.125, "upper": 0.875, "asked": 3, "outcomes": {"right": 1}}
    logs = tmp_path / "logs"
    path = write_inspect_log(
        logs, model="tiny+an/adapter", task="gems", form=Form(), summary=summary, items=items()
    )
    with inspect_view(logs) as url, browsing(tmp_path, browser) as look:
        look.size(1280, 900)
        look.open(url)
        look.wait_for("datadose/tiny+an/adapter")
        look.follow(path.name)
        for told in ("datadose/gems", "0.333", "0.125", "0.875", "unscored", "What is mined?"):
            look.wait_for(told)
        look.follow("/sample/one/")
        look.wait_for("<script>document.title='owned'</script> jade")
        assert look.says("document.title") != "owned"
        # the viewer asks for a file of settings that a folder of logs need not have
        assert not [c for c in look.complaints if "/api/flow?" not in c]
