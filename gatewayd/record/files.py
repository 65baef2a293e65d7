"""The files of a record: one a day, or several where a day is too much for one.

`DIRECTORY/PORT/2026-11-25.log`, then `2026-11-25.2.log`, and the same with `.pcapng`. All of this
runs in the writer's thread: any call may take as long as the disk likes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final

from gatewayd.config.sizes import shown_size
from gatewayd.record import pcapng

LOG, PCAPNG = "log", "pcapng"
NAME: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.(\d{1,6}))?\.(log|pcapng)", re.ASCII)
PARTS: Final = 8
"""A file ends at this fraction of what a port may have, so that the oldest can go as a whole."""
_DIRECTORY_MODE, _FILE_MODE = 0o750, 0o640


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """A file of a record, in the order of their beginnings."""

    day: str
    part: int
    kind: str
    path: str


def kept(directory: str) -> list[Kept]:
    """The files of one port, oldest first; none where there is no directory."""
    found = []
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            name = NAME.fullmatch(entry.name)
            if name is not None:
                found.append(Kept(name[1], int(name[2] or 1), name[3], entry.path))
    return sorted(found)


class Shelf:
    """The directory of all records, on a disk of which `free` bytes are left to others."""

    def __init__(self, directory: str, free: int) -> None:
        self.directory = directory
        self.free = free
        self.in_use: set[str] = set()
        """Files that are being written."""
        self._mount: str | None = None

    def check(self) -> None:
        """Make the directory if there is none. Raises OSError, also when it was on a disk that is
        not mounted any more: the one below is not meant."""
        if self._mount is not None and not os.path.ismount(self._mount):
            raise OSError(errno.ENODEV, f"{self._mount} is not mounted any more")
        _make_directory(self.directory)
        if self._mount is None:
            self._mount = _mount_of(self.directory)

    def make_room(self) -> None:
        """Delete the oldest files until enough is free. Raises OSError when that is not enough."""
        if self._room() >= self.free:
            return
        for file in self._all_kept():
            if file.path not in self.in_use:
                os.unlink(file.path)
                if self._room() >= self.free:
                    return
        raise OSError(errno.ENOSPC, f"less than {shown_size(self.free)} free")

    def _room(self) -> int:
        status = os.statvfs(self.directory)
        return status.f_bavail * status.f_frsize

    def _all_kept(self) -> list[Kept]:
        with os.scandir(self.directory) as entries:
            ports = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        return sorted(file for port in ports for file in kept(port))


class Files:
    """The files of one port. `keep` is in days, `most` in bytes."""

    def __init__(self, shelf: Shelf, name: str, *, keep: int, most: int) -> None:
        self.directory = os.path.join(shelf.directory, name)
        self._shelf = shelf
        self._keep = keep
        self._most = most
        self._open: dict[str, _Appender] = {}
        self._size = 0
        """Bytes of all files of the port."""

    def write(self, day: str, text: bytes, packets: bytes, header: bytes) -> None:
        """Append both to the files of `day`; `header` begins a pcapng file.

        Raises OSError, and nothing of what failed is in the files.
        """
        self._shelf.check()
        self._shelf.make_room()
        for kind, data in ((LOG, text), (PCAPNG, packets)):
            if data:
                self._file(day, kind, header).append(data)
                self._size += len(data)
        if self._size > self._most:
            self._prune(day)

    def close(self) -> None:
        """Write no more for now."""
        for file in self._open.values():
            self._shelf.in_use.discard(file.path)
            file.close()
        self._open.clear()

    def _file(self, day: str, kind: str, header: bytes) -> _Appender:
        file = self._open.get(kind)
        if file is not None and file.there and file.day == day and file.size < self._part_size:
            return file
        _make_directory(self.directory)
        part = max(
            (one.part for one in kept(self.directory) if (one.day, one.kind) == (day, kind)),
            default=1,
        )
        if file is not None:
            if file.there and file.day == day:
                part = file.part + 1
            del self._open[kind]
            self._shelf.in_use.discard(file.path)
            file.close()
        file = self._open[kind] = _Appender(self.directory, day, part, kind, header)
        self._shelf.in_use.add(file.path)
        self._prune(day)
        return file

    @property
    def _part_size(self) -> int:
        return self._most // PARTS

    def _prune(self, day: str) -> None:
        oldest = (date.fromisoformat(day) - timedelta(days=self._keep)).isoformat()
        sizes = {file: os.stat(file.path).st_size for file in kept(self.directory)}
        self._size = sum(sizes.values())
        for file, size in sizes.items():
            if file.path in self._shelf.in_use:
                continue
            if file.day <= oldest or self._size > self._most:
                os.unlink(file.path)
                self._size -= size


class _Appender:
    """One open file, to which whole pieces are appended."""

    def __init__(self, directory: str, day: str, part: int, kind: str, header: bytes) -> None:
        """Raises OSError."""
        number = f".{part}" if part > 1 else ""
        self.path = os.path.join(directory, f"{day}{number}.{kind}")
        self.day = day
        self.part = part
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(self.path, flags, _FILE_MODE)
        try:
            status = os.fstat(self._fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, f"{self.path} is no file")
            if status.st_size == 0:
                # Whatever the process's umask is.
                os.fchmod(self._fd, _FILE_MODE)
            self.size = status.st_size
            if kind == PCAPNG:
                self._mend_packets(header)
            else:
                self._mend_text()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def there(self) -> bool:
        """Whether what is open is still what has that name."""
        try:
            return os.path.samestat(os.stat(self.path), os.fstat(self._fd))
        except OSError:
            return False

    def append(self, data: bytes) -> None:
        """Append all of `data`, or nothing. Raises OSError."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)

    def _mend_text(self) -> None:
        """End a line that a crash has cut."""
        if self.size and os.pread(self._fd, 1, self.size - 1) != b"\n":
            self.append(b"\n")

    def _mend_packets(self, header: bytes) -> None:
        """Take away a block that a crash has cut; begin a section if the last one is another."""
        read: Callable[[int, int], bytes] = partial(_read, self._fd)
        if not pcapng.ends_well(self.size, read):
            self.size = pcapng.sound_length(self.size, read)
            os.ftruncate(self._fd, self.size)
        if read(0, len(header)) != header:
            self.append(header)


def _read(fd: int, at: int, length: int) -> bytes:
    return os.pread(fd, length, at)


def _make_directory(path: str) -> None:
    if os.path.isdir(path):
        return
    os.mkdir(path)
    # Whatever the process's umask is.
    os.chmod(path, _DIRECTORY_MODE)


def _mount_of(path: str) -> str:
    """Where the disk of `path` is mounted."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path
