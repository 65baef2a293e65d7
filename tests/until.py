"""Waiting for what happens, by whatever tells of it: an event, a turn of the loop, a file, a PTY,
the table of mounts. The last one is for what tells nobody, and can only be asked."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from gatewayd.device import inotify
from gatewayd.device.inotify import Inotify

PATIENCE: Final = 45.0
"""Seconds until what must happen has not happened, also on a machine with ten times as much to do:
there the start of a daemon alone may take twenty."""
_IN_OPEN: Final = 0x20
_TIOCGPTN: Final = 0x80045430
"""Which number a PTY has, asked of its master."""
_CHANGES: Final = (
    inotify.IN_MODIFY
    | inotify.IN_ATTRIB
    | inotify.IN_CREATE
    | inotify.IN_DELETE
    | inotify.IN_MOVED_TO
    | inotify.IN_MOVED_FROM
)


async def until(
    condition: Callable[[], object], changed: asyncio.Event, seconds: float = PATIENCE
) -> None:
    """Look first, then after each setting of `changed`, until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            changed.clear()
            await changed.wait()


async def turning(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the loop turn until `condition` holds, which only what runs in the loop can bring about:
    it is looked at after every turn."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a turn is the event
            await asyncio.sleep(0)


def until_files(condition: Callable[[], bool], *places: Path, seconds: float = PATIENCE) -> None:
    """Look first, then after each change at one of `places` or in it, until `condition` holds. A
    place and the directory that it is in may come later."""
    deadline = time.monotonic() + seconds
    with closing(Inotify()) as watch:
        while True:
            for place in places:
                # From above, so that what comes meanwhile is an event.
                for one in (place.parent.parent, place.parent, place):
                    with suppress(FileNotFoundError, NotADirectoryError):
                        watch.add(str(one), _CHANGES)
            watch.read()
            if condition():
                return
            left = deadline - time.monotonic()
            assert left > 0, f"it does not come to be so: {condition}"
            select.select([watch], [], [], left)


@contextmanager
def openings(master: int) -> Iterator[Inotify]:
    """What becomes readable when somebody opens the other end of a PTY."""
    (number,) = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, bytes(4)))
    with closing(Inotify()) as watch:
        watch.add(f"/dev/pts/{number}", _IN_OPEN)
        yield watch


def until_mounted(path: Path, pid: int) -> bool:
    """Wait until `path` is a mount point; false when the process that mounts it has ended."""
    with open("/proc/self/mounts", "rb") as mounts:
        ended = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(mounts, select.POLLPRI)
            poll.register(ended, select.POLLIN)
            deadline = time.monotonic() + PATIENCE
            while not os.path.ismount(path):
                left = deadline - time.monotonic()
                assert left > 0, f"{path} is not mounted"
                if ended in dict(poll.poll(left * 1000)):
                    return False
            return True
        finally:
            os.close(ended)


def asked(
    condition: Callable[[], object],
    *,
    every: float = 0.02,
    first: float | None = None,
    seconds: float = PATIENCE,
) -> None:
    """Ask again and again until `condition` holds: for /proc and programs of others, which answer
    and tell nobody. `every` is what an answer may cost them; at the beginning it is `first`."""
    deadline = time.monotonic() + seconds
    pause = every if first is None else first
    while not condition():
        assert time.monotonic() < deadline, f"it does not come to be so: {condition}"
        time.sleep(pause)
        pause = min(pause * 1.5, every)
