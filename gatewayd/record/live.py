"""What passes over a line now, in the forms of a record, from answers of `Watch`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final

from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.record import pcapng
from gatewayd.record.pcapng import Event, Packets
from gatewayd.record.side import Side
from gatewayd.record.stamps import Stamps
from gatewayd.record.telling import Teller, Told
from gatewayd.record.text import TextFormat
from gatewayd.typed import Protocol

SIDES: Final = {"from_line": Side.DEVICE, "to_line": Side.CLIENT}


class Form(Protocol):
    """How it is written."""

    rest_s: float
    """What is unfinished is written after so long without anything more."""

    def begin(self) -> bytes:
        """What comes before everything else."""

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """Bytes that went by, as far as they can be written by now."""

    def told(self, told: Told, when: float) -> bytes:
        """Something that happened."""

    def rest(self) -> bytes:
        """What is unfinished."""


class Lines:
    """As in the text of a record."""

    rest_s = 1.0

    def __init__(self) -> None:
        self._stamps = Stamps()
        self._text = TextFormat(self._stamps.stamp)

    def begin(self) -> bytes:
        """See `Form`."""
        return b""

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """See `Form`."""
        return self._text.said(side, data, when)

    def told(self, told: Told, when: float) -> bytes:
        """See `Form`."""
        return self._text.flush() + self._text.happened(told.text, when)

    def rest(self) -> bytes:
        """See `Form`."""
        return self._text.flush()


class Capture:
    """As in the packets of a record; `port` is one of an answer of `Status`."""

    rest_s = pcapng.PAUSE_S

    def __init__(self, port: Mapping[str, Any], application: str) -> None:
        described = f"{port['device']}, {port['line']}"
        if port["description"]:
            described = f"{port['description']}: {described}"
        self._header = pcapng.header(port["name"], described, application)
        self._packets = Packets(signals_of(port["signals"]))

    def begin(self) -> bytes:
        """See `Form`."""
        return self._header

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """See `Form`."""
        return self._packets.said(side, data, when)

    def told(self, told: Told, when: float) -> bytes:
        """See `Form`."""
        if told.signals is not None:
            return self._packets.signals(told.signals, when, told.text)
        return self._packets.happened(told.event, when, told.text, outbound=told.outbound)

    def rest(self) -> bytes:
        """See `Form`."""
        return self._packets.flush()


class Hex:
    """Bytes in hexadecimal, sixteen to a row, each row when it is full or nothing follows."""

    rest_s = 0.05
    _ROW: Final = 16

    def __init__(self) -> None:
        self._stamps = Stamps()
        self._side = Side.DEVICE
        self._row = bytearray()
        self._first = 0.0

    def begin(self) -> bytes:
        """See `Form`."""
        return b""

    def said(self, side: Side, data: bytes, when: float) -> bytes:
        """See `Form`."""
        written = self.rest() if side is not self._side else b""
        self._side = side
        if not self._row:
            self._first = when
        self._row += data
        while len(self._row) >= self._ROW:
            rest = self._row[self._ROW :]
            del self._row[self._ROW :]
            written += self.rest()
            self._row, self._first = rest, when
        return written

    def told(self, told: Told, when: float) -> bytes:
        """See `Form`."""
        return self.rest() + b"%b ! %b\n" % (self._stamps.stamp(when), told.text.encode())

    def rest(self) -> bytes:
        """See `Form`."""
        if not self._row:
            return b""
        head = b"%b %b " % (self._stamps.stamp(self._first), self._side.value.encode())
        written = head + hex_row(bytes(self._row), self._ROW)
        self._row.clear()
        return written


class Live:
    """Turns answers into `form`; `port` is one of an answer of `Status`."""

    def __init__(self, port: Mapping[str, Any], form: Form) -> None:
        self._form = form
        self._begins = f"looking on at {port['name']}: {port['state']}, {port['line']}"
        self._teller = Teller(signals_of(port["signals"]), _errors_of(port))
        self._errors = _errors_of(port)

    def answer(self, answer: Mapping[str, Any]) -> bytes:
        """What an answer adds."""
        when = answer["at"] / 1e6
        written = b""
        if answer["received"] is not None:
            told = Told(self._begins, signals=self._teller.signals)
            written += self._form.told(told, when)
        if answer["replay"]:
            written += self._form.told(Told("what it said before, without its time"), when)
            written += self._form.said(Side.DEVICE, base64.b64decode(answer["replay"]), when)
            written += self._form.rest() + self._form.told(Told("what it says now"), when)
        if answer["missed"] or answer["missed_events"]:
            count = answer["missed"]
            text = f"{count} bytes missed" if count else "something is missing"
            written += self._form.told(Told(text, Event.DATA_LOST), when)
        for key, side in SIDES.items():
            if answer[key] is not None:
                written += self._form.said(side, base64.b64decode(answer[key]), when)
        if answer["event"] is not None:
            written += self._happened(answer["event"], when)
        return written

    def _happened(self, event: Mapping[str, Any], when: float) -> bytes:
        try:
            kind = EventKind(event["kind"])
        except ValueError:
            # A later gatewayd knows more of them.
            return self._form.told(Told(f"{event['kind']} {event['text']}".rstrip()), when)
        signals = signals_of(event["signals"])
        if event["errors"] is not None:
            self._errors = _counts(event["errors"])
        happened = PortEvent(
            kind,
            event["text"],
            peer=event["peer"],
            name=event["name"],
            face=event["face"],
            signals=signals,
            errors=self._errors if event["errors"] is not None else None,
            count=event["count"],
        )
        told = self._teller.told(happened, signals, self._errors)
        return b"".join(self._form.told(one, when) for one in told)


def hex_row(data: bytes, width: int) -> bytes:
    """Up to `width` bytes in hexadecimal, and as text where they are printable, as a line."""
    shown = bytes(byte if 0x20 <= byte < 0x7F else 0x2E for byte in data)
    return b"%-*b  %b\n" % (3 * width - 1, data.hex(" ").encode(), shown)


def signals_of(names: list[str] | None) -> Signal:
    """Modem lines by their names."""
    found = Signal.NONE
    for name in names or ():
        found |= Signal[name]
    return found


def _errors_of(port: Mapping[str, Any]) -> LineErrors:
    return LineErrors(
        port["breaks"],
        port["framing_errors"],
        port["parity_errors"],
        port["overruns"],
        port["buffer_overruns"],
    )


def _counts(errors: Mapping[str, int]) -> LineErrors:
    return LineErrors(
        errors["breaks"],
        errors["framing"],
        errors["parity"],
        errors["overruns"],
        errors["buffer_overruns"],
    )
