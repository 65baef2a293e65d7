"""The pcapng form of a record, as Wireshark and tshark read it without being told anything.

Blocks are those of draft-ietf-opsawg-pcapng; packets are of link type 250, LINKTYPE_RTAC_SERIAL
(https://www.tcpdump.org/linktypes/LINKTYPE_RTAC_SERIAL.html): a header with time, event and modem
lines, then the bytes. "TX" is to the device.
"""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Callable, Iterable
from typing import Final

from gatewayd.line.model import Signal
from gatewayd.record.side import Side

LINKTYPE: Final = 250
PAUSE_S: Final = 0.02
"""What one side says without a pause of so long is one packet: a frame of Modbus RTU often comes in
several pieces, and USB adapters hold bytes back for up to 16 ms."""
LONGEST: Final = 512
"""Bytes after which a packet gets no more; no frame of a serial bus in use is longer."""

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_MAGIC: Final = 0x1A2B3C4D
_COMMENT, _NAME, _DESCRIPTION, _FLAGS, _RESOLUTION = 1, 2, 3, 2, 9
_APPLICATION: Final = 4
_LINES: Final = {
    Signal.CTS: 0x01,
    Signal.CD: 0x02,
    Signal.DSR: 0x04,
    Signal.RTS: 0x08,
    Signal.DTR: 0x10,
    Signal.RI: 0x20,
}
_IN, _OUT = 1, 2


class Event(enum.IntEnum):
    """The event of a packet."""

    STATUS_CHANGE = 0x00
    DATA_TX = 0x01
    DATA_RX = 0x02
    DATA_LOST = 0x05
    FRAMING_ERROR = 0x07
    PARITY_ERROR = 0x08
    BREAK = 0x09
    OVERFLOW = 0x0A


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def _text(code: int, text: str) -> bytes:
    return _option(code, text.encode()[:0xFFFF]) if text else b""


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def header(name: str, description: str, application: str) -> bytes:
    """What a file or stream begins with; `name` and `description` are those of the interface."""
    end = _option(0, b"")
    section = struct.pack("<IHHq", _MAGIC, 1, 0, -1) + _text(_APPLICATION, application) + end
    interface = struct.pack("<HHI", LINKTYPE, 0, 0)
    interface += _text(_NAME, name) + _text(_DESCRIPTION, description)
    interface += _option(_RESOLUTION, b"\x09") + end
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


def packet(
    event: Event,
    when: float,
    *,
    lines: int = 0,
    data: bytes = b"",
    outbound: bool = False,
    comment: str = "",
) -> bytes:
    """One packet; `when` in seconds since 1970, `lines` by `lines_of`."""
    nanoseconds = int(when * 1e9)
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    length = 12 + len(data)
    body = struct.pack("<IIIII", 0, nanoseconds >> 32, nanoseconds & 0xFFFFFFFF, length, length)
    body += struct.pack(">IIBBH", seconds & 0xFFFFFFFF, rest // 1000, event, lines, 0)
    body += data + bytes(-length % 4)
    body += struct.pack("<HHI", _FLAGS, 4, _OUT if outbound else _IN)
    body += _text(_COMMENT, comment) + b"\0\0\0\0"
    return _block(_PACKET, body)


def lines_of(signals: Signal) -> int:
    """Modem lines as a packet has them."""
    return sum(bit for signal, bit in _LINES.items() if signal in signals)


class Packets:
    """Makes packets of chunks."""

    def __init__(self, signals: Signal = Signal.NONE) -> None:
        self._lines = lines_of(signals)
        self._side = Side.DEVICE
        self._data: list[bytes] = []
        self._length = 0
        self._first = self._last = 0.0

    @property
    def open(self) -> bool:
        """Whether there is a packet that may get more."""
        return bool(self._data)

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """The packet that is over with `data`, which came at `when`."""
        over = b""
        if self._data and (
            side is not self._side
            or when - self._last > PAUSE_S
            or self._length + len(data) > LONGEST
        ):
            over = self.flush()
        if not self._data:
            self._side, self._first = side, when
        self._data.append(data)
        self._length += len(data)
        self._last = when
        return over

    def said_all(self, side: Side, chunks: Iterable[tuple[float, bytes]]) -> bytes:
        """The same for several chunks of one side, each with the time when it came."""
        return b"".join([self.said(side, chunk, when) for when, chunk in chunks])

    def happened(self, event: Event, when: float, comment: str, *, outbound: bool = False) -> bytes:
        """The packet of what happened, behind what was said before."""
        return self.flush() + packet(
            event, when, lines=self._lines, comment=comment, outbound=outbound
        )

    def signals(self, signals: Signal, when: float, comment: str) -> bytes:
        """The packet of a change of modem lines."""
        before = self.flush()
        self._lines = lines_of(signals)
        return before + self.happened(Event.STATUS_CHANGE, when, comment)

    def flush(self, before: float = math.inf) -> bytes:
        """The packet that was open, if nobody has added to it since `before`."""
        if not self._data or self._last > before:
            return b""
        data, self._data, self._length = b"".join(self._data), [], 0
        outbound = self._side is Side.CLIENT
        return packet(
            Event.DATA_TX if outbound else Event.DATA_RX,
            self._first,
            lines=self._lines,
            data=data,
            outbound=outbound,
        )


def ends_well(size: int, read: Callable[[int, int], bytes]) -> bool:
    """Whether a file of `size` bytes ends with a whole block; `read` takes offset and length."""
    if size < 12 or size % 4:
        return False
    (length,) = struct.unpack("<I", read(size - 4, 4))
    return 12 <= length <= size and _is_block(read(size - length, 8), length)


def sound_length(size: int, read: Callable[[int, int], bytes]) -> int:
    """How many bytes of a file are whole blocks from its beginning on."""
    at = 0
    while at + 12 <= size:
        head = read(at, 8)
        (length,) = struct.unpack("<I", head[4:])
        if not 12 <= length <= size - at or not _is_block(head, length):
            break
        if read(at + length - 4, 4) != head[4:]:
            break
        at += length
    return at


def _is_block(head: bytes, length: int) -> bool:
    return head in [struct.pack("<II", kind, length) for kind in (_SECTION, _INTERFACE, _PACKET)]
