"""Who else has a device open, as far as /proc tells."""

from __future__ import annotations

import contextlib
import os


def describe_holder(path: str, besides: int | None = None) -> str | None:
    """Name a process that has `path` open, as `minicom (pid 4711)`; None when none is seen.

    Other users' processes show only to root. Of our own process the descriptor `besides` does not
    count; without `besides` our process is left out.
    """
    device = os.path.realpath(path)
    own = os.getpid()
    for pid in _pids():
        if pid != own and _has_open(pid, device):
            return f"{_program(pid)} (pid {pid})"
    if besides is not None and _has_open(own, device, besides):
        return f"this process (pid {own})"
    return None


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _has_open(pid: int, device: str, besides: int = -1) -> bool:
    directory = f"/proc/{pid}/fd"
    try:
        names = os.listdir(directory)
    except OSError:
        return False
    for name in names:
        with contextlib.suppress(OSError):
            if int(name) != besides and os.readlink(f"{directory}/{name}") == device:
                return True
    return False


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().strip()
    except OSError:
        return "a process"
