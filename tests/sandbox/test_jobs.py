"""Unit tests on untrusted code: right code passes, and no trick does."""

from __future__ import annotations

import math
import os
import time

import pytest

from datadose.sandbox import TestJob, available, run_many, run_tests
from datadose.sandbox._inside import Opaque, pack, unpack

DOUBLE = "def f(x):\n    return 2 * x\n"
TESTS = "assert f(2) == 4\nassert f(5) == 10"


@pytest.fixture(autouse=True)
def _needs_a_sandbox() -> None:
    if available() is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have a sandbox: {available()}")
    pytest.skip(f"no sandbox: {available()}")


def test_right_code_passes_and_wrong_code_fails() -> None:
    assert run_tests(DOUBLE, TESTS, "f").outcome == "ok"
    done = run_tests("def f(x):\n    return x + 2\n", TESTS, "f")
    assert done.outcome == "failed"
    assert done.stderr.splitlines()[-1].startswith("AssertionError")
    assert run_tests("def g(x): pass", TESTS, "f").outcome == "failed"
    assert run_tests("def f(x) return", TESTS, "f").outcome == "failed"


FORGERIES = {
    "exit at once": "import sys\nsys.exit(0)",
    "hard exit at once": "import os\nos._exit(0)",
    "exit when called": "def f(x):\n    raise SystemExit(0)",
    "hard exit when called": "import os\ndef f(x):\n    os._exit(0)",
    "print": "print('ok'); print('{\"outcome\": \"ok\"}')\ndef f(x):\n    print('ok')",
    "write to every file": (
        "import os\nfor n in range(64):\n    try:\n"
        '        os.write(n, b\'ready\\n{"outcome": "ok", "why": ""}\')\n'
        "    except OSError:\n        pass\nos._exit(0)"
    ),
    "atexit": (
        "import atexit, os\natexit.register(lambda: os._exit(0))\n"
        "def f(x):\n    raise KeyboardInterrupt"
    ),
    "equals everything": (
        "class E:\n    def __eq__(self, o): return True\n    def __ne__(self, o): return False\n"
        "def f(x):\n    return E()"
    ),
    "an int that equals everything": (
        "class E(int):\n    def __eq__(self, o): return True\n    __hash__ = int.__hash__\n"
        "def f(x):\n    return E(1)"
    ),
    "replaced builtins": (
        "import builtins\nbuiltins.AssertionError = KeyError\nbuiltins.exec = print\n"
        "import json\njson.dumps = lambda *a, **k: '[\"v\", true, []]'\ndef f(x):\n    return 1"
    ),
    "walks the frames for the token": (
        "import sys, gc\ndef f(x):\n"
        "    fr = sys._getframe()\n    seen = []\n"
        "    while fr:\n        seen.append(repr(fr.f_locals) + repr(fr.f_globals))\n"
        "        fr = fr.f_back\n"
        "    return 4 if 'token\": \"' in ''.join(seen) else 0"
    ),
    "kills the judge": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
    "reads the judge's input": (
        "import os\ntry:\n    data = os.read(0, 1 << 20)\nexcept OSError:\n    data = b''\n"
        "def f(x):\n    return 2 * x if data else 0"
    ),
    "other name": "def f(x):\n    return 0\nf.__eq__ = lambda *a: True",
}


@pytest.mark.parametrize("code", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_pass_cannot_be_forged(code: str) -> None:
    assert run_tests(code, TESTS, "f").outcome in ("failed", "killed")


def test_how_it_ended_is_told_apart() -> None:
    assert (
        run_tests("def f(x):\n    while True: pass", TESTS, "f", timeout=0.5).outcome == "timeout"
    )
    bomb = "def f(x):\n    return 'a' * (1 << 33)"
    assert run_tests(bomb, TESTS, "f", memory_mb=256).outcome == "memory"
    loud = "def f(x):\n    print('x' * 100_000)"
    assert run_tests(loud, TESTS, "f", output_limit=5000).outcome == "output"
    crash = "import os\ndef f(x):\n    os.abort()"
    assert run_tests(crash, TESTS, "f").outcome == "killed"


def test_values_exceptions_and_changes_in_place_reach_the_tests() -> None:
    code = """
from collections import Counter, namedtuple
P = namedtuple("P", "a b")
def f(kind, value=None):
    if kind == "pop":
        return value.pop()
    if kind == "raise":
        raise ValueError("no")
    if kind == "type":
        raise TypeError("no")
    if kind == "steps":
        return (i * i for i in range(value))
    if kind == "own":
        return P(1, 2), Counter("aab"), {3}, True
    return {"nan": float("nan"), "inf": float("inf"), 3: (None, b"x", 2 + 1j, range(3))}
"""
    tests = """
xs = [1, 2]
assert f("pop", xs) == 2 and xs == [1]
d = {1}
f("pop", value=d)
for kind, error in (("raise", ValueError), ("type", TypeError)):
    try:
        f(kind)
    except error:
        pass
    else:
        raise AssertionError(kind)
assert list(f("steps", 4)) == [0, 1, 4, 9]
assert f("own") == ((1, 2), {"a": 2, "b": 1}, {3}, True)
out = candidate("all")
assert out["nan"] != out["nan"] and out["inf"] > 9 and out[3] == (None, b"x", 2 + 1j, range(3))
"""
    done = run_tests(code, tests, "f")
    assert done.outcome == "ok", done.stderr


def test_values_survive_packing() -> None:
    for value in (1, -2.5, math.inf, "é", None, True, (1, [2, {3: {4}}]), b"\x00", frozenset({1})):
        assert unpack(pack(value)) == value
    assert unpack(pack(object())) != unpack(pack(object()))
    assert isinstance(unpack(pack(len)), Opaque)


def test_many_keep_their_order_and_share_the_time() -> None:
    jobs = [
        TestJob(
            f"def f():\n    import time; time.sleep({0.5 if i == 0 else 0})\n    return {i}",
            f"assert f() == {i if i % 2 else -1}",
            "f",
        )
        for i in range(6)
    ]
    start = time.monotonic()
    kinds = [r.outcome for r in run_many(jobs, workers=2)]
    assert kinds == ["failed", "ok"] * 3
    assert time.monotonic() - start < 4
    assert run_many([]) == []


def test_unsafe_says_so() -> None:
    done = run_tests(DOUBLE, TESTS, "f", unsafe=True)
    assert done.outcome == "ok"
    assert not done.sandboxed
    assert run_tests("import os; os._exit(0)", TESTS, "f", unsafe=True).outcome == "failed"
