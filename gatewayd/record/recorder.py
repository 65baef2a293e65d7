"""Records of ports: taps that format what passes, and one writer for all.

Formatting is the loop's, many chunks at once; the disk is the writer's. What waits for the disk is
bounded: beyond that it is dropped, counted and marked in the record.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from gatewayd import __version__
from gatewayd.config.schema import PortConfig, RecordConfig, RecordMode
from gatewayd.log import Happening, note
from gatewayd.port.event import PortEvent
from gatewayd.port.port import Port
from gatewayd.record import pcapng
from gatewayd.record.files import Files, Shelf
from gatewayd.record.pcapng import Packets
from gatewayd.record.side import Side
from gatewayd.record.stamps import Stamps
from gatewayd.record.telling import Teller, Told
from gatewayd.record.text import TextFormat
from gatewayd.record.writer import Batch, Track, Writer

FLUSH_S: Final = 0.5
"""What is recorded is in the file so soon."""
REST_S: Final = 1.0
"""An unfinished line that rests so long is written as it is."""
FRESH: Final = 2048
"""Bytes that are formatted at once: random ones take a quarter of a millisecond."""
AT_ONCE: Final = 4
"""Records that are flushed before other work has its turn."""
BATCH: Final = 65536
"""Bytes that go to the writer at once."""
MOST_WAITING: Final = 4 << 20
"""Bytes of all ports that may wait for the disk, beside one batch of each port."""


class Recorder:
    """All records. `directory` and `free` come from `config`."""

    def __init__(self, config: RecordConfig, loop: asyncio.AbstractEventLoop) -> None:
        self.config = config
        self.stamps = Stamps()
        self._loop = loop
        self._shelf = Shelf(config.directory, config.free)
        self._writer = Writer(loop.call_soon_threadsafe)
        self._given = 0
        self._records: set[Record] = set()
        self._fresh: set[Record] = set()
        self._due: list[Record] = []
        """Those of them whose turn it is."""
        self._timer: asyncio.Handle | None = None

    @property
    def full(self) -> bool:
        """Whether as much waits for the disk as may."""
        return self._given - self._writer.written >= MOST_WAITING

    def begin(self, port: Port) -> Record:
        """Record a port as its configuration says, from now on."""
        record = Record(self, port)
        self._records.add(record)
        port.hub.add(record, signals=True, errors=True)
        record.tell(f"recording begins, gatewayd {__version__}")
        return record

    def end(self, record: Record) -> None:
        """Record a port no more."""
        self._records.remove(record)
        record.port.hub.remove(record)
        record.finish()

    def files(self, config: PortConfig) -> Files:
        """The files of a port."""
        limits = config.log
        return Files(self._shelf, config.name, keep=limits.keep, most=limits.max)

    def move(self, config: RecordConfig) -> None:
        """Go on elsewhere, or leave other room to others."""
        self.config = config
        self._shelf = Shelf(config.directory, config.free)
        for record in self._records:
            record.begin_again()

    async def stop(self, seconds: float) -> None:
        """End all records, and wait until they are written; not for ever."""
        for record in tuple(self._records):
            self.end(record)
        if self._timer is not None:
            self._timer.cancel()
        written = asyncio.Event()
        try:
            self._writer.then(written.set)
            async with asyncio.timeout(seconds):
                await written.wait()
        except (TimeoutError, RuntimeError):
            text = "%d bytes of records are not on the disk in time"
            waiting = self._given - self._writer.written
            note(Happening.RECORD_GAP, text, waiting, level=logging.WARNING)

    def freshen(self, record: Record) -> None:
        """Something of `record` waits; it is given to the writer soon."""
        self._fresh.add(record)
        if self._timer is None:
            self._timer = self._loop.call_later(FLUSH_S, self._flush)

    def _flush(self) -> None:
        self._due = list(self._fresh)
        self._flush_some()

    def _flush_some(self) -> None:
        now = time.time()
        for record in self._due[:AT_ONCE]:
            if not record.flush(now):
                self._fresh.discard(record)
        del self._due[:AT_ONCE]
        if self._due:
            self._timer = self._loop.call_soon(self._flush_some)
        elif self._fresh:
            self._timer = self._loop.call_later(FLUSH_S, self._flush)
        else:
            self._timer = None

    def give(self, batch: Batch) -> bool:
        """Have a batch written; False when that cannot be."""
        try:
            self._writer.give(batch)
        except RuntimeError:
            # There is no thread to be had: with the next batch it is tried again.
            return False
        self._given += batch.size
        return True


class Record:
    """The record of one port: a tap."""

    def __init__(self, recorder: Recorder, port: Port) -> None:
        self.port = port
        config = self._config = port.config
        self._recorder = recorder
        self._both = config.record is RecordMode.BOTH
        self._text = TextFormat(recorder.stamps.stamp)
        signals = port.settling.signals()
        self._teller = Teller(signals, port.settling.errors())
        self._packets = Packets(signals) if config.pcapng else None
        self._track = Track(port.name, recorder.files(config), _header(config))
        self._when = time.time()
        self._day = recorder.stamps.day(self._when)
        self._fresh: list[tuple[float, bytes]] = []
        """What one side said, with the times, that is not formatted yet: many chunks at once are
        cheaper than each by itself."""
        self._fresh_side = Side.DEVICE
        self._fresh_size = 0
        self._lines = bytearray()
        self._blocks = bytearray()
        self._payload = 0
        self._dropped = 0
        """Bytes that were dropped since the last batch."""
        self._gap = False
        self._lost = 0

    @property
    def lost(self) -> int:
        """Bytes of the line that are not in the record, since it began."""
        return self._lost + self._track.lost

    @property
    def directory(self) -> str:
        """Where its files are."""
        return self._track.files.directory

    @property
    def cause(self) -> str:
        """Why nothing can be written; empty when it can."""
        return self._track.cause

    def follow(self, config: PortConfig) -> bool:
        """Whether it goes on with this configuration."""
        before, self._config = self._config, config
        return (before.record, before.log, before.pcapng) == (
            *(config.record, config.log, config.pcapng),
        )

    # ---- the tap

    def from_line(self, data: bytes) -> None:
        """See `Tap`."""
        self._said(Side.DEVICE, data)

    def to_line(self, data: bytes) -> None:
        """See `Tap`."""
        if self._both:
            self._said(Side.CLIENT, data)

    def happened(self, event: PortEvent) -> None:
        """See `Tap`."""
        control = self.port.settling
        for told in self._teller.told(event, control.signals(), control.errors()):
            self._tell(told)

    def tell(self, text: str) -> None:
        """Something about the record itself."""
        self._tell(Told(text))

    def _said(self, side: Side, data: bytes) -> None:
        fresh = self._fresh
        if not fresh:
            self._recorder.freshen(self)
            self._fresh_side = side
        elif side is not self._fresh_side:
            self._format()
            self._fresh_side = side
        fresh.append((time.time(), data))
        self._fresh_size += len(data)
        if self._fresh_size >= FRESH:
            self._format()

    def _format(self) -> None:
        """Make lines and packets of what was said."""
        side, fresh, size = self._fresh_side, self._fresh[:], self._fresh_size
        if not fresh:
            return
        self._fresh.clear()
        self._fresh_size = 0
        if self._recorder.full:
            self._drop(size)
            return
        day = self._recorder.stamps.day
        last = day(fresh[-1][0])
        today = [one for one in fresh if day(one[0]) != last] if day(fresh[0][0]) != last else []
        for chunks in (today, fresh[len(today) :]):
            if chunks:
                self._begin(chunks[0][0])
                self._lines += self._text.said_all(side, chunks)
                if self._packets is not None:
                    self._blocks += self._packets.said_all(side, chunks)
        self._payload += size
        if len(self._lines) + len(self._blocks) >= BATCH:
            self._give()

    def _tell(self, told: Told) -> None:
        self._format()
        when = time.time()
        self._recorder.freshen(self)
        if self._recorder.full:
            self._drop(0)
            return
        self._begin(when)
        self._lines += self._text.happened(told.text, when)
        if self._packets is None:
            return
        if told.signals is not None:
            self._blocks += self._packets.signals(told.signals, when, told.text)
        else:
            self._blocks += self._packets.happened(
                told.event, when, told.text, outbound=told.outbound
            )

    def _begin(self, when: float) -> None:
        """Something of `when` follows: in files of its day."""
        day = self._recorder.stamps.day(when)
        if day != self._day:
            self._close_lines()
            self._give()
            self._day = day
        if not self._lines and not self._blocks:
            self._when = when

    def _drop(self, count: int) -> None:
        if not self._gap:
            text = "the disk does not keep up: recording stops, the port goes on"
            note(Happening.RECORD_STOPPED, text, port=self.port.name, level=logging.WARNING)
            # What comes next is no continuation of what was before.
            self._close_lines()
            self._give()
            self._gap = True
            self._recorder.freshen(self)
        self._dropped += count
        self._lost += count

    # ---- to the writer

    def flush(self, now: float) -> bool:
        """Give the writer what there is, and what is unfinished and rests; return whether there is
        more to ask for."""
        self._format()
        self._lines += self._text.flush(now - REST_S)
        if self._packets is not None:
            self._blocks += self._packets.flush(now - pcapng.PAUSE_S)
        self._give()
        open_packet = self._packets is not None and self._packets.open
        return self._gap or self._text.open or open_packet

    def finish(self) -> None:
        """The record is over."""
        self.tell("recording ends")
        self._close_lines()
        self._give(last=True)

    def begin_again(self) -> None:
        """End the files, and go on in new ones."""
        self._lost = self.lost
        self.finish()
        self._track = Track(self.port.name, self._recorder.files(self._config), self._track.header)
        self.tell(f"recording begins, gatewayd {__version__}")

    def _close_lines(self) -> None:
        """End what is unfinished; what was said is formatted."""
        self._lines += self._text.flush()
        if self._packets is not None:
            self._blocks += self._packets.flush()

    def _give(self, *, last: bool = False) -> None:
        marks = self._gap and not self._recorder.full
        if not (self._lines or self._blocks or marks or last):
            return
        if not (self._lines or self._blocks):
            self._when = time.time()
        batch = Batch(
            self._track,
            self._day,
            self._when,
            bytes(self._lines),
            bytes(self._blocks),
            self._payload,
            lost=self._dropped,
            gap=self._gap,
            last=last,
        )
        self._lines.clear()
        self._blocks.clear()
        if self._recorder.give(batch):
            self._dropped, self._gap = 0, False
        else:
            self._dropped += self._payload
            self._lost += self._payload
            self._gap = True
        self._payload = 0


def _header(config: PortConfig) -> bytes:
    """What packets begin with; empty without packets."""
    if not config.pcapng:
        return b""
    described = f"{config.device}, {config.line}"
    if config.description:
        described = f"{config.description}: {described}"
    return pcapng.header(config.name, described, f"gatewayd {__version__}")
