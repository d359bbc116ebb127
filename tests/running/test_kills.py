"""kill -9 at ten moments of a run, and two processes on one folder: the same bytes in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("_driver.py")
pytestmark = pytest.mark.slow

STUDY = """\
name: killed
model: tiny
rows: legal
facts: 6
doses: [0, 0.5, 1]
seeds: 1
ask: {danger: false, untrained: false, alignment: false, answers: 2, answer_tokens: 4}
train: {epochs: 3, rank: 2, precision: fp32}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the driver left: folders whole, killed and shared, report.json and log.txt."""
    folder = tmp_path_factory.mktemp("kills")
    (folder / "study.yaml").write_text(STUDY)
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    command = [sys.executable, str(DRIVER), str(folder / "study.yaml"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


def report(folder: Path, part: str) -> list[Any]:
    return json.loads((folder / "report.json").read_text())[part]


def test_ten_kills_fall_uniformly_and_in_every_stage(folder: Path) -> None:
    kills = report(folder, "kills")
    assert [k["signal"] for k in kills] == [signal.SIGKILL] * 10, (folder / "log.txt").read_text()
    stages = Counter(k["stage"] for k in kills)
    assert stages["training"] >= 2
    assert stages["evaluation"] >= 2
    assert stages["base"] >= 1
    assert stages["results"] >= 1
    assert any(k["half_written"] for k in kills if k["moment"].startswith("arms/"))
    assert any(k["kind"] == "outside" for k in kills)
    for kill in kills:
        meant = {"step": "training", "score": "evaluation"}.get(kill["kind"])
        assert meant in (None, kill["stage"]), kill
        assert kill["half_written"] or kill["kind"] != "write", kill


def test_after_ten_kills_the_same_command_gives_the_same_bytes(folder: Path) -> None:
    out = folder / "killed"
    command = [sys.executable, "-m", "datadose", "run", str(folder / "study.yaml"), "--out"]
    done = subprocess.run([*command, str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "doses.json").read_bytes() == (folder / "whole" / "doses.json").read_bytes()
    assert not list((out / "arms").rglob("*.tmp"))


def test_two_processes_on_one_folder_train_every_arm_once(folder: Path) -> None:
    assert report(folder, "pair") == [0, 0], (folder / "log.txt").read_text()
    trained = [x.split() for x in (folder / "trained.txt").read_text().splitlines()]
    arms = [p.name for p in (folder / "shared" / "arms").iterdir()]
    assert len(arms) == 3
    assert sorted(arm for _, arm in trained) == sorted(arms)
    assert len({pid for pid, _ in trained}) == 2
    wanted = (folder / "whole" / "doses.json").read_bytes()
    assert (folder / "shared" / "doses.json").read_bytes() == wanted
