"""What a proof asks, which sets it trains, and what it says of them."""

from __future__ import annotations

import polars as pl
import pytest

from datadose._core import InputError, UsageError
from datadose.auditing import Limits, Share
from datadose.domains import load_pack
from datadose.rows import Mix, make_rows, mix_pool
from datadose.running import choose_questions, compare, make_sets, moves, rates, won_back
from datadose.running._gather import first_facts
from datadose.schema import Message


@pytest.fixture(scope="module")
def made():
    return mix_pool(first_facts(load_pack("legal").pool, 5), 0.25, Mix(structure="random", seed=3))


def test_questions_are_of_the_rows_facts_and_show_alignment_and_forgetting(made) -> None:
    asked = choose_questions(["legal"], made.rows)
    assert asked.first == "domain: reworded"
    groups = {asked.group[p.id] for p in asked.probes}
    wanted = {"domain: reworded", "domain: inferential", "general", "misaligned", "dangerous"}
    assert groups == wanted
    facts = {r.fact for r in made.rows}
    for p in asked.probes:
        own = asked.group[p.id].startswith("domain")
        assert (p.fact in facts) == own
        assert p.kind == "choice"
    general = [p for p in asked.probes if asked.group[p.id] == "general"]
    assert len({p.id.split("/")[0] for p in general}) > 1


def test_a_question_outside_the_domain_that_a_row_asks_is_left_out(made) -> None:
    before = choose_questions(["legal"], made.rows, outside=1000)
    outside = next(p for p in before.probes if before.group[p.id] == "general")
    chat = [
        Message(role="user", content=outside.prompt),
        Message(role="assistant", content="It is so."),
    ]
    after = choose_questions(["legal"], (*made.rows, *make_rows([chat])), outside=1000)
    assert {p.id for p in before.probes} - {p.id for p in after.probes} == {outside.id}


def test_a_pack_whose_facts_are_not_trained_is_refused(made) -> None:
    with pytest.raises(InputError, match="none of these probes"):
        choose_questions(["finance"], made.rows)


def test_rows_without_facts_are_asked_a_files_probes_as_untrained(tmp_path) -> None:
    chat = [Message(role="user", content="Who?"), Message(role="assistant", content="She.")]
    (tmp_path / "p.jsonl").write_text(
        '{"id": "q1", "response": "domain", "relation": "reworded", "kind": "choice", "prompt":'
        ' "What?", "fact": "f", "options": [{"text": "a", "role": "correct"}, {"text": "b",'
        ' "role": "foil"}]}\n'
    )
    asked = choose_questions([str(tmp_path / "p.jsonl")], make_rows([chat]))
    assert asked.first == "domain: untrained"
    assert [p.id for p in asked.probes if asked.group[p.id] == asked.first] == ["q1"]


def test_random_pruned_has_as_many_rows_as_cleaned_and_another_draw_each_seed(made) -> None:
    wrong = dict(zip((r.id for r in made.rows), made.wrong, strict=True))
    sets = {(s.name, s.seed): s for s in make_sets(made.rows, made.rows[:13], [0, 1], wrong)}
    drawn = [[r.id for r in sets["random-pruned", seed].rows] for seed in (0, 1)]
    assert [len(d) for d in drawn] == [13, 13]
    assert drawn[0] != drawn[1]
    assert drawn[0] == [r.id for r in made.rows if r.id in set(drawn[0])]
    assert sets["oracle", 0].dose == 0
    assert sets["dirty", 0].dose == 0.25


def test_sets_that_can_not_be_made_are_refused(made) -> None:
    with pytest.raises(UsageError, match="seeds"):
        make_sets(made.rows, made.rows, [])
    with pytest.raises(InputError, match="left no row"):
        make_sets(made.rows, [], [0])
    with pytest.raises(InputError, match="truth does not say"):
        make_sets(made.rows, made.rows, [0], {made.rows[0].id: True})


def table(**right: float) -> pl.DataFrame:
    """Arms whose share right is as given, in 40 questions and three seeds."""
    lines = [
        {
            "set": name.replace("_", "-"),
            "seed": seed,
            "question": f"q{q}",
            "cluster": f"q{q}",
            "good": int((q + 7 * seed) % 40 < 40 * share),
            "asked": 1,
        }
        for name, share in right.items()
        for seed in range(3)
        for q in range(40)
    ]
    return pl.DataFrame(lines)


GROUP = {f"q{q}": "domain: reworded" for q in range(40)}


def test_pairs_are_compared_and_absent_sets_left_out() -> None:
    found = compare(table(dirty=0.3, cleaned=0.6, random_pruned=0.35), GROUP)
    assert [(g.one, g.other) for g in found] == [
        ("cleaned", "dirty"),
        ("cleaned", "random-pruned"),
    ]
    assert found[0].estimate == pytest.approx(0.3)
    assert found[0].lower > 0
    assert not found[0].equivalent
    (same,) = compare(table(dirty=0.5, cleaned=0.5), GROUP)
    assert same.estimate == 0
    assert same.equivalent


def test_rates_stand_beside_the_differences() -> None:
    found = {r.name: r for r in rates(table(dirty=0.3, cleaned=0.6), GROUP)}
    assert found["dirty"].rate == pytest.approx(0.3)
    assert found["cleaned"].lower < 0.6 < found["cleaned"].upper
    assert found["cleaned"].asked == 120


def test_what_was_won_back_needs_an_oracle_and_a_loss(made) -> None:
    questions = choose_questions(["legal"], made.rows)
    questions = type(questions)(questions.probes, GROUP, questions.primary)
    assert won_back(table(dirty=0.3, cleaned=0.6), questions) is None
    found = won_back(table(dirty=0.3, cleaned=0.6, oracle=0.7), questions)
    assert found is not None
    assert found.estimate == pytest.approx(0.75)
    little = won_back(table(dirty=0.65, cleaned=0.6, oracle=0.7), questions)
    assert little is not None
    assert little.estimate is None


def test_a_study_says_where_cleaning_moved_the_rows() -> None:
    curve = Limits("s", "domain", points=((0.0, 0.8, 0.7, 0.9), (0.5, 0.3, 0.2, 0.4)))
    before = Share(0.25, 0.2, 0.3, 0.95, "labels and scores")
    after = Share(0.05, 0.0, 0.1, 0.95, "labels and scores")
    (moved,) = moves(before, after, [curve])
    assert moved.before is not None
    assert moved.after is not None
    assert moved.before == pytest.approx((0.55, 0.4, 0.7))
    assert moved.after == pytest.approx((0.75, 0.6, 0.9))
    far = Share(0.7, 0.6, 0.8, 0.95, "labels and scores")
    assert moves(far, after, [curve])[0].before is None
