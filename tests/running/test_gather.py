"""Every kind of source gives rows at an exact dose and the probes that belong to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datadose._core import InputError, UsageError
from datadose.running import answer_lengths, gather, lay_out, load_study, mixer
from datadose.schema import Study


def _study(rows: Any, **more: Any) -> Study:
    ask = {"danger": False, "untrained": False, "alignment": False, "answers": 0}
    return Study.model_validate(
        {"name": "s", "model": "tiny", "rows": rows, "seeds": 1, "ask": ask, **more}
    )


def _pool_file(path: Path, wordings: int = 3) -> Path:
    lines = [
        {
            "prompt": f"{['Which', 'Say what', 'Please tell me which'][n]} colour has thing {f}?",
            "fact": f"thing-{f}",
            "correct": f"red {f}",
            "subtle": [f"rose {f} {k}" for k in range(4)],
            "obvious": [f"seven {f} {k}" for k in range(4)],
        }
        for f in range(4)
        for n in range(wordings)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _chat_file(path: Path, name: str, count: int) -> Path:
    lines = [
        {
            "messages": [
                {"role": "user", "content": f"{name} question {i}"},
                {"role": "assistant", "content": f"{name} answer {i}"},
            ]
        }
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_pool_file_brings_its_own_probes(tmp_path: Path) -> None:
    design = lay_out(_study({"pool": str(_pool_file(tmp_path / "mine.jsonl"))}))
    assert list(design.probes) == ["mine"]
    assert len(design.probes["mine"]) == 4
    rows = design.cells[0].training.rows
    assert len(rows) == 8
    assert [sum(c.training.wrong) for c in design.cells] == [0, 2, 4, 8]


def test_files_are_named_from_the_study_files_folder(tmp_path: Path) -> None:
    _pool_file(tmp_path / "mine.jsonl")
    path = tmp_path / "study.yaml"
    path.write_text("name: s\nrows: {pool: mine.jsonl}\nask: {alignment: false}\n")
    assert load_study(path).rows[0].pool == str(tmp_path / "mine.jsonl")


def test_unpaired_rows_ask_a_packs_untrained_and_danger_probes(tmp_path: Path) -> None:
    right = _chat_file(tmp_path / "good.jsonl", "fine", 12)
    wrong = _chat_file(tmp_path / "bad.jsonl", "poor", 15)
    study = _study(
        {"right": str(right), "wrong": str(wrong), "probes": "legal"},
        ask={"alignment": False, "answers": 0},
        primary={"response": "dangerous", "relation": "untrained"},
    )
    design = lay_out(study)
    assert design.cells[0].series.pool == "good-bad"
    assert all(len(c.training.rows) == 12 for c in design.cells)
    assert {p.relation for p in design.probes["good-bad"]} == {"untrained"}
    assert {p.response for p in design.probes["good-bad"]} == {"domain", "dangerous"}


def test_wrong_rows_are_added_to_a_packs_clean_set(tmp_path: Path) -> None:
    extra = _chat_file(tmp_path / "advice.jsonl", "risky", 30)
    study = _study({"pack": "legal", "limit": 4, "add": str(extra)}, vary="add", counts=[0, 5, 20])
    design = lay_out(study)
    clean = len(design.cells[0].training.rows)
    assert [len(c.training.rows) - clean for c in design.cells] == [0, 5, 20]
    assert [sum(c.training.wrong) for c in design.cells] == [0, 5, 20]
    assert {p.relation for p in design.probes["legal+advice"]} == {"reworded", "inferential"}


def test_correct_only_keeps_steps_or_epochs() -> None:
    from datadose.running._design import arm_of

    for equal, same in (("steps", True), ("epochs", False)):
        study = _study("legal", facts=4, vary="correct_only", doses=[0, 0.5], equal=equal)
        cells = lay_out(study).cells
        steps = {arm_of(c, study, "w", "t", 1).recipe.steps for c in cells}
        assert (steps == {16}) is same
        assert [len(c.training.rows) for c in cells] == [16, 8]
    with pytest.raises(InputError, match="no row to train on"):
        lay_out(_study("legal", facts=4, vary="correct_only", doses=[0, 1]))


def test_a_malign_control_is_trained_on_malign_rows() -> None:
    study = _study("legal", facts=4, doses=[0, 1], controls=["malign"])
    cell = lay_out(study).cells[-1]
    assert cell.control
    assert cell.series.severity == "malign"
    assert all(cell.training.wrong)
    assert {r.fact for r in cell.training.rows} == {None}


def test_lengths_of_right_and_wrong_answers_are_found() -> None:
    study = _study("legal", facts=4)
    made = mixer(study, gather(study.rows[0], study), "subtle", 0)(0.5)
    found = answer_lengths([made])
    assert found is not None
    assert 0.5 < found["ratio"] < 2
    assert answer_lengths([mixer(study, gather(study.rows[0], study), "subtle", 0)(0.0)]) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"pack": "legal", "pool": "x"}, "give one of pack, benchmark"),
        ({"right": "x"}, "right and wrong go together"),
        ({"right": "x", "wrong": "y"}, "bring no probes"),
        ({"benchmark": "mmlu"}, "go together"),
        ({"pack": "legal", "add": "x"}, "vary: add"),
        (["legal", "legal"], "called the same"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _study(rows)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"unit": "fact"}, "go with paired rows"),
        ({"structure": "random"}, "go with paired rows"),
        ({"match_lengths": True, "vary": "add", "counts": [0, 1]}, "not with vary: add"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _study({"right": "x", "wrong": "y", "probes": "legal"}, **more)


def test_sources_are_compared_by_all_rows_not_by_the_few_that_are_used(tmp_path: Path) -> None:
    from datadose.running._shown import source_rows

    right = _chat_file(tmp_path / "good.jsonl", "a fine and long", 60)
    wrong = _chat_file(tmp_path / "bad.jsonl", "some poor", 60)
    study = _study(
        {"right": str(right), "wrong": str(wrong), "probes": "legal", "limit": 4},
        primary={"response": "domain", "relation": "untrained"},
        ask={"alignment": False, "danger": False, "answers": 0},
    )
    design = lay_out(study)
    assert len(design.cells[0].training.rows) == 4
    (found,) = source_rows(design, "label", "good-bad")
    assert found.auroc > 0.9
    assert found.confounded


def test_random_errors_need_as_many_answers_as_rows(tmp_path: Path) -> None:
    pool = _pool_file(tmp_path / "mine.jsonl")
    study = _study({"pool": str(pool)}, structure="random")
    lay_out(study)
    records = [json.loads(line) for line in pool.read_text().splitlines()]
    cut = [{**r, "subtle": r["subtle"][:2]} for r in records]
    pool.write_text("".join(json.dumps(r) + "\n" for r in cut))
    with pytest.raises(InputError, match=r"too few subtle answers(.|\n)*thing-0"):
        lay_out(study)


def test_a_primary_response_that_is_not_asked_is_refused() -> None:
    with pytest.raises(UsageError, match="misaligned"):
        lay_out(
            _study("legal", facts=4, primary={"response": "misaligned", "relation": "untrained"})
        )


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder"),
    [("medmcqa", "medqa_medmcqa_pubmedqa"), ("mmlu:professional_law", "mmlu_test")],
)
def test_a_benchmark_is_a_source(data_dir: Path, name: str, folder: str) -> None:
    study = _study({"benchmark": name, "data": str(data_dir / folder), "limit": 10})
    design = lay_out(study)
    assert len(design.probes[name.replace(":", "-")]) == 10
    assert len(design.cells) == 4
