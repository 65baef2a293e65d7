"""Who else has a device open, as far as /proc tells."""

from __future__ import annotations

import contextlib
import os
from typing import Final

_PTYS: Final = range(136, 144)


def describe_holder(path: str, besides: int | None = None) -> str | None:
    """Name a process that has `path` open, as `minicom (pid 4711)`; None when none is seen.

    Other users' processes show only to root. Of our own process the descriptor `besides` does not
    count; without `besides` our process is left out.
    """
    try:
        device = _identity(os.stat(path))
    except OSError:
        return None
    own = os.getpid()
    for pid in _pids():
        if pid != own and _has_open(pid, device):
            return f"{program(pid)} (pid {pid})"
    if besides is not None and _has_open(own, device, besides):
        return f"this process (pid {own})"
    return None


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _identity(status: os.stat_result) -> tuple[int, int]:
    """The device's number, whatever the path: containers have nodes of their own.

    PTYs are numbered anew in each devpts.
    """
    number = status.st_rdev
    return number, status.st_dev if os.major(number) in _PTYS else 0


def _has_open(pid: int, device: tuple[int, int], besides: int = -1) -> bool:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return False
    for name in names:
        with contextlib.suppress(OSError):
            link = f"{directory}/{name}"
            # Few descriptors are devices, and a link is read faster than its target is looked at.
            if not os.readlink(link).startswith("/dev/") or int(name) == besides:
                continue
            if _identity(os.stat(link)) == device:
                return True
    return False


def program(pid: int) -> str:
    """The name of a process, for a message."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return "a process"
