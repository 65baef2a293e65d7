"""A file system whose process a test can stop, as a card that stalls: usage DIRECTORY MOUNTPOINT.

Everything is passed on to DIRECTORY.
"""

from __future__ import annotations

import os
import sys

import fuse

fuse.fuse_python_api = (0, 2)
ROOT = sys.argv[1]


def real(path: str) -> str:
    return ROOT + path


class Passing(fuse.Fuse):  # type: ignore[misc]
    """Files by their paths; nothing is kept open."""

    def getattr(self, path: str) -> os.stat_result:
        return os.lstat(real(path))

    def readdir(self, path: str, offset: int) -> object:
        for name in (".", "..", *os.listdir(real(path))):
            yield fuse.Direntry(name)

    def mkdir(self, path: str, mode: int) -> None:
        os.mkdir(real(path), mode)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(real(path), mode)

    def unlink(self, path: str) -> None:
        os.unlink(real(path))

    def mknod(self, path: str, mode: int, device: int) -> None:
        os.mknod(real(path), mode, device)

    def open(self, path: str, flags: int) -> None:
        os.close(os.open(real(path), flags & os.O_ACCMODE))

    def read(self, path: str, size: int, offset: int) -> bytes:
        with open(real(path), "rb") as file:
            return os.pread(file.fileno(), size, offset)

    def write(self, path: str, data: bytes, offset: int) -> int:
        fd = os.open(real(path), os.O_WRONLY)
        try:
            return os.pwrite(fd, data, offset)
        finally:
            os.close(fd)

    def truncate(self, path: str, size: int) -> None:
        os.truncate(real(path), size)

    def statfs(self) -> os.statvfs_result:
        return os.statvfs(ROOT)


server = Passing(dash_s_do="setsingle")
server.parse(["-f", "-s", sys.argv[2]])
server.main()
