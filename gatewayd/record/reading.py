"""Reads the text of a record: what is there, and what comes, from file to file."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from gatewayd.device.inotify import (
    IN_CREATE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_TO,
    Inotify,
)
from gatewayd.record.files import LOG, Kept, kept
from gatewayd.record.live import hex_row
from gatewayd.record.text import unescaped

STAMP_LENGTH: Final = 29
"""Of `2026-11-25T09:12:03.118+01:00`."""
LOOK_S: Final = 1.0
"""So often it is looked for a directory that is not there yet, or cannot be watched."""
_BLOCK: Final = 1 << 20
_ROW: Final = 16
_MASK: Final = IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF


class Reader:
    """The lines of the record in `directory`, oldest first. All methods raise OSError."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._file: Kept | None = None
        self._fd = -1
        self._at = 0

    def begin(self, since: datetime) -> Iterator[bytes]:
        """The lines from that time on, as far as they are there."""
        day = since.astimezone().date().isoformat()
        self._open(next((file for file in self._files() if file.day >= day), None))
        early = True
        for line in self.more():
            early = early and _stamp(line) < since.timestamp()
            if not early:
                yield line

    def begin_at_end(self, count: int) -> list[bytes]:
        """The last lines, so many of them as are in the last two files."""
        files = self._files()[-2:]
        self._open(files[0] if files else None)
        return list(self.more())[-count:]

    def more(self) -> Iterator[bytes]:
        """The lines that have come since, each with its end."""
        while True:
            yield from self._rest()
            later = self._later()
            if later is None:
                return
            # What was written before the other file was begun.
            yield from self._rest()
            self._open(later)

    def _rest(self) -> Iterator[bytes]:
        """Whole lines only: one that the disk had no room for is taken back by its writer."""
        if self._fd < 0:
            return
        self._at = min(self._at, os.fstat(self._fd).st_size)
        while True:
            data = os.pread(self._fd, _BLOCK, self._at)
            end = data.rfind(b"\n") + 1
            if not end:
                return
            self._at += end
            yield from data[:end].splitlines(keepends=True)

    def _later(self) -> Kept | None:
        """The file to go on with, if it is another one than now."""
        files = self._files()
        now = self._file
        if now is None:
            return files[0] if files else None
        if now in files and not self._is_there(now):
            return now
        return next((file for file in files if file > now), None)

    def _is_there(self, file: Kept) -> bool:
        """Whether what is open is still what has that name."""
        with contextlib.suppress(OSError):
            return os.path.samestat(os.stat(file.path), os.fstat(self._fd))
        return False

    def _files(self) -> list[Kept]:
        return [file for file in kept(self._directory) if file.kind == LOG]

    def _open(self, file: Kept | None) -> None:
        self.close()
        if file is None:
            return
        with contextlib.suppress(FileNotFoundError):
            self._fd = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC)
        self._file, self._at = file, 0

    def close(self) -> None:
        """Give the descriptor back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Growth:
    """Waits for the files in `directory` to become more; it need not be there yet."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._inotify: Inotify | None = None
        self._watched = False
        with contextlib.suppress(OSError):
            self._inotify = Inotify()
        self._watch()

    def _watch(self) -> None:
        if self._inotify is not None:
            with contextlib.suppress(OSError):
                self._inotify.add(self._directory, _MASK)
                self._watched = True

    def wait(self) -> None:
        """Wait until something has changed since the last call."""
        if self._inotify is None or not self._watched:
            time.sleep(LOOK_S)
            self._watch()
            return
        select.select([self._inotify], [], [])
        gone = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED
        if any(event.mask & gone for event in self._inotify.read()):
            self._watched = False
            self._watch()


def in_hex(line: bytes) -> bytes:
    """A line of a record with its bytes in hexadecimal, sixteen to a row; what happened stays.

    The end of the line, which a record does not have, is not there.
    """
    head, content = line[: STAMP_LENGTH + 3], unescaped(line[STAMP_LENGTH + 3 :].rstrip(b"\n"))
    if head[-2:-1] not in b"<>":
        return line
    rows = [content[at : at + _ROW] for at in range(0, len(content), _ROW)] or [b""]
    return b"".join(head + hex_row(row, _ROW) for row in rows)


def _stamp(line: bytes) -> float:
    """When a line began, in seconds since 1970; 0 for one that has no stamp."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(line[:STAMP_LENGTH].decode()).timestamp()
    return 0.0
