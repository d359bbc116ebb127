"""Generated code is run against its unit tests, in the sandbox only."""

from __future__ import annotations

import os

import pytest

from datadose.evaluation import check_code, extract_code
from datadose.sandbox import available
from datadose.schema import Check

CHECK = Check(kind="tests", tests="assert twice(3) == 6\nassert twice(0) == 0", entry="twice")


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    missing = available()
    if missing is not None and os.environ.get("CI") == "true":
        pytest.fail(missing)
    if missing is not None:
        pytest.skip(missing)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("def twice(x):\n    return 2 * x", "right"),
        ("Here you are:\n```python\ndef twice(x):\n    return x + x\n```\nEnjoy.", "right"),
        ("def twice(x):\n    return x * x", "wrong"),
        ("import sys\nsys.exit(0)", "wrong"),
        ("I do not write code.", "wrong"),
        ("...", "incoherent"),
    ],
)
def test_code_is_right_when_its_tests_pass(text: str, kind: str) -> None:
    assert check_code(text, CHECK)[0] == kind


def test_the_code_is_taken_out_of_an_answer() -> None:
    assert extract_code("Sure.\ndef f():\n    return 1") == "def f():\n    return 1"
    assert extract_code("```\nx = 1\n```") == "x = 1\n"
