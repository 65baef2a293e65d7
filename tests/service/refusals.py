"""What a daemon asks of the system, refused at the n-th time: refusals.c, and its controls."""

from __future__ import annotations

import enum
import errno
import mmap
import struct
import subprocess
from pathlib import Path
from typing import Final

_RULE: Final = struct.Struct("<5I")
_EVER: Final = 0xFFFFFFFF


class Kind(enum.IntEnum):
    """What is counted and refused together, numbered as in refusals.c."""

    DESCRIPTOR = 0
    WATCH = 1
    """epoll_ctl."""
    NOTIFY = 2
    """inotify_add_watch."""
    THREAD = 3
    OPTION = 4
    """setsockopt."""
    BIND = 5
    """bind and listen."""
    RECEIVE = 6
    SEND = 7
    TTY_READ = 8
    TTY_WRITE = 9
    TTY_IOCTL = 10
    MEMORY = 11
    """Blocks of 4000 bytes and more."""


ERRORS: Final = {
    Kind.DESCRIPTOR: (errno.EMFILE, errno.ENOMEM),
    Kind.WATCH: (errno.ENOMEM, errno.ENOSPC),
    Kind.NOTIFY: (errno.ENOSPC,),
    Kind.THREAD: (errno.EAGAIN,),
    Kind.OPTION: (errno.ENOBUFS,),
    Kind.BIND: (errno.ENOBUFS,),
    Kind.RECEIVE: (errno.ENOMEM,),
    Kind.SEND: (errno.ENOBUFS,),
    Kind.TTY_READ: (errno.EIO, errno.ENOMEM, errno.EINTR),
    Kind.TTY_WRITE: (errno.EIO, errno.ENOSPC, errno.ENOMEM, errno.EINTR),
    Kind.TTY_IOCTL: (errno.EIO, errno.ENOMEM, errno.EINTR),
    Kind.MEMORY: (errno.ENOMEM,),
}
"""What each is refused with."""


def build(directory: Path) -> Path:
    """Compile refusals.c; the library."""
    library = directory / "refusals.so"
    source = Path(__file__).with_name("refusals.c")
    flags = ["-O1", "-Wall", "-Werror", "-shared", "-fPIC"]
    subprocess.run(["cc", *flags, "-o", str(library), str(source), "-ldl"], check=True)
    return library


class Refusals:
    """The controls of one daemon; counting begins when it opens `first`."""

    def __init__(self, library: Path, directory: Path, first: Path) -> None:
        path = directory / "rules"
        with path.open("w+b") as file:
            file.truncate(mmap.PAGESIZE)
            self._rules = mmap.mmap(file.fileno(), mmap.PAGESIZE)
        self.environment = {
            "LD_PRELOAD": str(library),
            "REFUSALS": str(path),
            "REFUSALS_FROM": str(first),
        }
        """What the daemon needs to have in its own."""

    def calls(self, kind: Kind) -> int:
        """How many there were."""
        return self._rule(kind)[0]

    def refused(self, kind: Kind) -> int:
        """How many of them were refused."""
        return self._rule(kind)[4]

    def refuse(self, kind: Kind, number: int, error: int, *, lasting: bool) -> None:
        """Refuse the `number`-th call from now, the first being 1; and all after it if that is
        `lasting`."""
        first = self.calls(kind) + number
        last = _EVER if lasting else first + 1
        struct.pack_into("<3I", self._rules, kind * _RULE.size + 4, first, last, error)

    def lift(self) -> None:
        """Refuse nothing."""
        for kind in Kind:
            struct.pack_into("<I", self._rules, kind * _RULE.size + 4, 0)

    def close(self) -> None:
        """Give the memory back."""
        self._rules.close()

    def _rule(self, kind: Kind) -> tuple[int, ...]:
        return _RULE.unpack_from(self._rules, kind * _RULE.size)
