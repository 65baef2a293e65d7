"""UUCP lock files: how minicom, picocom, ser2net and others tell each other that a tty is taken.

FHS 3.0, 5.9: `LCK..ttyS0`, in which the process ID stands as ten characters and a newline. They are
good manners only; what keeps others off is TIOCEXCL and flock.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import Final

from gatewayd.errors import DeviceBusyError
from gatewayd.line.holder import program

DIRECTORY: Final = "/run/lock"
"""`/var/lock` is a link to it."""


def refuse_if_locked(device: str) -> None:
    """Raises DeviceBusyError when a process that is there has locked the tty at `device`."""
    path = _path_for(device)
    owner = _owner(path)
    if owner is not None and owner != os.getpid() and _lives(owner):
        raise DeviceBusyError(f"{device} is locked by {program(owner)} (pid {owner}), see {path}")


def lock(device: str) -> UucpLock:
    """Lock the tty at `device`, which we have open alone. Where that cannot be it is not locked:
    the directory may be read only, the lock file somebody else's.

    A lock whose process is gone is replaced.
    """
    path = _path_for(device)
    owner = _owner(path)
    if owner is not None and owner != os.getpid() and _lives(owner):
        return UucpLock(None)
    # With its content at once: nobody may take a lock that is being written for a stale one.
    own = f"{path}.{os.getpid()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        fd = os.open(own, flags, 0o644)
        try:
            os.write(fd, f"{os.getpid():10d}\n".encode())
            status = os.fstat(fd)
        finally:
            os.close(fd)
        os.replace(own, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(own)
        return UucpLock(None)
    return UucpLock(path, (status.st_dev, status.st_ino))


class UucpLock:
    """A lock file of ours; None is none."""

    def __init__(self, path: str | None, file: tuple[int, int] = (0, 0)) -> None:
        self._path = path
        self._file = file

    def release(self) -> None:
        """Take the file away, unless it is another's by now."""
        path, self._path = self._path, None
        # Without a descriptor to be had nobody is named; left there it would lock the device.
        if path is not None and _owner(path) in (None, os.getpid()):
            with contextlib.suppress(OSError):
                status = os.lstat(path)
                if (status.st_dev, status.st_ino) == self._file:
                    os.unlink(path)


def _path_for(device: str) -> str:
    name = os.path.realpath(device).removeprefix("/dev/").replace("/", "_")
    return f"{DIRECTORY}/LCK..{name}"


def _owner(path: str) -> int | None:
    """The process that a lock file names; 0 when it names none, None when there is no such file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return 0
        text = os.read(fd, 64)
    except OSError:
        return 0
    finally:
        os.close(fd)
    found = re.match(rb"\s*(\d{1,10})\s", text + b"\n")
    if found:
        return int(found[1])
    # Before HoneyDanBer UUCP it was the number itself.
    return int.from_bytes(text, "little") if len(text) == 4 else 0


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
