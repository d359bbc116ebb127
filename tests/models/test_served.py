"""The chat client against a real server: what it sends, retries, keeps, refuses, and costs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from _chat_server import ChatServer, completion

from datadose._core import StageError, UsageError
from datadose.models import Ask, ChatClient, Served
from datadose.schema import Message


def ask(text: str = "hello", **more) -> Ask:
    return Ask((Message(role="user", content=text),), **more)


def served(server: ChatServer, **more) -> Served:
    return Served(server.url, "judge-1", **{"wait": 0.01, "timeout": 5.0, **more})


def run(plan, asks, cache: Path | None = None, **more):
    with ChatServer(plan).running() as server, ChatClient(served(server, **more), cache) as client:
        return client.ask(asks), server


def test_asks_as_the_protocol_says_and_answers_in_order(monkeypatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "s3cret")

    def plan(body, _):
        return {"body": completion(body["messages"][-1]["content"].upper())}

    replies, server = run(
        plan,
        [ask(f"q{i}", top_logprobs=5, max_tokens=3, temperature=0.5) for i in range(20)],
        key="JUDGE_KEY",
    )
    assert [r.text for r in replies] == [f"Q{i}" for i in range(20)]
    assert {r.attempts for r in replies} == {1}
    body = next(b for b in server.requests if b["messages"][0]["content"] == "q0")
    assert body == {
        "model": "judge-1",
        "messages": [{"role": "user", "content": "q0"}],
        "max_tokens": 3,
        "temperature": 0.5,
        "logprobs": True,
        "top_logprobs": 5,
    }
    assert server.headers[0]["Authorization"] == "Bearer s3cret"


def test_a_missing_key_is_named_before_anything_is_sent(monkeypatch) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(UsageError, match="JUDGE_KEY holds no key"):
        ChatClient(Served("http://127.0.0.1:9/v1", "m", key="JUDGE_KEY"))


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 429},
        {"status": 500, "body": "oops"},
        {"status": 503, "headers": {"Retry-After": "0"}},
        {"body": completion("fine"), "half": True},
        {"body": completion("fine")[:-20]},
        {"body": "[]"},
        {"body": '{"choices": []}'},
        {"body": completion(None)},
        {"hang": True},
    ],
    ids=["429", "500", "503", "half", "cut", "list", "empty", "none", "hang"],
)
def test_a_passing_fault_is_sent_again_once(fault) -> None:
    def plan(_, before):
        return fault if before == 0 else {"body": completion("fine")}

    [reply], server = run(plan, [ask()], timeout=0.3)
    assert (reply.kind, reply.text, reply.attempts) == ("answered", "fine", 2)
    assert len(server.requests) == 2


def test_a_lasting_fault_ends_named_and_is_not_kept(tmp_path: Path) -> None:
    broken = [True]

    def plan(*_):
        return {"status": 500} if broken[0] else {"body": completion("fine")}

    with (
        ChatServer(plan).running() as server,
        ChatClient(served(server, attempts=3), tmp_path) as client,
    ):
        [reply] = client.ask([ask()])
        assert (reply.kind, reply.attempts) == ("failed", 3)
        assert reply.note == "no answer after 3 attempts: HTTP 500"
        broken[0] = False
        assert client.ask([ask()])[0].text == "fine"
    assert len(server.requests) == 4


def test_retry_after_holds_everybody_back() -> None:
    def plan(_, before):
        if not before and len(times) == 0:
            times.append(time.monotonic())
            return {"status": 429, "headers": {"Retry-After": "0.4"}}
        times.append(time.monotonic())
        return {"body": completion("ok")}

    times: list[float] = []
    replies, _ = run(plan, [ask(f"q{i}") for i in range(4)], parallel=1)
    assert [r.text for r in replies] == ["ok"] * 4
    assert times[1] - times[0] >= 0.39


def test_a_server_that_asks_to_wait_for_hours_is_not_waited_for() -> None:
    [reply], server = run(lambda *_: {"status": 429, "headers": {"Retry-After": "7200"}}, [ask()])
    assert reply.kind == "failed"
    assert "asks to wait 7200 s" in reply.note
    assert len(server.requests) == 1


def test_the_rate_limit_spaces_questions() -> None:
    with (
        ChatServer(lambda *_: {"body": completion("ok")}).running() as server,
        ChatClient(served(server, per_minute=1200)) as client,
    ):
        began = time.monotonic()
        client.ask([ask(f"q{i}") for i in range(5)])
        assert time.monotonic() - began >= 4 * 0.05


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_takes_no_question_stops_the_stage(status: int) -> None:
    with pytest.raises(StageError, match=f"HTTP {status}"):
        run(lambda *_: {"status": status, "body": "no such model"}, [ask(), ask("b")])


def test_a_question_that_is_refused_fails_alone() -> None:
    def plan(body, _):
        if body["messages"][0]["content"] == "bad":
            return {"status": 400, "body": '{"error": "context too long"}'}
        return {"body": completion("ok")}

    replies, server = run(plan, [ask("a"), ask("bad"), ask("c")])
    assert [r.kind for r in replies] == ["answered", "failed", "answered"]
    assert "context too long" in replies[1].note
    assert len(server.requests) == 3


def test_a_server_without_logprobs_is_asked_without_them() -> None:
    def plan(body, _):
        if "logprobs" in body:
            return {"status": 400, "body": '{"error": "logprobs are not supported"}'}
        return {"body": completion("70")}

    asks = [ask(f"q{i}", top_logprobs=20) for i in range(6)]
    replies, server = run(plan, asks, parallel=1)
    assert [r.text for r in replies] == ["70"] * 6
    assert sum("logprobs" in b for b in server.requests) == 1
    together, _ = run(plan, asks, parallel=6)
    assert [r.text for r in together] == ["70"] * 6


def test_refusal_fields_and_filters_are_declined() -> None:
    def plan(body, _):
        if body["messages"][0]["content"] == "a":
            return {"body": completion(None, message={"refusal": "no"})}
        return {"body": completion("x", finish_reason="content_filter")}

    replies, _ = run(plan, [ask("a"), ask("b")])
    assert [(r.kind, r.note) for r in replies] == [
        ("declined", "refusal: no"),
        ("declined", "content filter"),
    ]


def test_kept_replies_are_not_asked_again_and_repeats_never_stand_in(tmp_path: Path) -> None:
    def plan(_, before):
        return {"body": completion(f"answer {before}", [{"answer": -0.1, "x": -3.0}])}

    asks = [ask(sample=i) for i in range(3)]
    with ChatServer(plan).running() as server:
        with ChatClient(served(server, parallel=1), tmp_path) as client:
            first = client.ask(asks)
        assert [r.text for r in first] == ["answer 0", "answer 1", "answer 2"]
        with ChatClient(served(server), tmp_path) as client:
            again = client.ask(asks)
            assert client.sent == 0
            assert client.price(asks) is None
        assert [(r.text, r.places) for r in again] == [(r.text, r.places) for r in first]
        assert {r.attempts for r in again} == {0}
        assert len(server.requests) == 3
        with ChatClient(served(server), tmp_path) as client:
            client.ask([ask(temperature=0.7), ask(max_tokens=9), ask("other")])
        assert len(server.requests) == 6
    kept = "".join(p.read_text() for p in tmp_path.rglob("*.json"))
    assert "Bearer" not in kept


def test_equal_questions_of_one_sample_are_sent_once() -> None:
    replies, server = run(lambda *_: {"body": completion("ok")}, [ask()] * 5)
    assert len(replies) == 5
    assert len(server.requests) == 1


def test_it_is_priced_before_use_and_kept_within_the_budget(tmp_path: Path) -> None:
    asks = [ask("x" * 276, max_tokens=10, sample=i) for i in range(10)]
    with ChatServer(lambda *_: {"body": completion("ok")}).running() as server:
        more = {"price": (2.0, 8.0), "budget": 0.001}
        with ChatClient(served(server, **more), tmp_path) as client:
            # 276 / 3 + 8 = 100 tokens in at 2, and 10 out at 8, ten times, a million tokens each
            assert client.price(asks) == pytest.approx(10 * (100 * 2 + 10 * 8) / 1e6)
            with pytest.raises(UsageError, match=r"over the budget of 0\.00"):
                client.ask(asks)
            assert not server.requests
            client.ask(asks[:3])
            assert client.price(asks) == pytest.approx(7 * 280 / 1e6)


def test_nothing_listening_is_a_named_failure() -> None:
    client = ChatClient(Served("http://127.0.0.1:9/v1", "m", wait=0.01, attempts=2))
    with client:
        [reply] = client.ask([ask()])
    assert (reply.kind, reply.note) == ("failed", "no answer after 2 attempts: ConnectError")


def test_a_reply_without_end_is_cut_off(monkeypatch) -> None:
    from datadose.models import _served

    monkeypatch.setattr(_served, "MOST_BYTES", 1000)
    [reply], _ = run(lambda *_: {"body": json.dumps({"x": "y" * 5000})}, [ask()])
    assert (reply.kind, reply.note) == ("failed", "the reply is longer than 1000 bytes")


def test_a_server_that_is_gone_stops_the_stage_and_what_was_answered_is_kept(
    tmp_path: Path,
) -> None:
    def plan(body, _):
        early = int(body["messages"][0]["content"]) < 10
        return {"body": completion("ok")} if early else {"status": 502}

    asks = [ask(str(i)) for i in range(200)]
    with ChatServer(plan).running() as server:
        where = served(server, attempts=2, parallel=4)
        with ChatClient(where, tmp_path) as client:
            client.ask(asks[:10])
            with pytest.raises(StageError, match="20 questions"):
                client.ask(asks)
        # nobody asks on after the twentieth loss; those under way may end
        assert len(server.requests) <= 10 + 2 * (20 + 3)
        with ChatClient(where, tmp_path) as client:
            assert {r.kind for r in client.ask(asks[:10])} == {"answered"}
            assert client.sent == 0


def test_a_key_that_is_said_back_is_in_no_note(monkeypatch) -> None:
    monkeypatch.setenv("JUDGE_KEY", "s3cret\n")

    def plan(body, _):
        status = 401 if body["messages"][0]["content"] == "all" else 400
        return {"status": status, "body": "bad key s3cret"}

    [reply], server = run(plan, [ask()], key="JUDGE_KEY")
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    assert reply.note == "HTTP 400: bad key [key]"
    with pytest.raises(StageError) as error:
        run(plan, [ask("all")], key="JUDGE_KEY")
    assert "s3cret" not in str(error.value)
    monkeypatch.setenv("JUDGE_KEY", "s\u00e9cret")
    with pytest.raises(UsageError, match="can't be a key"):
        ChatClient(Served("http://127.0.0.1:9/v1", "m", key="JUDGE_KEY"))


def test_a_reply_that_can_t_be_unpacked_fails_alone() -> None:
    def plan(*_):
        return {"body": "not gzip", "headers": {"Content-Encoding": "gzip"}}

    [reply], _ = run(plan, [ask()], attempts=2)
    assert (reply.kind, reply.note) == ("failed", "no answer after 2 attempts: DecodingError")
