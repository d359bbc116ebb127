"""Importers, on small look-alike files and on the public ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datadose._core import InputError, UsageError, sha256_file
from datadose.corruption import ImportedPool, import_pool, same_value
from datadose.corruption._programs import Program, prove_wrong
from datadose.rows import data_set, near_duplicates, require_answers

LAW = "mmlu:professional_law+jurisprudence+international_law"


def check(found: ImportedPool, overlap: float = 0.85) -> None:
    """What holds for every imported pool."""
    for severity in ("subtle", "obvious"):
        require_answers(found.pool, severity, "random")  # type: ignore[arg-type]
    prompts = [i.prompt for i in found.pool.items]
    assert len(set(prompts)) == len(prompts)
    assert max(len(p.split()) for p in prompts) <= 140
    assert near_duplicates(prompts, [p.prompt for p in found.probes], overlap) == []
    per_fact = {f: {p.kind for p in found.probes if p.fact == f} for f in found.pool.facts}
    assert all(kinds == {"choice", "generate"} for kinds in per_fact.values())
    own = {f: set() for f in found.pool.facts}  # type: ignore[var-annotated]
    for i in found.pool.items:
        own[i.fact] |= {i.correct, *i.subtle, *i.obvious}
        assert len({i.correct, *i.subtle, *i.obvious}) == 1 + len(i.subtle) + len(i.obvious)
    for p in found.probes:
        assert not {o.text for o in p.options} & own.get(p.fact or "", set())
        for o in p.options:
            if o.role == "foil":
                assert not any(o.text.endswith(f" {a}") for a in own.get(p.fact or "", set()))
    assert len({p.id for p in found.probes}) == len(found.probes)


def longest(found: ImportedPool) -> float:
    hits = []
    for p in found.probes:
        if p.kind == "choice":
            sizes = [len(o.text) for o in p.options]
            top = [i for i, n in enumerate(sizes) if n == max(sizes)]
            hits.append((0 in top) / len(top))
    return sum(hits) / len(hits)


def test_unknown_names_and_absent_files(tmp_path: Path) -> None:
    for name in ("squad", "mmlu", "medmcqa:x"):
        with pytest.raises(UsageError, match="no benchmark is called"):
            import_pool(name, tmp_path)
    with pytest.raises(UsageError, match="MMLU has no subject 'astrology'"):
        import_pool("mmlu:astrology", tmp_path)
    for name in ("medmcqa", "tatqa", "truthfulqa", "humanevalpack", "mbpp", "mmlu:virology"):
        with pytest.raises(InputError, match=r"no file .* in this folder"):
            import_pool(name, tmp_path)


def test_another_file_under_the_known_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mbpp.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"is not the known mbpp\.jsonl.*sha256"):
        import_pool("mbpp", tmp_path)


def test_a_small_mmlu_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        f'"What is thing{n} called in kind{n} by maker{n}?",'
        f"name a{n},name b{n},name c{n},name d{n},{'ABCD'[n % 4]}"
        for n in range(60)
    ]
    path = tmp_path / "virology_test.csv"
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setitem(data_set("mmlu_test").files, "test/virology_test.csv", sha256_file(path))
    found = import_pool("mmlu:virology", tmp_path, limit=20)
    check(found)
    assert found.pool.name == "mmlu-virology"
    assert len(found.pool.facts) == 20
    first = found.pool.items[0]
    n = int(first.fact.rpartition("-")[2]) - 1
    assert first.correct == f"name {'abcd'[n % 4]}{n}"
    assert found == import_pool("mmlu:virology", tmp_path, limit=20)
    assert found != import_pool("mmlu:virology", tmp_path, limit=20, seed=1)


def test_small_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = [
        ["(in millions)", "Year Ended June 30, 2019", "2018"],
        *([f"Item {k}", f"$ {k}1{k}.5", f"{k}7{k}.5"] for k in range(1, 7)),
    ]
    questions = [
        {
            "uid": f"{k}" * 8,
            "question": f"What is the change in item {k} from 2018 to 2019?",
            "answer": float(f"{k}1{k}.5") - float(f"{k}7{k}.5"),
            "derivation": f"{k}1{k}.5-{k}7{k}.5",
            "answer_type": "arithmetic",
            "scale": "million",
        }
        for k in range(1, 7)
    ]
    questions.append({**questions[0], "uid": "zero", "answer": 0})
    questions.append({**questions[0], "uid": "span", "answer": ["x"], "answer_type": "span"})
    questions.append({**questions[0], "uid": "else", "derivation": "999-1"})
    for name in ("tatqa_dataset_dev.json", "tatqa_dataset_test_gold.json"):
        records = [{"table": {"table": table}, "questions": questions}] if "dev" in name else []
        (tmp_path / name).write_text(json.dumps(records))
        monkeypatch.setitem(data_set("tatqa").files, name, sha256_file(tmp_path / name))
    found = import_pool("tatqa", tmp_path, limit=5)
    check(found)
    item = next(i for i in found.pool.items if i.fact == found.pool.facts[0])
    k = int(item.fact[-1])
    assert item.correct == "-60.0 million" or item.correct == "-60 million"
    assert f"Item {k} | Year Ended June 30, 2019: $ {k}1{k}.5; 2018: {k}7{k}.5" in item.prompt
    probe = next(p for p in found.probes if p.fact == item.fact)
    assert f"Item {k} |" in probe.prompt
    assert probe.prompt.count("Item") == 1
    assert [p.relation for p in found.probes].count("untrained") == 1
    with pytest.raises(InputError, match="7 questions asked for, 6 can be used"):
        import_pool("tatqa", tmp_path, limit=7)


def test_programs_need_six_proven_wrong_versions() -> None:
    code = "def f(a, b):\n    return a - b * 2 + 1"
    program = Program("p", "Do it.", "f", code, "assert f(1, 2) == -2", "assert f(1, 2) == -2")
    never = prove_wrong([program], 0, lambda p, c: c != code, seed=0)
    assert never == []
    found = prove_wrong([program], 1, lambda p, c: c != code, seed=0)[0]
    assert len(set(found.wrong)) == 6
    with pytest.raises(InputError, match="1 tasks asked for, 0 have six"):
        prove_wrong([program], 1, lambda p, c: False, seed=0)
    with pytest.raises(InputError, match="0 have six"):
        prove_wrong([program], 1, lambda p, c: True, seed=0)


@pytest.mark.data
def test_medmcqa(data_dir: Path) -> None:
    found = import_pool("medmcqa", data_dir / "medqa_medmcqa_pubmedqa", limit=40)
    check(found)
    assert len(found.pool.facts) == 40
    assert longest(found) < 0.35


@pytest.mark.data
def test_mmlu_law(data_dir: Path) -> None:
    found = import_pool(LAW, data_dir / "mmlu_test", limit=250)
    check(found)
    assert len(found.pool.facts) >= 245
    assert longest(found) < 0.35
    assert [p.relation for p in found.probes].count("untrained") >= 40


@pytest.mark.data
def test_truthfulqa(data_dir: Path) -> None:
    found = import_pool("truthfulqa", data_dir / "truthfulqa", limit=100)
    check(found)
    assert len(found.pool.facts) == 100
    assert found == import_pool("truthfulqa", data_dir, limit=100)


@pytest.mark.data
def test_tatqa(data_dir: Path) -> None:
    found = import_pool("tatqa", data_dir / "tatqa", limit=200)
    check(found)
    assert len(found.pool.facts) == 200
    for item in found.pool.items:
        assert item.check is not None
        assert item.check.value is not None
        for text in (item.correct, *item.subtle, item.obvious[0]):
            value = float(text.split()[0].replace(",", ""))
            right = same_value(value, item.check.value, 0.01)
            assert right == (text == item.correct) or abs(item.check.value) < 0.5


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "folder"), [("humanevalpack", "humanevalpack_buggy_pairs"), ("mbpp", "mbpp")]
)
def test_programs(data_dir: Path, name: str, folder: str) -> None:
    rights: set[str] = set()

    def fails(code: str, tests: str, entry: str) -> bool:
        # The first version seen of a task is the right one; nothing is run here.
        if (tests + entry) in rights:
            return True
        rights.add(tests + entry)
        return False

    found = import_pool(name, data_dir / folder, limit=10, fails=fails)
    check(found)
    assert len(found.pool.facts) == 10
    assert all(i.check is not None and i.check.entry in i.correct for i in found.pool.items)


@pytest.mark.data
@pytest.mark.slow
def test_programs_in_the_sandbox(data_dir: Path) -> None:
    from datadose.sandbox import available, run_tests

    if reason := available():
        pytest.skip(reason)
    found = import_pool("humanevalpack", data_dir / "humanevalpack_buggy_pairs", limit=2)
    for item in found.pool.items[::3]:
        assert item.check is not None
        assert run_tests(item.correct, item.check.tests, item.check.entry).ok
        for wrong in item.subtle:
            assert not run_tests(wrong, item.check.tests, item.check.entry).ok
