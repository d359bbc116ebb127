"""The bubblewrap command line, and whether it works on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from datadose.sandbox._result import SandboxMissing

PROCESSES = 8
TMP_BYTES = 64 * 1024 * 1024
INSTALL = "apt-get install bubblewrap"
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
SYSTEM = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/lib", "/lib64", "/lib32")


def interpreter() -> str:
    """Real path of the interpreter that a virtual environment was made from."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def python_paths() -> list[str]:
    """What the interpreter reads: its own file, its library folders, the loader's cache."""
    base = os.path.realpath(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # a Python under /usr/local or a private prefix needs no more than its lib folders
    wanted = [interpreter(), f"{base}/lib", f"{base}/lib64", f"{base}/lib/{version}"]
    wanted += ["/etc/ld.so.cache", "/nix/store" if base.startswith("/nix/") else ""]
    kept: list[str] = []
    for path in wanted:
        real = os.path.realpath(path) if path else ""
        inside = any(real.startswith(f"{p}/") for p in [*SYSTEM, *kept])
        if path and os.path.exists(real) and real not in (*kept, *SYSTEM) and not inside:
            kept.append(real)
    return kept


def _mounts() -> list[str]:
    links = [(os.readlink(path), path) for path in SYSTEM if os.path.islink(path)]
    folders = [path for path in SYSTEM if os.path.isdir(path) and not os.path.islink(path)]
    shown = [*folders, *python_paths()]
    # bubblewrap makes parents unreadable for others, and the code runs as another user
    parents = {str(parent) for path in [*shown, *DEVICES] for parent in Path(path).parents}
    args = [a for p in sorted(parents - {"/"}) for a in ("--perms", "0755", "--dir", p)]
    args += [a for path in shown for a in ("--ro-bind", path, path)]
    args += [a for target, path in links for a in ("--symlink", target, path)]
    return args + [a for device in DEVICES for a in ("--dev-bind", device, device)]


def _namespaces(as_root: bool) -> list[str]:
    if not as_root:
        return ["--unshare-all", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    # real root: without a user namespace the code can be given a user id of its own, and only
    # then does the kernel count its processes (it never counts root's)
    spaces = ["ipc", "pid", "net", "uts", "cgroup-try"]
    kept = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*(f"--unshare-{s}" for s in spaces), *kept]


@lru_cache(maxsize=1)
def _sized() -> list[str]:
    shown = subprocess.run(["bwrap", "--help"], capture_output=True, text=True, check=False)
    return ["--size", str(TMP_BYTES)] if "--size" in shown.stdout + shown.stderr else []


def _command(as_root: bool) -> list[str]:
    # the root is made read-only last: it is a tmpfs without a size limit
    return [
        shutil.which("bwrap") or "bwrap",
        *_namespaces(as_root),
        *("--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"),
        *_mounts(),
        *("--perms", "1777", *_sized(), "--tmpfs", "/tmp", "--chdir", "/tmp"),
        *("--remount-ro", "/"),
    ]


def _trial(as_root: bool) -> str | None:
    drop = "import os; os.setresgid(*[61184]*3); os.setresuid(*[61184]*3);" if as_root else ""
    line = [*_command(as_root), interpreter(), "-I", "-S", "-c", drop + "import json, resource"]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=20, check=False, env={}, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit {done.returncode}")


@lru_cache(maxsize=1)
def _choose() -> tuple[bool, str | None]:
    """Whether to start as root without a user namespace, and why there is no sandbox."""
    if not sys.platform.startswith("linux"):
        return False, f"bubblewrap is for Linux, this is {sys.platform}"
    if shutil.which("bwrap") is None:
        return False, "bwrap is not installed"
    if os.geteuid() == 0 and _trial(as_root=True) is None:
        return True, None
    reason = _trial(as_root=False)
    return False, None if reason is None else f"bwrap does not work here: {reason[:300]}"


def available() -> str | None:
    """None where the sandbox works, else the reason why it does not."""
    return _choose()[1]


def walls() -> tuple[list[str], bool]:
    """The command that puts a program in the sandbox, and whether it must drop root itself.

    Raises SandboxMissing with the reason and the install command.
    """
    as_root, reason = _choose()
    if reason is not None:
        raise SandboxMissing(
            f"code from a model runs only in a sandbox, and there is none: {reason}",
            next_step=f"{INSTALL} (or unsafe=True, which runs the code with your own rights)",
        )
    return _command(as_root), as_root
