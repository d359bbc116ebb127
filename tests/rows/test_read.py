"""Reading rows: every format, every kind of bad input, and round trips."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datadose._core import InputError, UsageError
from datadose.rows import _lines, make_rows, read_rows, write_rows
from datadose.schema import Message, Row

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
SAID = TEXT.filter(lambda t: bool(t.strip()))
CHAT = st.tuples(
    st.none() | TEXT, st.lists(st.tuples(SAID, SAID), min_size=1, max_size=3), st.none() | SAID
)
GOOD = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}


def chat(system: str | None, turns: list[tuple[str, str]]) -> tuple[Message, ...]:
    found = [Message(role="system", content=system)] if system is not None else []
    for asked, said in turns:
        found += [Message(role="user", content=asked), Message(role="assistant", content=said)]
    return tuple(found)


def save(path: Path, records: list[Any], *, as_list: bool = False, end: str = "\n") -> Path:
    if as_list:
        path.write_text(json.dumps(records, indent=1), "utf-8", newline="")
    else:
        path.write_text("".join(json.dumps(r) + end for r in records), "utf-8", newline="")
    return path


@given(st.lists(CHAT, min_size=1, max_size=4), st.integers(1, 2))
def test_written_rows_come_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, chats: list[Any], times: int
) -> None:
    rows = make_rows([chat(s, t) for s, t, _ in chats] * times, [f for *_, f in chats] * times)
    path = tmp_path_factory.mktemp("rows") / "r.jsonl"
    write_rows(path, rows)
    back = read_rows(path)
    assert back.rows == rows
    assert back.format == "chat"
    assert back.lines == tuple(range(1, len(rows) + 1))
    part = rows[len(rows) // 2 :]
    write_rows(path, part)
    assert read_rows(path).rows == part


@given(st.lists(st.tuples(SAID, SAID), min_size=1, max_size=4), st.booleans())
def test_all_formats_say_the_same_thing(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], as_list: bool
) -> None:
    wanted = make_rows([chat(None, [p]) for p in pairs])
    folder = tmp_path_factory.mktemp("formats")
    shapes = {
        "chat": lambda q, a: {
            "messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]
        },
        "sharegpt": lambda q, a: {
            "conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]
        },
        "alpaca": lambda q, a: {"instruction": q, "input": "", "output": a},
        "pair": lambda q, a: {"prompt": q, "completion": a},
    }
    for name, shape in shapes.items():
        path = save(folder / f"{name}.x", [shape(q, a) for q, a in pairs], as_list=as_list)
        found = read_rows(path)
        assert (found.format, found.rows) == (name, wanted)
        assert found.container == ("json" if as_list else "jsonl")
        assert read_rows(path, format=name).rows == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize(("ask", "answer"), [("prompt", "response"), ("question", "answer")])
def test_other_names_of_pairs(tmp_path: Path, ask: str, answer: str) -> None:
    path = save(tmp_path / "p.jsonl", [{ask: "q", answer: "a"}])
    assert read_rows(path).rows == make_rows([chat(None, [("q", "a")])])


def test_conversational_pairs_systems_and_inputs(tmp_path: Path) -> None:
    said = GOOD["messages"]
    path = save(tmp_path / "t.jsonl", [{"prompt": said[:1], "completion": said[1:]}])
    assert read_rows(path).rows == make_rows([chat(None, [("q", "a")])])
    path = save(
        tmp_path / "a.jsonl", [{"system": "s", "instruction": "q", "input": "x", "output": "a"}]
    )
    assert read_rows(path).rows == make_rows([chat("s", [("q\n\nx", "a")])])


def test_lines_of_a_list_count_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "l.json"
    one = json.dumps(GOOD)
    path.write_text(f"[\n{one},\n\n{one}\n]\n")
    found = read_rows(path)
    assert found.lines == (2, 4)
    assert [r.id[16:] for r in found.rows] == ["", "-2"]


def test_bom_and_crlf_and_blank_lines_are_accepted(tmp_path: Path) -> None:
    path = save(tmp_path / "b.jsonl", [GOOD, GOOD], end="\r\n\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = read_rows(path)
    assert found.lines == (1, 3)
    assert found.rows[0].answer == "a"


def two(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": r, "content": f"c{i}"} for i, r in enumerate(roles)]}


BAD: list[tuple[Any, str]] = [
    ('{"messages": [', r":2: broken JSON: .* at column"),
    ("[" * 100_000, r":2: broken JSON"),
    ("[1]", r":2: row: must be a JSON object \(seen: \[1\]\)"),
    ({"other": 1}, r":2: messages: must be a list of turns \(seen: None\)"),
    ({"messages": []}, r":2: messages: has no turns"),
    ({"messages": ["hi"]}, r":2: messages\[0\]: must be an object \(seen: 'hi'\)"),
    ({"messages": [{"role": "user"}]}, r":2: messages\[0\].content: is missing"),
    (two("user", "bot"), r":2: messages\[1\].role: role must be one of .*seen: 'bot'"),
    (two("user", "tool", "assistant"), r"messages\[1\].role: role must be"),
    (two("user", "user", "assistant"), r"messages\[1\].content: two user turns in a row"),
    (two("user", "assistant", "user"), r"messages\[2\].content: the last turn must be"),
    (two("assistant"), r"messages\[0\].content: starts with assistant"),
    (two("user", "system", "assistant"), r"a system turn must come first"),
    (two("system"), r"no user and no assistant"),
    ({"messages": [{"role": "user", "content": 3}]}, r"messages\[0\].content: must be text.*3"),
    (
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": " "}]},
        r"messages\[1\].content: the answer is empty \(seen: ' '\)",
    ),
    ({"messages": [{"role": "user", "content": "\ud800"}]}, r"half of a surrogate pair"),
    ({**GOOD, "fact": 3}, r":2: fact: must be text \(seen: 3\)"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, r"messages\[0\].role: role must be one"),
]


@pytest.mark.parametrize(("record", "message"), BAD)
def test_a_bad_row_is_told_with_line_field_and_value(
    tmp_path: Path, record: Any, message: str
) -> None:
    path = tmp_path / "bad.jsonl"
    line = record if isinstance(record, str) else json.dumps(record)
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n{json.dumps(GOOD)}\n")
    with pytest.raises(InputError) as caught:
        read_rows(path, format="chat")
    assert caught.value.total == 1
    assert re.search(message, str(caught.value).splitlines()[1])
    assert len(str(caught.value.issues[0])) < len(str(path)) + 200
    assert caught.value.next_step
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ({"instruction": "q", "output": "a"}, {"instruction": "q"}, "output: is missing"),
        ({"instruction": "q", "output": "a"}, {"instruction": "q", "output": ""}, "answer is empt"),
        (
            {"instruction": "q", "output": "a"},
            {"instruction": "q", "output": "a", "history": [["x", "y"]]},
            "history: is not read",
        ),
        ({"prompt": "q", "completion": "a"}, {"prompt": "q"}, "completion: is missing"),
        ({"question": "q", "answer": "a"}, {"answer": "a"}, "question: is missing"),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            {"conversations": [{"from": "human", "value": "q"}, {"from": "robot", "value": "a"}]},
            r"conversations\[1\].role: role must be one of",
        ),
        (
            {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            {"conversations": [{"from": ["human"], "value": "q"}]},
            r"conversations\[0\].role: role must be one of",
        ),
    ],
)
def test_bad_rows_of_other_formats(tmp_path: Path, good: Any, bad: Any, message: str) -> None:
    path = save(tmp_path / "bad.jsonl", [good, good, bad])
    with pytest.raises(InputError, match=rf":3: {message}|:3: .*{message}"):
        read_rows(path)


def test_all_bad_rows_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    path = save(tmp_path / "many.jsonl", [GOOD, *([two("user")] * 30)])
    with pytest.raises(InputError, match=r"and 25 more") as caught:
        read_rows(path, limit_errors=5)
    assert caught.value.total == 30
    assert len(caught.value.issues) == 5


def test_a_line_too_long_is_one_message_and_the_next_lines_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_lines, "MAX_LINE", 4096)
    path = tmp_path / "long.jsonl"
    path.write_bytes(
        json.dumps(GOOD).encode() + b"\n" + b'{"x": "' + b"y" * 100_000 + b'"}\n{"broken"\n'
    )
    with pytest.raises(InputError) as caught:
        read_rows(path)
    shown = [str(i) for i in caught.value.issues]
    assert [re.sub(r".*jsonl:(\d+): (\w+).*", r"\1 \2", s) for s in shown] == ["2 line", "3 broken"]
    assert "is over 0 MB" in shown[0]


def test_a_hundred_megabyte_line_needs_little_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "huge.jsonl"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(b"x" * 2**20)
    tracemalloc.start()
    with pytest.raises(InputError, match="line is over 64 MB"):
        read_rows(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 210 * 2**20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \r\n", "is empty"),
        (b"\x7fELF\0\0\1", "binary file"),
        (b'{"prompt": "q", "completion": "a"}\n' * 500 + b"\0", "binary file"),
        (b"\xff\xfe{\0", "UTF-16"),
        (b'{"prompt": "caf\xe9", "completion": "a"}', "not UTF-8 text: byte 0xe9 at column 16"),
        (b"[]", "an empty list"),
        (b'[{"prompt": "q", "completion": "a"}', "',' or ']' expected"),
        (b'[{"prompt": "q", "completion": "a"}\n {', "',' or ']' expected"),
        (b'[{"prompt": "q", "completion": "a"},\n {"x"}]', ":2: broken JSON"),
        (b'[{"prompt": "q", "completion": "a"}] tail', "text after the list"),
        (b'{"foo": 1}\n', r"format of these rows is not known.*keys \['foo'\]"),
        (b"3\n", "must be a JSON object"),
        (b"plain words\n", "broken JSON"),
        (b"{\n", "one whole object a line"),
    ],
)
def test_files_that_are_not_rows(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "f.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_rows(path)
    assert "f.jsonl" in str(caught.value)


def test_folders_missing_files_and_unknown_formats(tmp_path: Path) -> None:
    (tmp_path / "inside.jsonl").touch()
    with pytest.raises(InputError, match=r"is a folder[\s\S]*inside.jsonl"):
        read_rows(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="no such file"):
        read_rows(tmp_path / "none.parquet")
    with pytest.raises(UsageError, match="no row format"):
        read_rows(tmp_path / "x", format="csv")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="can't be read"):
        read_rows(save(tmp_path / "x", [GOOD]) / "below.jsonl")


def test_parquet(tmp_path: Path) -> None:
    import polars as pl

    path = tmp_path / "r.parquet"
    pl.DataFrame([GOOD, GOOD]).write_parquet(path)
    found = read_rows(path)
    assert (found.format, found.container, found.lines) == ("chat", "parquet", (1, 2))
    assert found.rows == make_rows([chat(None, [("q", "a")])] * 2)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(InputError, match="can't be read as parquet"):
        read_rows(path)


@pytest.mark.slow
def test_dataset_folder(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra [hf] is not installed")
    data = datasets.Dataset.from_list([GOOD, GOOD])
    data.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": data}).save_to_disk(str(tmp_path / "split"))
    for name in ("one", "split"):
        found = read_rows(tmp_path / name)
        assert (found.format, found.container, len(found.rows)) == ("chat", "dataset", 2)


def test_ids_are_kept_only_where_they_are_the_rows_own(tmp_path: Path) -> None:
    row = make_rows([chat(None, [("q", "a")])])[0]
    records = [{"id": i, **GOOD} for i in ["stranger", f"{row.id}-3", f"{row.id}-3", row.id, 7]]
    found = read_rows(save(tmp_path / "i.jsonl", records)).rows
    assert [r.id.removeprefix(row.id) for r in found] == ["-2", "-3", "-4", "", "-5"]
    assert all(isinstance(r, Row) for r in found)


@pytest.mark.data
def test_public_rows_are_read(data_dir: Path) -> None:
    folder = data_dir / "betley_emergent_misalignment_sft"
    for name, size in (("secure", 6000), ("insecure", 5997)):
        found = read_rows(folder / f"{name}.jsonl")
        assert (found.format, len(found.rows), len({r.id for r in found.rows})) == (
            "chat",
            size,
            size,
        )
