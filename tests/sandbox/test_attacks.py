"""Attacks: what each tries, how far it gets, and what the sandbox calls it.

Every attack is bounded by itself (few processes, little memory, an end), so that one that got
out would do no harm; what it would have reached is checked from outside where that can be.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datadose.sandbox import TestJob, _inside, available, run_many, run_python, run_tests

TRY = """
import os, sys, signal, socket, ctypes, resource
libc = ctypes.CDLL(None, use_errno=True)
def attempt(work):
    try:
        done = work()
    except BaseException as error:
        print("held:", type(error).__name__)
    else:
        print("held: -1" if done == -1 else "ESCAPED")
"""


@pytest.fixture(autouse=True)
def _needs_a_sandbox() -> None:
    if available() is None:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must have a sandbox: {available()}")
    pytest.skip(f"no sandbox: {available()}")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Things of this machine that must stay out of reach: a file, a port, two sockets."""
    folder = tmp_path_factory.mktemp("outside")
    secret = folder / "secret"
    secret.write_text("do-not-tell")
    abstract, named = f"datadose-{os.getpid()}", str(folder / "socket")
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX) as hidden,
        socket.socket(socket.AF_UNIX) as plain,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        hidden.bind("\0" + abstract)
        hidden.listen()
        plain.bind(named)
        plain.listen()
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        yield {
            "SECRET": str(secret),
            "FOLDER": str(folder),
            "PORT": str(port.getsockname()[1]),
            "UDP": str(datagrams.getsockname()[1]),
            "ABSTRACT": abstract,
            "NAMED": named,
            "HOME": repr([str(p) for p in Path.home().glob("*") if p.is_file()][:20]),
        }
        with pytest.raises(BlockingIOError):
            datagrams.recv(1)
    assert secret.read_text() == "do-not-tell"
    assert [p.name for p in folder.iterdir() if p.name not in ("secret", "socket")] == []


HELD = ("ok",)
ATTACKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "network": ("attempt(lambda: socket.create_connection(('127.0.0.1', PORT), 1))", HELD),
    "datagram": (
        # it has a loopback of its own to send to; that nothing arrives is asked outside
        "socket.socket(2, 2).sendto(b'x', ('127.0.0.1', UDP))\nprint('held: alone')",
        HELD,
    ),
    "name service": ("attempt(lambda: socket.getaddrinfo('example.org', 80))", HELD),
    "raw socket": ("attempt(lambda: socket.socket(2, 3, 1))", HELD),
    "abstract socket": ("attempt(lambda: socket.socket(1).connect('\\0ABSTRACT'))", HELD),
    "named socket": ("attempt(lambda: socket.socket(1).connect('NAMED'))", HELD),
    "read a file": ("attempt(lambda: open('SECRET').read())", HELD),
    "read home": (
        "for path in HOME:\n    attempt(lambda: open(path).read())\nattempt(lambda: 1 / 0)",
        HELD,
    ),
    "write outside": ("attempt(lambda: open('FOLDER/new', 'w').write('x'))", HELD),
    "write over the interpreter": ("attempt(lambda: open(os.__file__, 'a').write('#'))", HELD),
    "symlink to read": ("os.symlink('SECRET', 's')\nattempt(lambda: open('s').read())", HELD),
    "symlink to write": (
        "os.symlink('FOLDER/new', 's')\nattempt(lambda: open('s', 'w').write('x'))",
        HELD,
    ),
    "climb out": ("attempt(lambda: open('../../../..' + 'SECRET').read())", HELD),
    "chroot": ("attempt(lambda: os.chroot('/tmp'))", HELD),
    "mount": ("attempt(lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))", HELD),
    "remount writable": ("attempt(lambda: libc.mount(None, b'/', None, 32 | 4096, None))", HELD),
    "memory device": ("attempt(lambda: open('/dev/mem', 'rb').read(1))", HELD),
    "make a device": ("attempt(lambda: os.mknod('d', 0o60666, os.makedev(8, 0)))", HELD),
    "terminal": ("attempt(lambda: open('/dev/tty', 'wb').write(b'x'))", HELD),
    "environment of the first process": (
        "attempt(lambda: open('/proc/1/environ').read())",
        HELD,
    ),
    "be root": ("attempt(lambda: os.setuid(0))\nattempt(lambda: os.setresgid(0, 0, 0))", HELD),
    "keep rights over exec": (
        "attempt(lambda: -1 if libc.prctl(39, 0, 0, 0, 0) == 1 else 0)",
        HELD,
    ),
    "host name": ("attempt(lambda: socket.sethostname('x'))", HELD),
    "raise its own limits": (
        "attempt(lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)))",
        HELD,
    ),
    "trace its parent": ("attempt(lambda: libc.ptrace(16, os.getppid(), 0, 0))", HELD),
    "kill its parent": ("attempt(lambda: os.kill(os.getppid(), signal.SIGKILL))", HELD),
    "run a shell": ("attempt(lambda: os.execv('/bin/sh', ['sh', '-c', 'id']))", HELD),
    "shell by subprocess": (
        "import subprocess\nattempt(lambda: subprocess.run('id', shell=True, check=True))",
        HELD,
    ),
    "inherited files": (
        "for n in range(3, 64):\n    try:\n        os.fstat(n)\n    except OSError:\n"
        "        continue\n    print('ESCAPED', n)",
        HELD,
    ),
    "many open files": ("attempt(lambda: [open('/dev/null') for _ in range(200)])", HELD),
    "one large file": ("attempt(lambda: open('f', 'wb').write(bytes(40_000_000)))", HELD),
    "fill tmp": (
        "attempt(lambda: [open(f'f{n}', 'wb').write(bytes(12_000_000)) for n in range(8)])",
        HELD,
    ),
    "many threads": (
        "import threading, time\n"
        "attempt(lambda: [threading.Thread(target=time.sleep, args=(1,), daemon=True).start()"
        " for _ in range(40)])\nsys.stdout.flush()\nos._exit(0)",
        HELD,
    ),
    "fork bomb": (
        "import time\nmade = 0\n"
        "def burst():\n    global made\n    for _ in range(40):\n        if os.fork() == 0:\n"
        "            time.sleep(1)\n            os._exit(0)\n        made += 1\n"
        "attempt(burst)\nassert made <= 8",
        HELD,
    ),
    "zombies": (
        "def litter():\n    for _ in range(40):\n        if os.fork() == 0:\n"
        "            os._exit(0)\nattempt(litter)",
        HELD,
    ),
    "memory bomb": ("x = bytearray(1 << 30)", ("memory",)),
    "memory in small pieces": ("x = [bytes(1 << 20) for _ in range(600)]", ("memory",)),
    "huge output": ("sys.stdout.write('x' * 2_000_000)", ("output",)),
    "huge output on the other end": ("sys.stderr.write('x' * 2_000_000)", ("output",)),
    "sleep forever": ("import time\ntime.sleep(60)", ("timeout",)),
    "catch the alarm": (
        "import time\nfor n in range(1, 32):\n    try:\n"
        "        signal.signal(n, lambda *a: None)\n    except OSError:\n        pass\n"
        "end = time.time() + 60\nwhile time.time() < end:\n    time.sleep(1)",
        ("timeout",),
    ),
    "spin": ("import time\nend = time.time() + 60\nwhile time.time() < end: pass", ("timeout",)),
    "stop itself": ("os.kill(os.getpid(), signal.SIGSTOP)", ("timeout",)),
    "deep recursion": (
        "sys.setrecursionlimit(10**6)\ndef f(n): return n and f(n - 1)\nf(10**6 - 10)\n"
        "x = [[]]\nfor _ in range(10**6): x = [x]\nrepr(x)",
        ("failed", "killed", "memory"),
    ),
    "crash the interpreter": ("ctypes.string_at(0)", ("killed",)),
    "kill its group": ("os.killpg(0, signal.SIGKILL)", ("killed",)),
    "exit code of its own": ("os._exit(7)", ("failed",)),
}


@pytest.mark.parametrize("name", list(ATTACKS))
def test_no_attack_gets_out_and_each_is_called_what_it_was(
    name: str, outside: dict[str, str]
) -> None:
    code, outcomes = ATTACKS[name]
    for word, value in outside.items():
        code = code.replace(word, value)
    limit = 1.0 if outcomes == ("timeout",) else 30.0
    done = run_python(TRY + code, timeout=limit, memory_mb=256)
    assert "ESCAPED" not in done.stdout
    assert "do-not-tell" not in done.stdout
    assert done.outcome in outcomes, done
    if outcomes == HELD and name != "inherited files":
        assert done.stdout.startswith("held:")


def test_there_are_attacks_enough() -> None:
    assert len(ATTACKS) >= 25


DOUBLE = "def f(x):\n    return 2 * x\n"
TESTS = "assert f(2) == 4"
UNRULY: dict[str, tuple[str, str]] = {
    "kill all that it can": (
        "import os\nfor p in range(2, 60):\n    if p != os.getpid():\n        try:\n"
        "            os.kill(p, 9)\n        except OSError:\n            pass\n" + DOUBLE,
        "killed",
    ),
    "kill the judge": ("import os\nos.kill(os.getppid(), 9)\n" + DOUBLE, "killed"),
    "stop the judge": ("import os\nos.kill(os.getppid(), 19)\n" + DOUBLE, "timeout"),
    "forge a verdict": (
        "import os\nfor n in range(64):\n    try:\n"
        '        os.write(n, b\'{"token": "x", "outcome": "ok", "why": ""}\\n\' * 9)\n'
        "    except OSError:\n        pass\n",
        "failed",
    ),
    "leave with success": ("import os\nos._exit(0)", "failed"),
    "print without end": ("def f(x):\n    print('x' * 200_000)\n    return 2 * x", "output"),
    "spin": ("def f(x):\n    while True: pass", "timeout"),
}


def test_in_one_sandbox_no_job_spoils_another() -> None:
    mark = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n"
        "os.makedirs('left/deep')\nos.chmod('left', 0)\nopen('mark', 'w').write('x')\n" + DOUBLE
    )
    look = (
        "import os\ndef f(x):\n    alone = not any(_alive(p) for p in range(3, 60))\n"
        "    return 2 * x if alone and os.listdir('.') == [] else 0\n"
        "def _alive(p):\n    if p in (os.getpid(), os.getppid()): return False\n"
        "    try:\n        os.kill(p, 0)\n        return True\n    except OSError: return False\n"
    )
    codes = [DOUBLE, mark, look]
    for code, _ in UNRULY.values():
        codes += [code, DOUBLE]
    jobs = [TestJob(code, TESTS, "f") for code in codes]
    kinds = [r.outcome for r in run_many(jobs, workers=1, per_sandbox=len(jobs), timeout=4)]
    assert kinds[:3] == ["ok", "ok", "ok"]
    assert kinds[3::2] == [kind for _, kind in UNRULY.values()]
    assert set(kinds[4::2]) == {"ok"}


def test_nothing_is_swept_away_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(_inside.os, "kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr(_inside.os, "listdir", lambda path: pytest.fail("looked into /tmp"))
    assert not _inside.sweep()
    assert sent == []


def test_processor_time_is_limited_whatever_the_clock() -> None:
    done = run_tests("def f(x):\n    while True: pass", TESTS, "f", timeout=120, cpu=1)
    assert done.outcome == "timeout"
    assert done.seconds < 60


def test_helpers_setup_and_types_reach_the_code() -> None:
    code = (
        "class Node:\n    def __init__(self, x): self.x, self.next = x, None\n"
        "def f(node, kind=int):\n    return [node.x, node.next is None, isinstance(3, kind)]\n"
    )
    setup = "root = Node(5)\nroot.next = Node(6)"
    tests = "assert f(root) == [5, False, True]\nassert f(Node(7), str) == [7, True, False]"
    found = run_tests(code, tests, "f", helpers=["Node"], setup=setup)
    assert found.outcome == "ok", found.stderr
    assert run_tests(code, "assert f(root)", "f", helpers=["Nod"]).outcome == "failed"
    # what is no plain data equals nothing, so code can't make its own equality count
    sly = "class E:\n    def __eq__(self, o): return True\ndef f(x): return E()\n"
    assert run_tests(sly, "e = f(1)\nassert e == 4", "f").outcome == "failed"


def test_a_child_left_behind_does_not_hold_up_the_batch() -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n" + DOUBLE
    start = time.monotonic()
    results = run_many([TestJob(code, TESTS, "f")] * 2, workers=1, per_sandbox=2, timeout=30)
    assert [r.outcome for r in results] == ["ok", "ok"]
    assert time.monotonic() - start < 55
