"""Opens files that somebody has named: regular ones only, since another could hang, or be a
device."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, Final

NOUNS: Final = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class IrregularError(OSError):
    """It is no regular file, and no directory either; `strerror` says what, and what would do."""

    strerror: str


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file, to read. Raises OSError, as IrregularError; what is not regular is not opened."""
    _judge(os.stat(path))
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        # It may be another one by now.
        _judge(os.fstat(fd))
    except OSError:
        os.close(fd)
        raise
    return os.fdopen(fd, "rb")


def _judge(found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if kind != stat.S_IFREG:
        noun = NOUNS.get(kind, "something else")
        raise IrregularError(errno.EINVAL, f"is {noun}; name a regular file")
