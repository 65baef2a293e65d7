"""Processes: where they run, and what the kernel tells of them while they do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SCHED = 2
"""CPUCLOCK_SCHED: clock_getcpuclockid(3) makes such a number, but Python has it not."""


_pins = [True]


@contextmanager
def unpinned() -> Iterator[None]:
    """In the block `on_core` leaves it to the scheduler what runs where."""
    _pins.append(False)
    try:
        yield
    finally:
        _pins.pop()


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Processes started in the block run on one of the cores allowed to us: the `number`th."""
    if not _pins[-1]:
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def pss_mb(pid: int) -> float:
    """Proportional set size in MB (10**6 bytes): shared pages are counted in shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"no Pss in /proc/{pid}/smaps_rollup")


def wakeups(pid: int) -> int:
    """How often the threads of a process have gone to sleep so far, hence been woken."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far, in seconds, by its CPU clock.

    Raises OSError when there is no such process.
    """
    return time.clock_gettime(~pid << 3 | _SCHED)


def whole_cpu_seconds(pid: int) -> float:
    """The same with the children that it has waited for, whose share is counted in ticks of 10 ms.

    Raises OSError when there is no such process.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = int(fields[13]) + int(fields[14])  # cutime and cstime, see proc(5)
    return cpu_seconds(pid) + children / os.sysconf("SC_CLK_TCK")
