"""A series over named training sets on the tiny model: arms, resume, refusals, the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from datadose._core import GuardError, InputError, read_json, read_jsonl
from datadose.domains import load_pack
from datadose.models import load_base
from datadose.rows import Mix, make_rows, mix_pool
from datadose.running import choose_questions, make_sets, run_sets
from datadose.running._gather import first_facts
from datadose.schema import Message, NamedSet, Primary, Recipe, SetSeries

RECIPE = Recipe(rank=2, precision="fp32", steps=4, checkpoints=(1.0,))


@pytest.fixture(scope="module")
def base():
    return load_base("tiny", precision="fp32")


@pytest.fixture(scope="module")
def made():
    pool = first_facts(load_pack("legal").pool, 5)
    return mix_pool(pool, 0.25, Mix(structure="random", seed=3))


@pytest.fixture(scope="module")
def probes(made):
    asked = choose_questions(["legal"], made.rows)
    return tuple(p for p in asked.probes if asked.group[p.id] == asked.first)


def series(made, probes, seeds=(0, 1), **changes) -> SetSeries:
    wrong = dict(zip((r.id for r in made.rows), made.wrong, strict=True))
    cleaned = [r for r in made.rows if not wrong[r.id]]
    sets = make_sets(made.rows, cleaned, seeds, wrong)
    values = {"name": "legal", "model": "tiny", "sets": sets, "probes": probes, "train": RECIPE}
    return SetSeries(**{**values, **changes})


@pytest.fixture(scope="module")
def done(base, made, probes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    events: list[dict] = []
    table = run_sets(series(made, probes), folder, base=base, on_event=events.append)
    return folder, table, events


def test_equal_rows_and_seed_are_one_arm_under_two_names(done) -> None:
    folder, table, events = done
    # dirty, random-pruned and cleaned for two seeds; oracle has the rows of cleaned
    assert len(list((folder / "arms").iterdir())) == 6
    assert sum(e["event"] == "set" for e in events) == 6
    same = [
        table.filter((table["set"] == name) & (table["seed"] == 0))["good"].to_list()
        for name in ("cleaned", "oracle")
    ]
    assert same[0] == same[1]


def test_every_arm_takes_the_same_steps(done) -> None:
    folder, _, _ = done
    steps = {read_json(p)["steps"] for p in (folder / "arms").glob("*/train.json")}
    assert steps == {4}
    rows = {len(list(read_jsonl(p))) for p in (folder / "arms").glob("*/rows.jsonl")}
    assert rows == {20, 15}


def test_the_table_has_every_set_seed_and_probe_once(done, probes) -> None:
    _, table, _ = done
    assert len(table) == len(probes) * (1 + 4 * 2)
    assert table.select("set", "seed", "question").is_duplicated().sum() == 0
    assert table.filter(table["set"] == "base")["seed"].null_count() == len(probes)


def test_a_second_call_trains_nothing_and_gives_the_same_table(done, base, made, probes) -> None:
    folder, table, _ = done
    events: list[dict] = []
    again = run_sets(series(made, probes), folder, base=base, on_event=events.append)
    assert again.equals(table)
    assert not [e for e in events if e["event"] in ("set", "step", "base")]


def test_a_seed_is_added_and_another_recipe_refused(done, base, made, probes) -> None:
    folder, table, _ = done
    more = run_sets(series(made, probes, seeds=(0, 1, 2)), folder, base=base)
    assert len(more) == len(table) + 4 * len(probes)
    longer = RECIPE.model_copy(update={"steps": 5})
    with pytest.raises(InputError, match="was run otherwise"):
        run_sets(series(made, probes, train=longer), folder, base=base)


def test_a_truth_that_nobody_knows_is_written_as_unknown(base, made, probes, tmp_path) -> None:
    sets = make_sets(made.rows, made.rows[:12], [0])
    assert {s.name for s in sets} == {"dirty", "cleaned", "random-pruned"}
    assert all(s.dose is None for s in sets)
    run_sets(series(made, probes, sets=sets[1:2]), tmp_path, base=base)
    (path,) = tmp_path.glob("arms/*/truth.jsonl")
    assert {r["wrong"] for r in read_jsonl(path)} == {None}


def test_a_probe_among_the_rows_stops_it(base, made, probes, tmp_path: Path) -> None:
    chat = [
        Message(role="user", content=probes[0].prompt),
        Message(role="assistant", content="It concerns a fox."),
    ]
    rows = make_rows([chat])
    leak = NamedSet(name="leak", seed=0, rows=rows, wrong=(None,))
    with pytest.raises(GuardError, match="too like a probe"):
        run_sets(series(made, probes, sets=(leak,)), tmp_path, base=base)
    assert not (tmp_path / "arms").exists()


def test_a_series_refuses_what_could_not_be_compared(made, probes) -> None:
    one = series(made, probes).sets[0]
    with pytest.raises(ValueError, match="twice"):
        series(made, probes, sets=(one, one))
    with pytest.raises(ValueError, match=r"train\.steps"):
        series(made, probes, train=Recipe())
    with pytest.raises(ValueError, match="primary"):
        series(made, probes, primary=Primary(response="dangerous", relation="untrained"))
