"""What the audit's page says of a row's neighbours, and of how it was made."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

from datadose.rows import make_rows
from datadose.running import AuditSettings
from datadose.running._audit_files import _command, _near
from datadose.schema import JudgeSpec, Message


def test_the_command_names_all_that_the_audit_was_given() -> None:
    settings = AuditSettings(
        model="tiny",
        trusted=Path("my rows.jsonl"),
        pool=Path("pool.yaml"),
        study=Path("runs/quickstart"),
        labeller_error=0.05,
        judge=JudgeSpec(kind="local", model="tiny"),
    )
    told = shlex.split(_command(SimpleNamespace(settings=settings), Path("a b.jsonl"), Path("out")))
    assert told[:3] == ["datadose", "audit", "a b.jsonl"]
    given = dict(zip(told[3::2], told[4::2], strict=True))
    assert given == {
        "--model": "tiny",
        "--out": "out",
        "--epochs": "3",
        "--folds": "2",
        "--examples": "4",
        "--plant": "0.05",
        "--seed": "0",
        "--trusted": "my rows.jsonl",
        "--pool": "pool.yaml",
        "--study": "runs/quickstart",
        "--labeller-error": "0.05",
        "--judge": "local:tiny",
    }
    served = AuditSettings(judge=JudgeSpec(url="http://127.0.0.1:1/v1", model="m"))
    assert "--judge 'http://127.0.0.1:1/v1#m'" in _command(
        SimpleNamespace(settings=served), Path("a"), Path("b")
    )


def test_rows_known_to_be_right_stand_first_and_wrong_ones_never_beside() -> None:
    rows = make_rows(
        [
            (Message(role="user", content=f"Q{i}"), Message(role="assistant", content=f"A{i}"))
            for i in range(7)
        ]
    )
    ids = [r.id for r in rows]
    audit = SimpleNamespace(
        rows=rows,
        suspicion=[0.9, 0.95, 0.2, 0.6, 0.1, 0.8, 0.05],
        checked={ids[1]: False, ids[4]: True},
        labels={ids[6]: "wrong"},
    )
    near = _near(audit, 0, [1, 2, 3, 4, 5, 6])
    # row 1 was checked and is right, however suspicious; row 2 is calm and nobody looked
    assert [(n.answer, n.note) for n in near] == [
        ("A1", "a near row, checked right"),
        ("A2", "a near row of suspicion 0.20, not checked"),
    ]
    assert _near(audit, 0, [3, 4, 5, 6]) == ()
