"""Attacks on the sandbox, and the plain use of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datadose.sandbox import SandboxMissing, _run, _walls, available, run_python


@pytest.fixture(autouse=True)
def _needs_a_sandbox() -> None:
    if available() is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have a sandbox: {available()}")
    pytest.skip(f"no sandbox: {available()}")


@pytest.fixture
def listener() -> Iterator[int]:
    """A port of this machine at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_runs_and_tells_how_it_ended() -> None:
    done = run_python("print(int(input()) + 1)", stdin="41\n")
    assert (done.outcome, done.stdout, done.stderr) == ("ok", "42\n", "")
    assert done.sandboxed
    assert run_python("1 / 0").outcome == "failed"
    assert "ZeroDivisionError" in run_python("1 / 0").stderr
    assert run_python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").outcome == "killed"


def test_long_input_and_output_pass_whole() -> None:
    text = "x" * 300_000
    done = run_python("import sys; print(sys.stdin.read())", stdin=text, output_limit=400_000)
    assert done.outcome == "ok"
    assert done.stdout == text + "\n"


def test_input_that_nobody_reads_does_no_harm() -> None:
    assert run_python("pass", stdin="x" * 1_000_000).outcome == "ok"


def test_no_network(listener: int) -> None:
    code = f"import socket; socket.create_connection(('127.0.0.1', {listener}), timeout=2)"
    socket.create_connection(("127.0.0.1", listener)).close()  # it would work out here
    done = run_python(code)
    assert done.outcome == "failed"
    assert "Error" in done.stderr


def test_home_and_project_are_not_there() -> None:
    paths = [str(Path.home() / ".profile"), __file__, str(Path(__file__).parents[2])]
    paths += ["/etc/passwd", "/proc/self/environ", "/home", "/var", "/sys", "/bin/sh"]
    code = f"import os; print([p for p in {paths!r} if os.path.exists(p)])"
    assert run_python(code).stdout == "[]\n"


def test_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET_KEY", "do-not-tell")
    done = run_python("import os; print(dict(os.environ))")
    assert done.outcome == "ok"
    assert "do-not-tell" not in done.stdout
    assert "HOME" not in done.stdout


def test_writes_only_to_its_own_tmp(tmp_path: Path) -> None:
    target = tmp_path / "left-behind"
    code = f"""
import os, sys
places = ["/x", "/usr/x", "/usr/lib/x", "/dev/x", sys.base_prefix + "/lib/x", {str(target)!r}]
for place in places:
    try:
        open(place, "w").write("x")
        print(place)
    except OSError:
        pass
open("/tmp/mine", "w").write("x")
"""
    done = run_python(code)
    assert (done.outcome, done.stdout) == ("ok", "")
    assert not target.exists()
    assert not Path("/tmp/mine").exists()


def test_tmp_is_fresh_and_small() -> None:
    code = """
import os
print(sorted(os.listdir(".")))
for i in range(12):
    open(f"f{i}", "wb").write(bytes(15_000_000))
"""
    done = run_python(code)
    assert done.outcome == "failed"
    assert done.stdout == "['code.py']\n"
    assert "No space left" in done.stderr


def test_symlink_does_not_lead_out() -> None:
    code = f"import os; os.symlink({str(Path(__file__).parent)!r}, 'out'); print(os.listdir('out'))"
    done = run_python(code)
    assert done.outcome == "failed"
    assert "FileNotFoundError" in done.stderr


def test_fork_bomb_ends_in_time() -> None:
    code = """
import os
made = 0
while True:
    try:
        if os.fork() == 0:
            import time
            time.sleep(30)
            os._exit(0)
        made += 1
    except OSError:
        print(made)
        break
"""
    done = run_python(code, timeout=3)
    assert done.seconds < 6
    if done.outcome == "ok":
        assert int(done.stdout) <= _walls.PROCESSES
    else:
        assert done.outcome == "timeout"


def test_memory_bomb() -> None:
    done = run_python("x = 'a' * (1 << 33)", memory_mb=256)
    assert done.outcome == "memory"
    assert run_python("x = bytearray(1 << 26)", memory_mb=256).outcome == "ok"


def test_huge_output_is_stopped() -> None:
    done = run_python("while True: print('spam' * 1000)", output_limit=10_000, timeout=20)
    assert done.outcome == "output"
    assert len(done.stdout) == 10_000
    assert done.seconds < 10


def test_sleep_forever_and_spin_forever() -> None:
    for code in ("import time; time.sleep(1000)", "while True: pass"):
        done = run_python(code, timeout=0.5)
        assert done.outcome == "timeout"
        assert done.seconds < 3


def test_silence_with_closed_ends_still_times_out() -> None:
    done = run_python("import os, time; os.close(1); os.close(2); time.sleep(100)", timeout=0.5)
    assert done.outcome == "timeout"


def test_cannot_kill_what_started_it() -> None:
    code = """
import os, signal
for pid in (os.getppid(), -1, 0, *range(1, 5000)):
    if pid != os.getpid():
        try:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill(pid, signal.SIGTERM)
        except OSError:
            pass
"""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
    try:
        run_python(code)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def _running(mark: str) -> bool:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


@pytest.mark.parametrize("ending", ["", "time.sleep(60)"])
def test_children_do_not_outlive_it(ending: str) -> None:
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    code = f"""
import os, sys, time
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)",
             {mark!r}])
time.sleep(1.5)
{ending}
"""
    seen, ended = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.is_set() and not seen.is_set():
            if _running(mark):
                seen.set()
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    run_python(code, timeout=2.5)
    ended.set()
    watcher.join()
    assert seen.is_set()
    deadline = time.monotonic() + 2
    while _running(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _running(mark)


def test_no_rights_and_no_way_to_get_them() -> None:
    code = """
import os
for gain in (lambda: os.setuid(0), lambda: os.chroot("/tmp"), lambda: os.nice(-5)):
    try:
        gain()
        print("gained")
    except OSError:
        pass
print(os.getuid() == 0)
"""
    assert run_python(code).stdout == "False\n"


def test_refuses_without_bwrap_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_walls, "_choose", lambda: (False, "bwrap is not installed"))
    assert available() == "bwrap is not installed"
    with pytest.raises(SandboxMissing, match="apt-get install bubblewrap"):
        run_python("print(1)")


def test_unsafe_runs_with_limits_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_walls, "_choose", lambda: (False, "bwrap is not installed"))
    done = run_python("print(1)", unsafe=True)
    assert (done.outcome, done.stdout, done.sandboxed) == ("ok", "1\n", False)
    assert run_python("x = 'a' * (1 << 33)", memory_mb=256, unsafe=True).outcome == "memory"
    assert run_python("while True: pass", timeout=0.4, unsafe=True).outcome == "timeout"
    assert run_python("raise SystemExit(3)", unsafe=True).outcome == "failed"


def test_a_sandbox_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "walls", lambda: (["/bin/false"], False))
    assert run_python("print(1)").outcome == "error"
