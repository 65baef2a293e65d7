"""The kernel's inotify(7), of which Python has no binding: three calls and a record format."""

from __future__ import annotations

import ctypes
import os
import struct

from gatewayd.typed import NamedTuple

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_DELETE_SELF = 0x400
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ONLYDIR = 0x01000000

_HEADER = struct.Struct("iIII")
_READ_SIZE = 65536


class Event(NamedTuple):
    """One thing that happened in a watched directory."""

    wd: int
    """Which watch; -1 with IN_Q_OVERFLOW."""
    mask: int
    name: str
    """The entry of the directory; empty when it is about the directory itself."""


class Inotify:
    """A queue of events. `fileno` becomes readable when there are some; reading never waits.

    Raises OSError when the kernel gives no queue (fs.inotify.max_user_instances, a sandbox).
    """

    def __init__(self) -> None:
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._fd: int = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except AttributeError as error:
            raise OSError("the C library has no inotify") from error
        if self._fd < 0:
            raise _error("inotify_init1")

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._fd

    def add(self, directory: str, mask: int) -> int:
        """Watch `directory`; a second call for the same one replaces its mask. Returns the watch.

        Raises OSError: no such directory, not readable, or out of watches.
        """
        wd: int = self._libc.inotify_add_watch(
            self._fd, os.fsencode(directory), ctypes.c_uint32(mask)
        )
        if wd < 0:
            raise _error(directory)
        return wd

    def remove(self, wd: int) -> None:
        """Stop a watch. One that the kernel has removed already is let be."""
        self._libc.inotify_rm_watch(self._fd, wd)

    def read(self) -> list[Event]:
        """The events at hand; empty when there are none."""
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return []
        events = []
        at = 0
        while at < len(data):
            wd, mask, _cookie, length = _HEADER.unpack_from(data, at)
            at += _HEADER.size
            events.append(Event(wd, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
            at += length
        return events

    def close(self) -> None:
        """Give the queue and all its watches back."""
        os.close(self._fd)


def _error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), what)
