"""Tasks of lm-evaluation-harness put to a model held here, against the harness's own model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from datadose._core import InputError, MissingExtraError, StageError, UsageError
from datadose.evaluation import (
    Form,
    ask_harness,
    harness_probes,
    read_harness,
    rooted_spec,
)
from datadose.models import load_base
from datadose.running import evaluate

pytest.importorskip("lm_eval", reason="needs datadose[lm-eval]")
# the harness's own imports and those of what it uses
pytestmark = pytest.mark.filterwarnings("ignore")

CHOICE = {
    "task": "shapes",
    "output_type": "multiple_choice",
    "description": "Pick one.\n\n",
    "doc_to_text": "{{question}}\nAnswer:",
    "doc_to_choice": "{{options}}",
    "doc_to_target": "right",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
}
SPOKEN = {
    "task": "sums",
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["e", "\n"], "max_gen_toks": 12, "do_sample": False},
    "filter_list": [
        {
            "name": "first",
            "filter": [
                {"function": "regex", "regex_pattern": "(.)"},
                {"function": "take_first"},
            ],
        },
        {"name": "whole", "filter": [{"function": "take_first"}]},
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
}
QUESTIONS = [
    {"question": f"What is thing {i}?{' Say it.' * (i % 3)}", "options": options, "right": i % 3}
    for i, options in enumerate(
        [["a square", "one", "the red circle"], ["x", "y", "z"], ["no", "yes", "it is"]] * 4
    )
]


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def write(folder: Path, task: dict, records: list[dict], **more: object) -> Path:
    """A task file as a user of the harness writes it, with its data beside it."""
    data = folder / f"{task['task']}.jsonl"
    data.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    where = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}}
    path = folder / f"{task['task']}.yaml"
    path.write_text(json.dumps({**task, **where, "test_split": "test", **more}), "utf-8")
    return path


def theirs(base, path: Path, **more: object) -> dict:
    """What the harness says with its own model class on the same weights."""
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(pretrained=base.model, tokenizer=base.tokenizer, batch_size=4)
    tasks = TaskManager(include_defaults=False).load(str(path))
    for task in tasks["tasks"].values():
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        task.set_fewshot_seed(seed=1234)
    return evaluator.evaluate(model, tasks, bootstrap_iters=0, log_samples=True, **more)


def by_item(done: dict, name: str, which: str) -> list[dict]:
    samples = [s for s in done["samples"][name] if s["filter"] == which]
    return sorted(samples, key=lambda s: s["doc_id"])


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("chat", [False, True])
def test_choices_are_those_of_the_harness(base, tmp_path: Path, shots: int, chat: bool) -> None:
    more = {"num_fewshot": shots, "fewshot_split": "test"} if shots else {}
    path = write(tmp_path, CHOICE, QUESTIONS, **more)
    done = theirs(base, path, apply_chat_template=chat, fewshot_as_multiturn=chat)
    for metric in (None, "acc_norm"):
        (task,) = read_harness(f"{path}@{metric}" if metric else str(path))
        ((summary, answered),) = ask_harness(base, task, Form(chat=chat))
        for a, s in zip(answered, by_item(done, "shapes", "none"), strict=True):
            assert a.scores == pytest.approx([r[0][0] for r in s["resps"]], abs=1e-4)
            assert a.value == s[metric or "acc"]
        totals = done["results"]["shapes"]
        assert summary["rate"] == totals[f"{metric or 'acc'},none"]
        assert summary["lm_eval"] == {
            "acc": totals["acc,none"],
            "acc_norm": totals["acc_norm,none"],
        }
        assert summary["metric"] == (metric or "acc")
        assert (summary["asked"], summary["form"]) == (12, "chat" if chat else "plain")


def test_answers_are_those_of_the_harness_under_each_filter(base, tmp_path: Path) -> None:
    records = [{"question": f"Count {'on ' * i}", "answer": "?"} for i in range(9)]
    path = write(tmp_path, SPOKEN, records)
    done = theirs(base, path)
    said = [s["filtered_resps"][0] for s in by_item(done, "sums", "first")]
    # answers that the model gives make some items right, so that the metric can't be idle
    records = [r | {"answer": said[i] if i % 2 else "?!"} for i, r in enumerate(records)]
    path = write(tmp_path, SPOKEN | {"task": "sums2"}, records)
    done = theirs(base, path)
    (task,) = read_harness(str(path))
    parts = ask_harness(base, task, Form())
    assert [s["part"] for s, _ in parts] == ["sums2/first", "sums2/whole"]
    for (summary, answered), which in zip(parts, ("first", "whole"), strict=True):
        wanted = by_item(done, "sums2", which)
        assert [a.text for a in answered] == [s["resps"][0][0] for s in wanted]
        assert [a.value for a in answered] == [s["exact_match"] for s in wanted]
        assert summary["rate"] == done["results"]["sums2"][f"exact_match,{which}"]
    assert 0 < parts[0][0]["rate"] < 1
    (short, *_), _ = ask_harness(base, task, Form(max_tokens=2, limit=3))[0][1], None
    assert len(short.text or "") <= 2 * 4


def test_whether_greedy_decoding_says_it_is_known(base, tmp_path: Path) -> None:
    """A task of log-likelihood is right where the model would say the target by itself."""
    from datadose.evaluation import generate_ids

    prompts = [f"Tell {'me ' * i}it" for i in range(6)]
    ids = [tuple(base.tokenizer(p)["input_ids"]) for p in prompts]
    said = generate_ids(base, ids, max_tokens=2)
    records = [
        {"question": p, "answer": s if i % 2 else "zq"}
        for i, (p, s) in enumerate(zip(prompts, said, strict=True))
        if s.isascii() and s.strip()
    ]
    assert len(records) > 2
    task = {
        "task": "said",
        "output_type": "loglikelihood",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    path = write(tmp_path, task, records)
    done = theirs(base, path)
    (found,) = read_harness(str(path))
    ((summary, answered),) = ask_harness(base, found, Form())
    assert [a.value for a in answered] == [s["acc"] for s in by_item(done, "said", "none")]
    assert 0 < summary["rate"] < 1


def test_eval_takes_a_file_or_a_folder_with_a_name(tmp_path: Path) -> None:
    path = write(tmp_path, CHOICE, QUESTIONS)
    names = [f"lm-eval:{path}", f"lm-eval:{tmp_path}/shapes@acc_norm"]
    summaries, records = evaluate("tiny", names, Form(limit=5), data=None, precision="fp32")
    assert [s["task"] for s in summaries] == names
    assert [s["metric"] for s in summaries] == ["acc", "acc_norm"]
    assert [s["asked"] for s in summaries] == [5, 5]
    assert len(records) == 10
    assert records[0]["id"] == "lm-eval:shapes/0"


def test_what_the_harness_asked_is_in_the_inspect_log(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai", reason="needs datadose[inspect]")
    from inspect_ai.log import list_eval_logs, read_eval_log

    spoken = write(tmp_path, SPOKEN, [{"question": "Count", "answer": "one"}])
    names = [f"lm-eval:{write(tmp_path, CHOICE, QUESTIONS)}", f"lm-eval:{spoken}"]
    summaries, _ = evaluate(
        "tiny", names, Form(limit=2), data=None, precision="fp32", inspect_log=tmp_path / "logs"
    )
    logs = [read_eval_log(info) for info in list_eval_logs(str(tmp_path / "logs"))]
    assert len(logs) == len(summaries) == 3
    (choice,) = [log for log in logs if len(log.samples) == 2]
    assert choice.samples[1].id == "lm-eval:shapes/1"
    assert choice.samples[1].input[0].text == "Pick one.\n\nWhat is thing 1? Say it.\nAnswer:"
    assert choice.samples[1].choices == ["x", "y", "z"]
    assert choice.samples[1].target == ["y"]
    assert choice.samples[1].output.completion in "xyz"
    for log in logs:
        if log is not choice:
            assert log.samples[0].input[0].text == "Count"
            assert log.samples[0].target == ["one"]


def test_a_choice_task_gives_probes_for_a_study(tmp_path: Path) -> None:
    probes = harness_probes(str(write(tmp_path, CHOICE, QUESTIONS)))
    assert len(probes) == 12
    assert probes[1].prompt == "Pick one.\n\nWhat is thing 1? Say it.\nAnswer:"
    assert [o.text for o in probes[1].options] == ["x", "y", "z"]
    assert [o.role for o in probes[1].options] == ["foil", "correct", "foil"]
    twice = [q | {"options": ["same", "same", "other"]} for q in QUESTIONS]
    with pytest.raises(UsageError, match=r"item 0 .* not one right option"):
        harness_probes(str(write(tmp_path, CHOICE | {"task": "twice"}, twice)))
    spoken = write(tmp_path, SPOKEN, [{"question": "a", "answer": "b"}])
    with pytest.raises(UsageError, match="no choice between options"):
        harness_probes(str(spoken))


def test_paths_are_taken_from_the_study_files_folder(tmp_path: Path) -> None:
    assert rooted_spec("lm-eval:arc_easy@acc_norm", tmp_path) == "lm-eval:arc_easy@acc_norm"
    assert rooted_spec("lm-eval:a.yaml", tmp_path) == f"lm-eval:{tmp_path}/a.yaml"
    assert rooted_spec("lm-eval:my/a@acc", tmp_path) == f"lm-eval:{tmp_path}/my/a@acc"


def test_what_cannot_be_asked_is_refused_with_a_way_out(base, tmp_path: Path) -> None:
    path = write(tmp_path, CHOICE, QUESTIONS)
    with pytest.raises(InputError, match="no such task file"):
        read_harness(str(tmp_path / "none.yaml"))
    with pytest.raises(InputError, match="no such folder"):
        read_harness(str(tmp_path / "none" / "shapes"))
    with pytest.raises(UsageError, match="no task 'shape'") as caught:
        read_harness(str(tmp_path / "shape"))
    assert "shapes" in str(caught.value.next_step)
    broken = write(tmp_path, CHOICE | {"task": "broken", "doc_to_choice": "{{nothing}}"}, QUESTIONS)
    with pytest.raises(StageError, match="can't be loaded"):
        read_harness(str(broken))
    rolling = CHOICE | {"task": "rolling", "output_type": "loglikelihood_rolling"}
    rolling["metric_list"] = [{"metric": "word_perplexity"}]
    with pytest.raises(UsageError, match="gives no rate"):
        read_harness(str(write(tmp_path, rolling, QUESTIONS)))
    unsafe = write(tmp_path, CHOICE | {"task": "unsafe"}, QUESTIONS, unsafe_code=True)
    with pytest.raises(UsageError, match="outside any sandbox"):
        read_harness(str(unsafe))
    (task,) = read_harness(f"{path}@f1")
    with pytest.raises(UsageError, match="no 'f1' that scores"):
        ask_harness(base, task, Form(limit=2))
    for form in (Form(primer="x"), Form(temperature=1.0), Form(system="x")):
        with pytest.raises(UsageError):
            ask_harness(base, task, form)
    beams = {"num_beams": 4, "do_sample": False, "until": ["\n"]}
    spoken = write(
        *(tmp_path, SPOKEN | {"task": "beams", "generation_kwargs": beams}),
        [{"question": "a", "answer": "b"}],
    )
    with pytest.raises(UsageError, match="num_beams = 4"):
        ask_harness(base, read_harness(str(spoken))[0], Form())


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n, *a: None if n == "lm_eval" else find(n, *a)
    )
    with pytest.raises(MissingExtraError) as caught:
        read_harness("arc_easy")
    assert "datadose[lm-eval]" in str(caught.value.next_step)
    assert "lm_eval" in sys.modules
