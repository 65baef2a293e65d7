"""The thread that writes all records: a disk may stall, a port must not.

It sleeps until it is given something. What it is given is bounded by who gives it; see
`gatewayd.record.recorder`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from gatewayd.log import Happening, note
from gatewayd.record import pcapng
from gatewayd.record.files import Files
from gatewayd.record.pcapng import Event
from gatewayd.record.stamps import Stamps

RETRY_S: Final = 5.0
"""A record that could not be written is tried again with the first bytes after so long."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be appended to the files of one port."""

    track: Track
    day: str
    when: float
    """Of the first of it."""
    text: bytes
    packets: bytes
    payload: int
    """Bytes of the line in it."""
    lost: int = 0
    """Bytes of the line that were dropped before it."""
    gap: bool = False
    """Something was dropped before it."""
    last: bool = False
    """The record ends with it."""

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return len(self.text) + len(self.packets)


class Track:
    """How far the record of one port is written. Only the thread changes it."""

    def __init__(self, name: str, files: Files, header: bytes) -> None:
        self.name = name
        self.files = files
        self.header = header
        self.cause = ""
        """Why it cannot be written; empty when it can."""
        self.lost = 0
        """Bytes of the line that could not be written, since the beginning."""
        self.unmarked = 0
        self.gap = False
        self.retry_at = 0.0


class Writer:
    """Writes batches in their order. `tell` runs a call in the loop."""

    def __init__(self, tell: Callable[..., object]) -> None:
        self.written = 0
        """Bytes of batches that are done with."""
        self._tell = tell
        self._stamps = Stamps()
        self._queue: SimpleQueue[Batch | Callable[[], object]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def give(self, batch: Batch) -> None:
        """Have it written. Raises RuntimeError when no thread can be had."""
        self._start()
        self._queue.put(batch)

    def then(self, call: Callable[[], object]) -> None:
        """Run `call` in the loop when all that was given is written. Raises RuntimeError."""
        self._start()
        self._queue.put(call)

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="record", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if not isinstance(work, Batch):
                self._in_loop(work)
                continue
            try:
                self._write(work)
            except Exception as error:  # noqa: BLE001 - told, and the end of nothing else
                self._stop(work, error)
            finally:
                self.written += work.size

    def _write(self, batch: Batch) -> None:
        track = batch.track
        track.unmarked += batch.lost
        track.gap = track.gap or batch.gap
        if track.cause and time.monotonic() < track.retry_at and not batch.last:
            self._lose(batch)
            return
        try:
            text, packets = batch.text, batch.packets
            if track.gap:
                mark, packet = self._mark(track.unmarked, batch.when)
                text, packets = mark + text, packet + packets if track.header else b""
            track.files.write(batch.day, text, packets, track.header)
        except OSError as error:
            self._stop(batch, error)
            return
        if track.gap:
            told = "recording goes on; %d bytes of the line are not in the record"
            self._note(Happening.RECORD_GAP, track, told, track.unmarked)
        track.unmarked, track.gap, track.cause = 0, False, ""
        if batch.last:
            track.files.close()

    def _mark(self, lost: int, when: float) -> tuple[bytes, bytes]:
        text = f"{lost} bytes not recorded" if lost else "something is not recorded"
        line = b"%b ! %b\n" % (self._stamps.stamp(when), text.encode())
        return line, pcapng.packet(Event.DATA_LOST, when, comment=text)

    def _stop(self, batch: Batch, error: Exception) -> None:
        track = batch.track
        track.retry_at = time.monotonic() + RETRY_S
        cause = (isinstance(error, OSError) and error.strerror) or repr(error)
        if not track.cause:
            text = "recording stops, the port goes on: %s: %s"
            self._note(Happening.RECORD_STOPPED, track, text, track.files.directory, cause)
        track.cause = cause
        self._lose(batch)

    def _lose(self, batch: Batch) -> None:
        track = batch.track
        track.gap = True
        track.unmarked += batch.payload
        track.lost += batch.payload
        if batch.last:
            track.files.close()

    def _note(self, happening: Happening, track: Track, text: str, *args: object) -> None:
        level = logging.WARNING
        self._in_loop(lambda: note(happening, text, *args, level=level, port=track.name))

    def _in_loop(self, call: Callable[[], object]) -> None:
        try:
            self._tell(call)
        except RuntimeError:
            # The loop is closed: nobody wants to know any more.
            return
