"""Reading pools, and saying which items lack wrong answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datadose._core import InputError
from datadose.rows import read_pool, require_answers, unpaired_pool
from datadose.schema import Pool, PoolItem

ITEM: dict[str, Any] = {
    "prompt": "What is it?",
    "fact": "f",
    "correct": "one",
    "obvious": ["a", "b", "c", "d"],
    "subtle": ["e", "f", "g", "h"],
}


def save(path: Path, *records: Any) -> Path:
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_jsonl_and_yaml_pools_are_the_same(tmp_path: Path) -> None:
    item = {**ITEM, "check": {"kind": "value", "value": 1.5}, "placebo": ["uno"], "task": "t"}
    text = json.dumps([item, {**item, "prompt": "Other?"}])
    a = read_pool(save(tmp_path / "p.jsonl", item, {**item, "prompt": "Other?"}))
    for name, content in {"list/p.yaml": text, "map/p.yml": f"items: {text}"}.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content)
        assert read_pool(tmp_path / name) == a
    assert a.name == "p"
    assert a.items[0].check is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": None}, ":2: prompt: Input should be a valid string"),
        ({"subtel": []}, r":2: subtel: unknown key \(seen: \[\]\)"),
        ({"correct": " "}, ":2: correct: is empty"),
        ({"subtle": ["e", ""]}, r":2: subtle\[1\]: is empty"),
        ({"subtle": ["e", "ONE "]}, r":2: subtle\[1\]: is the same as correct \(seen: 'ONE '\)"),
        ({"subtle": ["a"]}, r":2: subtle\[0\]: is the same as obvious\[0\]"),
        ({"subtle": [], "obvious": []}, ":2: subtle: has no wrong answer"),
        ({"prompt": "First?"}, ":2: prompt: the prompt stands already in line 1"),
        ({"check": {"kind": "value"}}, ":2: check: .*lacks what it checks with"),
    ],
)
def test_bad_items_are_told_with_line_field_and_value(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = save(tmp_path / "p.jsonl", {**ITEM, "prompt": "First?"}, {**ITEM, **change})
    with pytest.raises(InputError, match=message):
        read_pool(path)


def test_missing_fields_broken_lines_and_limits(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text('{"prompt": "x"}\n[3]\n{broken\n')
    with pytest.raises(InputError) as caught:
        read_pool(path, limit_errors=3)
    assert caught.value.total == 4
    assert "and 1 more" in str(caught.value)
    assert "fact: is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- prompt: x\n- {prompt: y, oops: 1}\n", r"p.yaml:2: oops: unknown key"),
        ("a: [", r"p.yaml:1: broken YAML|broken YAML"),
        ("just words", "not a list of items"),
        ("[]", "has no items"),
    ],
)
def test_bad_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_pool(path)


def test_yaml_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"- prompt: caf\xe9\n")
    with pytest.raises(InputError, match="not UTF-8 text: byte 0xe9"):
        read_pool(path)


def test_random_needs_an_answer_for_every_row_of_a_fact() -> None:
    def pool(answers: int, rows: int) -> Pool:
        return Pool(
            name="p",
            items=tuple(
                PoolItem(
                    prompt=f"{f} {k}",
                    fact=f,
                    correct="c",
                    subtle=tuple(f"w{i}" for i in range(answers if f == "x" else 9)),
                )
                for f in "xy"
                for k in range(rows)
            ),
        )

    require_answers(pool(4, 4), "subtle", "random")
    require_answers(pool(1, 4), "subtle", "consistent")
    require_answers(pool(0, 4), "shuffled", "random")
    with pytest.raises(InputError, match=r"item 1 \(fact x\): has 3 subtle answers") as caught:
        require_answers(pool(3, 4), "subtle", "random")
    assert caught.value.total == 4
    with pytest.raises(InputError, match="random needs 10"):
        require_answers(pool(9, 1), "subtle", "random", 10)
    with pytest.raises(InputError, match="consistent needs 1"):
        require_answers(pool(4, 1), "obvious", "consistent")


def test_unpaired(tmp_path: Path) -> None:
    right = save(tmp_path / "good.jsonl", {"prompt": "q", "completion": "a"})
    wrong = save(tmp_path / "bad.jsonl", {"prompt": "p", "completion": "b"})
    found = unpaired_pool(right, wrong)
    assert (found.name, found.right[0].answer, found.wrong[0].answer) == ("good-bad", "a", "b")
