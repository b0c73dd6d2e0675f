"""On which CPU IREE's threads run, and who may interrupt them: what Linux is told, and why."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_TASKS = Path("/proc/self/task")


def own_cpus(threads: int) -> list[int]:
    """A CPU for each of several threads, if there are as many; else none, which Linux chooses."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    cpus = sorted(os.sched_getaffinity(0))
    return cpus if len(cpus) == threads > 1 else []


def workers() -> frozenset[int]:
    """IREE's worker threads in this process; none where Linux doesn't say."""
    found = set()
    with contextlib.suppress(OSError):
        for task in _TASKS.iterdir():
            with contextlib.suppress(OSError):  # it has ended
                if (task / "comm").read_text().startswith("iree-worker"):
                    found.add(int(task.name))
    return frozenset(found)


def pin(before: frozenset[int], cpus: Sequence[int]) -> None:
    """Give each worker that was not there `before` a CPU of its own.

    After a pause, Linux wakes workers on the CPU of the thread that wakes them, two on one, and
    takes dozens of milliseconds to part them: MobileNetV2 then took 8 ms a run, pinned it takes 5.
    IREE can pin them itself, but what it takes for that can't be taken back.
    """
    if not _TASKS.is_dir():
        return
    deadline = time.monotonic() + 1  # threads name themselves when they start
    while len(new := sorted(workers() - before)) < len(cpus) and time.monotonic() < deadline:
        time.sleep(0.001)
    if len(new) != len(cpus):
        return
    for worker, cpu in zip(new, cpus, strict=True):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(worker, {cpu})


@contextlib.contextmanager
def not_preempting() -> Iterator[None]:
    """Have this thread, when it is woken, wait until a CPU is free instead of interrupting another.

    The worker that ends a run wakes the caller, and then sets a flag that the caller spins for. If
    the caller takes the worker's CPU at once, it spins until its time is up, 4 ms later: on two
    CPUs that happened to every third run.
    """
    is_changed = False
    try:
        with contextlib.suppress(AttributeError, OSError):  # not Linux, or a sandbox forbids it
            if os.sched_getscheduler(0) == os.SCHED_OTHER:
                is_changed = True
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        yield
    finally:
        if is_changed:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
