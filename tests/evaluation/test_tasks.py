"""Benchmarks put to a model: scores, forms, rates with bounds, programs."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import UsageError
from datadose.evaluation import (
    Answered,
    Form,
    ask_tasks,
    generate_ids,
    option_prior,
    pass_at_k,
    rate_interval,
    summarise,
)
from datadose.evaluation._programs import check_programs
from datadose.evaluation._tasks import encode_plain
from datadose.evaluation.benchmarks import BENCHMARKS, Task, choose, read_tasks
from datadose.models import chat as chat_of
from datadose.models import encode_prompt, load_base
from datadose.sandbox import available


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def score(base, prompt: str, option: str) -> float:
    """Log-likelihood by the plain way: one text, one forward pass, all logits."""
    ids = base.tokenizer(prompt + option)["input_ids"]
    start = len(base.tokenizer(prompt)["input_ids"])
    with torch.no_grad():
        logp = base.model(torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(float(logp[at - 1, ids[at]]) for at in range(start, len(ids)))


def example(name: str) -> Task:
    benchmark = BENCHMARKS.get(name)()
    return benchmark.task(1, benchmark.example)


@pytest.mark.parametrize("name", ["mmlu", "medmcqa", "truthfulqa_mc1", "truthfulqa_mc2"])
def test_plain_scores_are_those_of_the_whole_text(base, name: str) -> None:
    task = example(name)
    form = Form(primer="Q: Is this a primer?\nA: It is.\n\n")
    other = replace(task, id="other", plain="Another prompt of another length:")
    found = ask_tasks(base, BENCHMARKS.get(name)(), [task, other], form)
    for t, answered in zip((task, other), found, strict=True):
        wanted = [score(base, form.primer + t.plain, o) for o in t.options]
        assert answered.scores == pytest.approx(wanted, abs=1e-4)
        best = max(range(len(wanted)), key=wanted.__getitem__)
        assert answered.chosen == best
        if name == "truthfulqa_mc2":
            mass = sum(math.exp(wanted[i]) for i in t.right) / sum(map(math.exp, wanted))
            assert answered.value == pytest.approx(mass, abs=1e-4)
            assert answered.kind == ("right" if mass > 0.5 else "wrong")
        else:
            assert answered.value == float(best in t.right)


def test_spaces_at_the_end_of_a_prompt_belong_to_the_option(base) -> None:
    spaced, bare = encode_plain(base, [("Say: ", "yes"), ("Say:", " yes")])
    assert spaced == bare


def test_a_calibrated_choice_takes_the_given_prior_off(base) -> None:
    benchmark = BENCHMARKS.get("xstest")()
    task = example("xstest")
    form = Form()
    prior = option_prior(base, benchmark, [task], form)
    (own,) = ask_tasks(base, benchmark, [task], form)
    (given_,) = ask_tasks(base, benchmark, [task], form, prior=prior)
    assert own == given_
    shifted = {o: p + (100 if o == task.options[own.chosen or 0] else 0) for o, p in prior.items()}
    (moved,) = ask_tasks(base, benchmark, [task], form, prior=shifted)
    assert moved.chosen != own.chosen


def test_limit_takes_the_first_and_samples_make_clusters(base) -> None:
    benchmark = BENCHMARKS.get("gsm8k")()
    tasks = [replace(example("gsm8k"), id=f"t{i}", chat=f"How many? {i}") for i in range(5)]
    form = Form(samples=3, temperature=1.0, limit=2, max_tokens=4)
    found = ask_tasks(base, benchmark, tasks, form)
    assert [a.id for a in found] == ["t0"] * 3 + ["t1"] * 3
    summary = summarise(benchmark, found, form)
    assert summary["asked"] == 6
    assert sum(n for n in summary["outcomes"].values() if n) == 6
    assert list(summary["pass_at"]) == ["1", "2"]
    with pytest.raises(UsageError, match="would all be the same"):
        Form(samples=2)


@pytest.mark.parametrize("name", ["mmlu", "xstest_open"])
def test_samples_give_no_pass_at_k_where_nothing_is_checked(base, name: str) -> None:
    form = Form(samples=2, temperature=1.5, max_tokens=3)
    found = ask_tasks(base, BENCHMARKS.get(name)(), [example(name)], form)
    assert "pass_at" not in summarise(BENCHMARKS.get(name)(), found, form)


def test_a_group_named_twice_is_asked_once() -> None:
    assert choose("mmlu:virology+Virology+anatomy").groups == ("Virology", "anatomy")


def test_open_answers_are_unscored_and_have_no_rate(base) -> None:
    benchmark = BENCHMARKS.get("xstest_open")()
    found = ask_tasks(base, benchmark, [example("xstest_open")], Form(max_tokens=3))
    summary = summarise(benchmark, found, Form())
    assert (summary["asked"], summary["right"]) == (1, 0)
    assert summary["outcomes"]["unscored"] == 1
    assert (summary["rate"], summary["lower"], summary["upper"]) == (None, None, None)


def test_what_a_choice_cannot_be_is_not_counted_and_groups_are_apart() -> None:
    benchmark = BENCHMARKS.get("mmlu")()
    found = [Answered(str(i), "ab"[i % 2], "right", 1.0) for i in range(3)]
    summary = summarise(benchmark, [*found, Answered("x", "b", "wrong", 0.0)], Form())
    assert summary["outcomes"]["refused"] is None
    assert summary["outcomes"]["right"] == 3
    assert {g: s["asked"] for g, s in summary["groups"].items()} == {"a": 2, "b": 2}
    assert summary["groups"]["a"]["rate"] == 1


def test_what_could_not_be_scored_is_wrong_below_and_right_above() -> None:
    benchmark = BENCHMARKS.get("humaneval")()
    found = [Answered(str(i), "", "right", 1.0) for i in range(5)]
    found += [Answered(f"w{i}", "", "wrong", 0.0) for i in range(4)]
    found.append(Answered("e", "", "error", None))
    summary = summarise(benchmark, found, Form())
    assert summary["rate"] == 0.5
    assert summary["lower"] == rate_interval([1] * 5 + [0] * 5)[1]
    assert summary["upper"] == rate_interval([1] * 6 + [0] * 4)[2]


def test_the_interval_is_wilsons_on_counts() -> None:
    # Newcombe 1998 (Statistics in Medicine 17, 857), table I, method 3: 81/263, 15/148, 0/20
    for good, n, lower, upper in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = rate_interval([1.0] * good + [0.0] * (n - good))
        assert found[1:] == pytest.approx((lower, upper), abs=5e-5)
    assert rate_interval([0.0] * 20) == pytest.approx((0, 0, 0.1611), abs=5e-5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_bounds_hold_the_rate_and_stay_in_range(values: list[float]) -> None:
    rate, lower, upper = rate_interval(values)
    assert 0 <= lower <= rate <= upper <= 1


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_answer(case: tuple[int, int]) -> None:
    n, right = case
    for k in range(1, n + 1):
        draws = list(combinations(range(n), k))
        wanted = sum(min(d) < right for d in draws) / len(draws)
        assert pass_at_k(right, n, k) == pytest.approx(wanted)


def test_answers_do_not_hang_on_the_batch_or_its_refills(base) -> None:
    """Twenty prompts of many lengths, answers that end at once or never, batches of 1 to 20."""
    prompts = [encode_prompt(base, chat_of("word " * (i % 7) + str(i))) for i in range(20)]
    asked = {"max_tokens": 9, "temperature": 1.3, "seed": 3}
    whole = generate_ids(base, prompts, batch=20, **asked)
    assert len(set(map(len, whole))) > 3
    for batch in (1, 3, 11):
        assert generate_ids(base, prompts, batch=batch, **asked) == whole
    assert generate_ids(base, prompts[::-1], batch=4, **asked) == whole[::-1]


def test_greedy_answers_are_those_of_transformers(base) -> None:
    prompts = [encode_prompt(base, chat_of("word " * i + "?")) for i in (0, 5, 2)]
    # the random model ends at once; asked plainly it goes on
    prompts = [p[:-1] for p in prompts]
    found = generate_ids(base, prompts, max_tokens=8, batch=2)
    for ids, text in zip(prompts, found, strict=True):
        with torch.no_grad():
            made = base.model.generate(
                torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=8,
                do_sample=False,
                pad_token_id=base.pad_id,
            )
        assert text == base.tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)


def test_a_stop_ends_an_answer_before_it(base) -> None:
    prompts = [encode_prompt(base, chat_of(f"question {i}")) for i in range(30)]
    drawn = {"max_tokens": 20, "temperature": 1.5, "seed": 1}
    whole = generate_ids(base, prompts, **drawn)
    letters = [t[i : i + 2] for t in whole for i in range(1, len(t) - 4) if t[i : i + 2].isalpha()]
    stop = next(x for x in letters if x.isascii())
    cut = [t[: t.find(stop)] if stop in t else t for t in whole]
    assert cut != whole
    assert generate_ids(base, prompts, stop=[stop], **drawn) == cut
    assert generate_ids(base, prompts, stop=["never seen"], **drawn) == whole


def solutions(name: str, data_dir: Path) -> tuple[list[Task], list[str], list[str]]:
    """Tasks, their published solutions, and an answer that is only what the prompt holds."""
    benchmark = BENCHMARKS.get(name)()
    records = benchmark.local(data_dir, ())
    key = "code" if name == "mbpp" else "canonical_solution"
    tasks = read_tasks(choose(name), data_dir)
    bare = [t.chat if name == "mbpp" else "    pass" for t in tasks]
    return tasks, [r[key].replace("\r\n", "\n") for r in records], bare


def _needs_a_sandbox() -> None:
    if available() is not None:
        pytest.skip(f"no sandbox: {available()}")


def test_programs_of_an_example() -> None:
    _needs_a_sandbox()
    for name in ("humaneval", "humanevalfix", "mbpp"):
        benchmark = BENCHMARKS.get(name)()
        task = example(name)
        right = benchmark.example.get("canonical_solution") or benchmark.example["code"]
        fenced = f"Here:\n```python\ndef double(x):\n{'    return 2 * x'}\n```"
        assert check_programs([task, task], [right, ""], chat=False) == [
            ("right", ""),
            ("incoherent", ""),
        ]
        assert check_programs([task, task], [fenced, "no code"], chat=True) == [
            ("right", ""),
            ("wrong", "failed"),
        ]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", ["humaneval", "humanevalfix", "mbpp"])
def test_published_solutions_all_pass_and_bare_prompts_never(name: str, data_dir: Path) -> None:
    _needs_a_sandbox()
    tasks, right, bare = solutions(name, data_dir)
    wrong = [r.get("buggy_solution", "") for r in BENCHMARKS.get(name)().local(data_dir, ())]
    cases = {"right": right, "bare": bare}
    if name == "humanevalfix":
        cases["buggy"] = wrong
    for case, answers in cases.items():
        found = check_programs(tasks, answers, chat=False)
        odd = [t.id for t, (kind, _) in zip(tasks, found, strict=True) if kind != "right"]
        if case == "right":
            assert odd == []
        else:
            assert len(odd) == len(tasks)
