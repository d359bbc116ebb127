"""Cleaning from a file to files: a partition, originals to the byte, and what is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datadose._core import InputError, UsageError
from datadose.auditing import Share
from datadose.rows import fingerprint, read_rows
from datadose.running import CleanSettings, clean

FILES = ("kept.jsonl", "changed.jsonl", "dropped.jsonl", "cleaned.jsonl", "ledger.csv")
SHARE = Share(0.25, 0.1, 0.4, 0.95, "labels and scores", 60, 15)


def write_audit(
    folder: Path,
    source: Path,
    suspicion: list[float],
    *,
    states=None,
    share=SHARE,
    status="detects",
    on_known=None,
) -> Path:
    """An audit's folder as `datadose audit` leaves it, without a model."""
    read = read_rows(source)
    folder.mkdir(exist_ok=True)
    with (folder / "scores.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "line", "suspicion", "rank", "state", "length", "loss"])
        for i, row in enumerate(read.rows):
            state = (states or {}).get(i, "open")
            table.writerow([row.id, read.lines[i], suspicion[i], i + 1, state, 1, -suspicion[i]])
    record = {
        "share": asdict(share),
        "chosen": {"name": "aum", "epoch": 1, "status": status},
        "consistent_errors": "not detectable",
        "on_known": on_known or {},
        "calibration": [
            {"name": "aum", "status": status},
            {"name": "loss", "status": "near chance"},
            {"name": "length", "status": "detects"},
        ],
    }
    (folder / "audit.json").write_text(json.dumps(record))
    (folder / "inputs.json").write_text(
        json.dumps({"rows": fingerprint(read.rows), "model": "tiny"})
    )
    return folder


def write_rows_file(path: Path, count: int = 20, **more) -> Path:
    rows = [
        {"prompt": f"What is mined in town {i}?", "response": f"Gem {i}.", **more}
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return path


def ledger(folder: Path) -> list[dict[str, str]]:
    with (folder / "ledger.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines(path: Path) -> list[str]:
    return [line for line in path.read_bytes().decode().split("\n") if line]


def test_a_cleaning_drops_the_share_and_corrects_what_is_known(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl", note="kept as it is")
    suspicion = [i / 20 for i in range(20)]
    audit = write_audit(tmp_path / "audit", source, suspicion, states={0: "labelled wrong"})
    (tmp_path / "trusted.jsonl").write_text(
        '{"prompt": "What is mined in town 19?", "response": "Jade."}\n'
    )
    chosen = CleanSettings(audit=audit, trusted=tmp_path / "trusted.jsonl")
    out = tmp_path / "out"
    done = clean(source, out, chosen)
    fates = [d.fate for d in done.decisions]
    assert [i for i, f in enumerate(fates) if f == "dropped"] == [0, 16, 17, 18]
    assert fates[19] == "corrected"
    originals = lines(source)
    assert lines(out / "kept.jsonl") == originals[1:16]
    (changed,) = [json.loads(line) for line in lines(out / "changed.jsonl")]
    assert changed["messages"][-1]["content"] == "Jade."
    assert changed["original"] == json.loads(originals[19])
    assert changed["diff"] == "[-Gem 19.-]{+Jade.+}"
    assert changed["reason"] == "suspicious: a trusted row's answer"
    left = read_rows(out / "cleaned.jsonl").rows
    assert [r.answer for r in left] == [f"Gem {i}." for i in range(1, 16)] + ["Jade."]
    assert changed["id"] == left[-1].id == ledger(out)[19]["new_id"]
    summary = json.loads((out / "clean.json").read_text())
    assert summary["fates"] == {"kept": 15, "corrected": 1, "rewritten": 0, "dropped": 4}
    assert any("not detectable" in note for note in summary["notes"])
    # the same call again gives the same files, whatever an interrupted one left
    before = {name: (out / name).read_bytes() for name in FILES}
    (out / "clean.json").unlink()
    (out / "dropped.jsonl").unlink()
    clean(source, out, chosen)
    assert {name: (out / name).read_bytes() for name in FILES} == before


def test_a_detector_that_known_rows_deny_drops_nothing(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    suspicion = [i / 20 for i in range(20)]
    figures = {"auroc": 0.5, "lower": 0.3, "upper": 0.7}
    for denied, dropped in ((False, 5), (True, 0)):
        audit = write_audit(
            tmp_path / f"audit {denied}",
            source,
            suspicion,
            on_known={"aum": {**figures, "denied": denied}},
        )
        done = clean(source, tmp_path / f"out {denied}", CleanSettings(audit=audit))
        assert sum(d.fate == "dropped" for d in done.decisions) == dropped
        assert any("known to be wrong" in note for note in done.notes) == denied


text = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=("Cs",)), min_size=1
).filter(lambda t: bool(t.strip()))
record = st.builds(
    lambda q, a, more, protected: {"prompt": q, "response": a, **more, **protected},
    text,
    text,
    st.dictionaries(st.sampled_from(["note", "id", "source"]), text),
    st.sampled_from([{}, {}, {"protected": True}, {"protected": False}]),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_every_row_is_in_one_file_and_its_text_is_untouched(tmp_path_factory, data) -> None:
    records = data.draw(st.lists(record, min_size=1, max_size=8))
    folder = tmp_path_factory.mktemp("clean")
    source = folder / "rows.jsonl"
    ascii_ = data.draw(st.booleans())
    texts = [json.dumps(r, ensure_ascii=ascii_) for r in records]
    source.write_bytes("\r\n".join(texts).encode())
    suspicion = data.draw(st.lists(st.floats(0, 1), min_size=len(records), max_size=len(records)))
    states = data.draw(
        st.dictionaries(
            st.integers(0, len(records) - 1),
            st.sampled_from(["labelled wrong", "labelled right", "labelled unsure"]),
        )
    )
    audit = write_audit(folder / "audit", source, suspicion, states=states)
    (folder / "trusted.jsonl").write_text(json.dumps({**records[0], "response": "= right"}))
    out = folder / "out"
    done = clean(
        source,
        out,
        CleanSettings(
            audit=audit,
            trusted=folder / "trusted.jsonl",
            by=data.draw(st.sampled_from(["careful", "upper"])),
            duplicates=data.draw(st.sampled_from(["same", "near", "none"])),
        ),
    )
    ids = [r.id for r in read_rows(source).rows]
    table = ledger(out)
    assert [line["id"] for line in table] == ids
    by_fate = {f: [i for i, line in enumerate(table) if line["fate"] == f] for f in
               ("kept", "corrected", "rewritten", "dropped")}  # fmt: skip
    assert sorted(i for places in by_fate.values() for i in places) == list(range(len(ids)))
    assert lines(out / "kept.jsonl") == [texts[i] for i in by_fate["kept"]]
    for name, places in (
        ("dropped.jsonl", by_fate["dropped"]),
        ("changed.jsonl", sorted([*by_fate["corrected"], *by_fate["rewritten"]])),
    ):
        found = lines(out / name)
        assert len(found) == len(places)
        for line, i in zip(found, places, strict=True):
            assert line.endswith(f', "original": {texts[i]}}}')
            assert json.loads(line)["reason"]
    for i, r in enumerate(records):
        if r.get("protected"):
            assert table[i]["fate"] == "kept"
    if (out / "cleaned.jsonl").read_text():
        left = read_rows(out / "cleaned.jsonl").rows
        assert len(left) == len(ids) - len(by_fate["dropped"])
    assert done.decisions[0].place == 0
    assert not any(line["diff"][:1] in ("=", "+", "-", "@") for line in table)


def test_a_cleaning_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    share = replace(SHARE, estimate=0.5, lower=0.1, upper=1.0)
    audit = write_audit(tmp_path / "audit", source, [i / 20 for i in range(20)], share=share)
    found = clean(source, tmp_path / "out", CleanSettings(audit=audit, by="upper"))
    assert (tmp_path / "out" / "cleaned.jsonl").read_text() == ""
    assert any("nothing is left to train on" in note for note in found.notes)


def test_rows_of_other_containers_keep_their_columns(tmp_path: Path) -> None:
    import polars as pl

    records = [{"question": f"Which is {i}?", "answer": f"{i}.", "from": "x"} for i in range(3)]
    (tmp_path / "rows.json").write_text(json.dumps(records))
    pl.DataFrame(records).write_parquet(tmp_path / "rows.parquet")
    for name in ("rows.json", "rows.parquet"):
        clean(tmp_path / name, tmp_path / f"{name}-out", CleanSettings())
        kept = (tmp_path / f"{name}-out" / "kept.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in kept] == records


def test_what_is_known_of_a_row_holds_of_its_copies(tmp_path: Path) -> None:
    source = tmp_path / "rows.jsonl"
    row = {"prompt": "Which?", "response": "That."}
    others = [{"prompt": f"Why {i}?", "response": "So."} for i in range(3)]
    source.write_text("".join(json.dumps(r) + "\n" for r in [row, *others, row]))
    audit = write_audit(tmp_path / "audit", source, [0.0] * 5, states={4: "labelled wrong"})
    done = clean(source, tmp_path / "out", CleanSettings(audit=audit))
    assert [d.fate for d in done.decisions] == ["dropped", "kept", "kept", "kept", "dropped"]
    assert {d.reason for d in done.decisions if d.fate == "dropped"} == {"known wrong"}


def test_another_detector_ranks_and_its_measured_status_counts(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    audit = write_audit(tmp_path / "audit", source, [i / 20 for i in range(20)])
    done = clean(source, tmp_path / "a", CleanSettings(audit=audit, detector="loss"))
    assert all(d.fate == "kept" for d in done.decisions)
    assert any("does not tell planted errors" in note for note in done.notes)
    for name in ("length", "nonsense"):
        with pytest.raises(UsageError, match="choose from: loss"):
            clean(source, tmp_path / "b", CleanSettings(audit=audit, detector=name))
    assert not (tmp_path / "b").exists()


def test_another_audit_or_a_broken_one_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    audit = write_audit(tmp_path / "audit", source, [i / 20 for i in range(20)])
    chosen = CleanSettings(audit=audit)
    other = write_rows_file(tmp_path / "other.jsonl", 19)
    out = tmp_path / "out"
    with pytest.raises(InputError, match="of other rows"):
        clean(other, out, chosen)
    good = (audit / "scores.csv").read_text()
    for before, after, told in (
        (",0.05,", ",nan,", "scores.csv:3: suspicion must be"),
        (",0.05,", ",2,", "from 0 to 1"),
        ("open", "closed", "state must be one of"),
        (good.splitlines()[3] + "\n", "", "19 lines"),
    ):
        (audit / "scores.csv").write_text(good.replace(before, after))
        with pytest.raises(InputError, match=told):
            clean(source, out, chosen)
    (audit / "scores.csv").write_text(good)
    (audit / "audit.json").write_text("{}")
    with pytest.raises(InputError, match="not an audit's record"):
        clean(source, out, chosen)
    with pytest.raises(InputError, match="no such folder"):
        clean(source, out, CleanSettings(audit=tmp_path / "none"))
    with pytest.raises(UsageError, match="go with an audit"):
        clean(source, out, CleanSettings(by="upper"))
    assert not out.exists()


def test_a_folder_of_another_cleaning_or_of_someone_elses_files_is_refused(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    out = tmp_path / "out"
    clean(source, out, CleanSettings())
    before = (out / "kept.jsonl").read_bytes()
    with pytest.raises(InputError, match="use another --out"):
        clean(source, out, replace(CleanSettings(), duplicates="near"))
    with pytest.raises(InputError, match="use another --out"):
        clean(write_rows_file(tmp_path / "other.jsonl", 5), out, CleanSettings())
    assert (out / "kept.jsonl").read_bytes() == before
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "kept.jsonl").write_text("mine")
    with pytest.raises(InputError, match="which no cleaning wrote"):
        clean(source, theirs, CleanSettings())
    assert [p.name for p in theirs.iterdir()] == ["kept.jsonl"]


def test_protected_rows_by_flag_and_by_file(tmp_path: Path) -> None:
    source = write_rows_file(tmp_path / "rows.jsonl")
    audit = write_audit(tmp_path / "audit", source, [i / 20 for i in range(20)])
    ids = [r.id for r in read_rows(source).rows]
    (tmp_path / "ids.txt").write_text(f"{ids[19]}\n\n{ids[18]}\n")
    (tmp_path / "ids.csv").write_text(f"line,id\n1,{ids[19]}\n2,{ids[18]}\n")
    for name in ("ids.txt", "ids.csv"):
        chosen = CleanSettings(audit=audit, protect=tmp_path / name)
        done = clean(source, tmp_path / f"out-{name}", chosen)
        assert [d.place for d in done.decisions if d.fate == "dropped"] == [13, 14, 15, 16, 17]
    (tmp_path / "bad.txt").write_text(f"{ids[0]}\nnobody\n")
    with pytest.raises(InputError, match=r"bad.txt:2: is no row's id \(seen: 'nobody'\)"):
        clean(source, tmp_path / "x", CleanSettings(protect=tmp_path / "bad.txt"))
    write_rows_file(source, 2, protected="yes")
    with pytest.raises(InputError, match=r"rows.jsonl:1: protected must be true or false"):
        clean(source, tmp_path / "x", CleanSettings())


def test_corrections_are_proposed_and_made_only_when_told(tmp_path: Path, monkeypatch) -> None:
    """The corrector stands in for a model: what is done with what it says is what is tested."""
    from datadose import cleaning
    from datadose.cleaning import Proposal
    from datadose.running import _clean_models

    source = write_rows_file(tmp_path / "rows.jsonl", 25)
    states = {**dict.fromkeys(range(20), "labelled right"), 20: "labelled wrong"}
    audit = write_audit(tmp_path / "audit", source, [i / 25 for i in range(25)], states=states)
    (tmp_path / "facts.txt").write_text("Town 20 has jade.")
    seen: list[str] = []

    def train(base, right, passages, folder, **more):
        assert len(right) == 20
        assert [p.text for p in passages] == ["Town 20 has jade."]
        return "corrector"

    def propose(base, corrector, rows):
        seen.extend(r.answer for r in rows)
        return tuple(
            Proposal(r.id, "Jade.", 4.0, ("1",)) if r.answer == "Gem 20." else None for r in rows
        )

    with pytest.raises(InputError, match="no trusted row is supported"):
        clean(source, tmp_path / "a", CleanSettings(audit=audit, evidence=tmp_path / "facts.txt"))
    assert not (tmp_path / "a").exists()
    monkeypatch.setattr(cleaning, "make_pairs", lambda *_, **__: ())
    monkeypatch.setattr(cleaning, "train_corrector", train)
    monkeypatch.setattr(cleaning, "propose", propose)
    assert _clean_models.cleaning is cleaning
    chosen = CleanSettings(audit=audit, evidence=tmp_path / "facts.txt", model="tiny", by="lower")
    done = clean(source, tmp_path / "a", chosen)
    # only rows that were to go are looked at
    assert seen == ["Gem 20.", "Gem 23.", "Gem 24."]
    assert done.decisions[20].fate == "dropped"
    (line,) = [json.loads(x) for x in lines(tmp_path / "a" / "proposals.jsonl")]
    assert (line["proposed"], line["line"], line["fate"]) == ("Jade.", 21, "dropped")
    assert any("none was made" in note for note in done.notes)
    done = clean(source, tmp_path / "b", replace(chosen, apply=True))
    assert done.decisions[20].fate == "corrected"
    assert done.decisions[20].reason == "known wrong: passages 1, 4.0 over the gate's margin"
    (changed,) = [json.loads(x) for x in lines(tmp_path / "b" / "changed.jsonl")]
    assert changed["original"]["response"] == "Gem 20."
