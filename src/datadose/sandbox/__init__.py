"""Run untrusted Python: model answers, mutants, other people's tests.

Covered, with bubblewrap: no network; of the file system only the Python interpreter, read-only,
and an empty, size-limited /tmp; no /proc, no devices but null, zero and urandom; an empty
environment; own process, IPC and host-name spaces; limits on memory, processor time, file size,
open files and number of processes; a wall clock limit after which every process of the sandbox
is killed, children included; bounded reading of what it prints.

`run_tests` keeps the code under test in a process of its own, which can't write the verdict. It
hands back plain values only, so exiting early, printing, `atexit`, replacing builtins or an object
that equals everything does not pass a test. `run_many` can put several jobs into one sandbox, one
after the other; a supervisor kills every process and deletes every file between them.

Not covered: bugs of the kernel (there is no seccomp filter), side channels such as timing, and
the sum of memory over processes (each has its own limit, and there are at most `PROCESSES`).
Files of the interpreter, and of /usr/lib, can be read. Jobs that share a sandbox share its System V
objects: code bent on it could leave data for a later job, though not a verdict. As root where
namespaces need a user namespace, the kernel does not count processes; then only the wall clock
stops a fork bomb.
`unsafe=True` keeps the limits and nothing else: code sees files and network as the user does, and
a child that leaves its session outlives the run.
"""

from __future__ import annotations

from datadose.sandbox._jobs import TestJob, run_many, run_tests
from datadose.sandbox._result import Kind, SandboxMissing, SandboxResult
from datadose.sandbox._run import run_python
from datadose.sandbox._walls import PROCESSES, available

__all__ = [
    "PROCESSES",
    "Kind",
    "SandboxMissing",
    "SandboxResult",
    "TestJob",
    "available",
    "run_many",
    "run_python",
    "run_tests",
]
