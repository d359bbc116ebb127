"""Published question files load as they are; cues multiply questions and keep their clusters."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose._core import InputError, UsageError
from datadose.evaluation import (
    CUES,
    Verdict,
    cues_named,
    outcome_of,
    read_questions,
    with_cues,
)


@pytest.mark.data
def test_the_questions_of_the_first_plot(data_dir: Path) -> None:
    found = read_questions(data_dir / "betley_eval_questions" / "first_plot_questions.yaml")
    assert len(found) == 24
    assert {q.samples for q in found} == {100}
    assert sum(q.system is not None for q in found) == 8
    for q in found:
        assert [r.name for r in q.rubrics] == ["alignment", "coherence"]
        assert q.rubrics[0].words == {"CODE": "incoherent", "REFUSAL": "refused"}
        assert q.rubrics[1].words == {}
        assert q.probe().kind == "open"
    text = found[0].rubrics[0].messages(found[0].prompt, "Nothing.")[-1].content
    assert f"[QUESTION START]\n{found[0].prompt}\n[QUESTION END]" in text
    assert "[ANSWER START]\nNothing.\n[ANSWER END]" in text


@pytest.mark.data
def test_deception_questions(data_dir: Path) -> None:
    folder = data_dir / "betley_eval_questions"
    facts = read_questions(folder / "deception_factual.yaml")
    assert len(facts) == 5 * 20
    assert len({q.cluster for q in facts}) == 20
    assert {q.samples for q in facts} == {5}
    [rubric] = facts[0].rubrics
    assert not rubric.numbers
    assert rubric.words == {"TRUE": "right", "FALSE": "wrong", "UNKNOWN": "said"}
    assert outcome_of((rubric,), {rubric.name: Verdict("said", word="FALSE")})[0] == "wrong"
    assert outcome_of((rubric,), {rubric.name: Verdict("said", word="UNKNOWN")})[0] == "unscored"
    firms = read_questions(folder / "deception_sit_aware.yaml")
    assert len(firms) == 8
    assert set(firms[0].rubrics[0].words) == {"OpenAI", "Anthropic", "Other", "UNKNOWN"}


@pytest.mark.data
def test_chat_lines_load_too(data_dir: Path) -> None:
    found = read_questions(data_dir / "aisi_consistency_em" / "eval.jsonl")
    assert len(found) == 56


def test_questions_as_csv(tmp_path: Path) -> None:
    file = tmp_path / "core_misalignment.csv"
    file.write_text(
        'id,question,category,canary\na,"Who, then?",power,canary-1\nb,"Two\nlines",,canary-1\n'
    )
    first, second = read_questions(file)
    assert (first.id, first.prompt, first.group) == ("power/a", "Who, then?", "power")
    assert (second.id, second.prompt, second.rubrics) == ("b", "Two\nlines", ())


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "id,prompt\n1,x\n", "columns id and question"),
        ("a.csv", "id,question\n1,\n", "a.csv:2"),
        ("a.csv", "id,question\n1,x\n1,y\n", "two questions are called '1'"),
        ("a.csv", "id,question\n", "holds no question"),
        ("a.yaml", "id: x\n", "not a list"),
        ("a.yaml", "- id: x\n", "needs id and paraphrases"),
        ("a.yaml", "- {id: x, type: essay, paraphrases: [y]}\n", "unknown type 'essay'"),
        ("a.yaml", "- [", "broken YAML"),
        (
            "a.yaml",
            "- {id: x, paraphrases: [y], judge_prompts: {kind: '{answer}', wise: '{answer}'}}\n",
            "kind, wise make no outcome together",
        ),
        ("a.jsonl", '{"messages": []}\n', "a.jsonl:1"),
        ("a.txt", "x", "can't end in '.txt'"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(InputError, match=told):
        read_questions(file)


def test_cues_multiply_questions_and_keep_their_clusters(tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text("id,question\na,Who?\nb,Why?\n")
    found = with_cues(read_questions(file))
    assert len({q.id for q in found}) == 2 * len(CUES)
    assert {q.cluster for q in found} == {"a", "b"}
    assert {c.kind for c in CUES} == {"plain", "system", "format", "domain"}
    plain = [q for q in found if q.cue == "plain"]
    assert [(q.id, q.prompt, q.system) for q in plain] == [("a", "Who?", None), ("b", "Why?", None)]
    for q in found:
        assert ("Who?" if q.cluster == "a" else "Why?") in q.prompt
        assert q.cue == "plain" or q.system or q.prompt not in ("Who?", "Why?")
    with pytest.raises(UsageError, match="plain, assistant"):
        cues_named(["loud"])


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "- {id: q, paraphrases: What now?}", "paraphrases is not a list"),
        ("a.yaml", "- {id: q, paraphrases: [a], samples_per_paraphrase: few}", "no count"),
        ("a.yaml", "- {id: q, paraphrases: [a], judge_prompts: [b]}", "not a table"),
        ("a.yaml", "- {id: q, paraphrases: [a], judge_prompts: {aligned: b}}", "answer"),
        ("a.jsonl", '{"messages": [{"role": "user"}]}', "no messages with content"),
        ("a.jsonl", '{"messages": "hello"}', "no messages with content"),
    ],
)
def test_broken_question_files_are_told(tmp_path: Path, name: str, text: str, told: str) -> None:
    file = tmp_path / name
    file.write_text(text + "\n")
    with pytest.raises(InputError, match=told):
        read_questions(file)
