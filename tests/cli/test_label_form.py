"""The labelling form of `datadose audit --label`, driven through a real terminal (tmux)."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from _audited import write_rows
from _browser import found_program

import datadose
from datadose.cli._main import run_app

SOURCE = Path(datadose.__file__).parent.parent
QUICK = ["--model", "tiny", "--epochs", "1", "--folds", "0"]


class Terminal:
    """A shell in a window of tmux, 100 columns by 30 lines, on a server of its own."""

    def __init__(self, tmux: str, folder: Path) -> None:
        self.base = [tmux, "-S", str(folder / "tmux.sock"), "-f", os.devnull]
        self.call("new-session", "-d", "-s", "form", "-x", "100", "-y", "30", "env PS1='$ ' sh")

    def call(self, *words: str) -> str:
        done = subprocess.run(
            [*self.base, *words], capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        self.call("send-keys", "-t", "form", *keys)

    def screen(self, *, scrolled: bool = False) -> str:
        """What is seen; with `scrolled` also what has left the window at its top."""
        return self.call("capture-pane", "-p", "-t", "form", *["-S", "-"] * scrolled)

    def wait_for(self, text: str, seconds: float = 300, *, scrolled: bool = False) -> str:
        end = time.monotonic() + seconds
        while text not in (shown := self.screen(scrolled=scrolled)):
            assert time.monotonic() < end, f"{text!r} never came:\n{shown}"
            time.sleep(0.05)
        return shown


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(found_program("tmux"), tmp_path)
    yield made
    made.call("kill-server")


@pytest.mark.slow
def test_label_stop_resume_and_undo_in_a_terminal(tmp_path: Path, terminal: Terminal) -> None:
    rows, out = write_rows(tmp_path), tmp_path / "out"
    call = ["audit", str(rows), "--out", str(out), *QUICK]
    # what takes long is done before, so that the form comes at once
    assert run_app(call) == 0
    words = [sys.executable, "-m", "datadose", *call, "--label", "20"]
    command = f"PYTHONPATH={shlex.quote(str(SOURCE))} {shlex.join(words)}"

    def labels() -> list[str]:
        with (out / "labels.csv").open() as file:
            return [line["label"] for line in csv.DictReader(file)]

    terminal.type(command, "Enter")
    first = terminal.wait_for("row 1 of 20")
    assert "Is this answer wrong?  y wrong  n right  ? unsure  u undo  q stop" in first
    assert "assistant: It is" in first
    terminal.type("y")
    terminal.wait_for("row 2 of 20")
    terminal.type("n")
    terminal.wait_for("row 3 of 20")
    assert labels() == ["y", "n"]
    # undo goes back to the row before, and another key takes its place
    terminal.type("C-l", "u")
    end = time.monotonic() + 30
    while labels() != ["y"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    terminal.type("?")
    terminal.wait_for("row 3 of 20")
    terminal.type("q")
    stopped = terminal.wait_for("2 of 20 rows labelled", scrolled=True)
    terminal.wait_for("report:")
    assert labels() == ["y", "?"]
    # the terminal is as it was: lines, and an echo of what is typed
    terminal.type("clear; stty -a", "Enter")
    after = terminal.wait_for("icanon").split()
    assert "icanon" in after
    assert "echo" in after
    # the same command goes on with the third row
    terminal.type("clear", "Enter")
    terminal.type(command, "Enter")
    again = terminal.wait_for("row 3 of 20")
    assert "row 1 of 20" not in again
    assert "row 2 of 20" not in again
    for number in range(4, 21):
        terminal.type("n")
        terminal.wait_for(f"row {number} of 20")
    terminal.type("n")
    # the tables that follow are longer than the window
    terminal.wait_for("20 of 20 rows labelled", scrolled=True)
    terminal.wait_for("report:")
    assert labels() == ["y", "?", *["n"] * 18]
    assert "row 2 of 20" in stopped or "row 3 of 20" in stopped


@pytest.mark.slow
def test_hostile_rows_and_an_interrupt_leave_the_terminal_alone(
    tmp_path: Path, terminal: Terminal
) -> None:
    rows = write_rows(tmp_path)
    script = tmp_path / "form.py"
    # the form by itself, so that the hostile row comes first
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from datadose.auditing import Session\n"
        "from datadose.cli._audit import ask_person\n"
        "from datadose.rows import read_rows\n"
        f"rows = {{r.id: r for r in read_rows(Path({str(rows)!r})).rows}}\n"
        "order = sorted(rows, key=lambda name: 'script' not in rows[name].answer)\n"
        "ask_person(Session(tuple(order)), rows)\n"
    )
    words = shlex.join([sys.executable, str(script)])
    terminal.type(f"PYTHONPATH={shlex.quote(str(SOURCE))} {words}", "Enter")
    shown = terminal.wait_for("row 1 of 24")
    shown = terminal.wait_for("q stop")
    assert "<script>document.title='owned'</script> jade" in shown
    assert terminal.call("display-message", "-p", "-t", "form", "#{pane_title}").strip() != "owned"
    coloured = terminal.call("capture-pane", "-p", "-e", "-t", "form")
    assert "\x1b[31m" not in coloured
    terminal.type("C-c")
    terminal.wait_for("KeyboardInterrupt")
    terminal.type("clear; stty -a", "Enter")
    assert "echo" in terminal.wait_for("icanon").split()
