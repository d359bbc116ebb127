"""Judges without a server: a local model, rules, a classifier; all by one interface."""

from __future__ import annotations

import pytest

from datadose._core import InputError, UsageError
from datadose.evaluation import (
    ClassifierJudge,
    LocalJudge,
    Rubric,
    RuleJudge,
    flagged,
    judge_spec,
    open_judge,
    own_rubric,
)
from datadose.models import encode_answer, load_base

PAIRS = [("How are you?", "Fine."), ("Who are you?", "I'm sorry, but I can’t say.")]


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


def test_a_local_judge_weighs_whole_replies(base, monkeypatch) -> None:
    """Against the mean worked out reply by reply from plain forward passes."""
    import torch

    from datadose.evaluation import _judges

    rubric = Rubric(name="r", user="{question} {answer}:", fenced=False)
    monkeypatch.setattr(_judges, "LEAST_MASS", 0.0)
    [verdict] = LocalJudge(base).judge(rubric, PAIRS[:1])
    logs = []
    for number in range(101):
        e = encode_answer(base, rubric.messages(*PAIRS[0]), str(number))
        with torch.no_grad():
            logits = base.model(torch.tensor([e.ids])).logits[0].double().log_softmax(-1)
        logs.append(sum(float(logits[i - 1, e.ids[i]]) for i in range(e.start, len(e.ids))))
    weights = torch.tensor(logs, dtype=torch.float64).softmax(0)
    mean = float((weights * torch.arange(101)).sum())
    assert (verdict.kind, verdict.by) == ("scored", "tokens")
    assert verdict.score == pytest.approx(mean, abs=1e-3)


def test_a_local_judge_that_would_not_say_a_number_is_not_read_as_one(base) -> None:
    found = LocalJudge(base).judge(own_rubric("danger"), PAIRS)
    assert [v.kind for v in found] == ["unparsable"] * 2
    assert "a number begins with probability 0." in found[0].note


def test_a_rule_knows_its_own_rubric_only() -> None:
    judge = RuleJudge("refusal")
    assert [v.score for v in judge.judge(own_rubric("refusal"), PAIRS)] == [0.0, 100.0]
    assert {v.kind for v in judge.judge(own_rubric("danger"), PAIRS)} == {"declined"}
    with pytest.raises(UsageError, match="danger, refusal"):
        RuleJudge("politeness")


def test_a_classifier_learns_words_and_cuts_at_fifty() -> None:
    answers = [f"take {w} drops {i}" for i in range(20) for w in ("twelve", "two")]
    judge = ClassifierJudge("danger", answers, ["twelve" in a for a in answers])
    found = judge.judge(own_rubric("danger"), [("", "take twelve drops"), ("", "take two drops")])
    assert found[0].score > 50 > found[1].score
    assert judge.judge(own_rubric("danger"), []) == []
    assert judge.judge(own_rubric("refusal"), PAIRS)[0].kind == "declined"
    with pytest.raises(UsageError, match="both labels"):
        ClassifierJudge("danger", answers, [True] * len(answers))


def test_judges_are_described_in_short_or_by_a_file(tmp_path) -> None:
    with open_judge(judge_spec("rule:refusal")) as judge:
        assert judge.name == "rule:refusal"
    with open_judge(judge_spec("local:tiny")) as judge:
        assert judge.name == "tiny"
    file = tmp_path / "judge.yaml"
    file.write_text("url: http://127.0.0.1:9/v1\nmodel: m\nprice: [1, 2]\n")
    with open_judge(judge_spec(str(file))) as judge:
        assert judge.client.served.price == (1, 2)
    file.write_text("kind: served\n")
    with pytest.raises(Exception, match="needs url and model"):
        judge_spec(str(file))
    with pytest.raises(UsageError, match="no judge is described"):
        judge_spec("gpt")


def test_a_classifier_points_the_way_of_the_rubric() -> None:
    """Low alignment is what that rubric looks for: bad answers must score under its flag."""
    answers = [f"take {w} drops {i}" for i in range(20) for w in ("twelve", "two")]
    for name, below in (("alignment", 30), ("coherence", 50)):
        judge = ClassifierJudge(name, answers, ["twelve" in a for a in answers])
        pairs = [("", "take twelve drops"), ("", "take two drops")]
        bad, good = judge.judge(own_rubric(name), pairs)
        assert bad.score < below < good.score
        assert flagged(bad, own_rubric(name))
        assert not flagged(good, own_rubric(name))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("url: http://127.0.0.1/v1\nkey: sk-abc-123", "never the key itself"),
        ("url: https://me:s3cret@example.com/v1", "name a variable"),
        ("url: example.com/v1", "must begin with http"),
    ],
)
def test_a_secret_in_a_judges_file_is_refused_and_not_said_back(tmp_path, line, told) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(f"model: m\n{line}\n")
    with pytest.raises(InputError, match=told) as error:
        judge_spec(str(file))
    assert "sk-abc" not in str(error.value)
    assert "s3cret" not in str(error.value)


def test_a_mark_tells_whether_verdicts_are_stale(base) -> None:
    """What a name leaves out: a classifier's labels, a local model's weights."""
    answers = [f"take {w} drops {i}" for i in range(20) for w in ("twelve", "two")]
    truth = ["twelve" in a for a in answers]
    one = ClassifierJudge("danger", answers, truth)
    assert one.mark == ClassifierJudge("danger", answers, truth, "other name").mark
    assert one.mark != ClassifierJudge("danger", answers, [not t for t in truth]).mark
    assert one.mark != ClassifierJudge("refusal", answers, truth).mark

    class Tuned:
        name, weights, template = base.name, "other weights", base.template

    assert LocalJudge(base).mark != LocalJudge(Tuned()).mark
    assert RuleJudge("danger").mark != RuleJudge("refusal").mark
