"""A CDC ACM serial device, as Arduinos and many instruments are, for the guest's cdc-acm driver."""

from __future__ import annotations

import enum
import struct

from tests.vm.usbredir import INTERRUPT_TRANSFER, Endpoint, Interface, UsbDevice
from tests.vm.wire import Framing, LineError, Wire

NOTIFY, IN, OUT = 0x81, 0x82, 0x03
# Header, call management, ACM (lines, coding and break), union of interfaces 0 and 1.
FUNCTIONS = bytes.fromhex("0524001001 0524010001 04240206 0524060001")
# Bits of a SERIAL_STATE notification.
DCD, DSR, RI = 0x01, 0x02, 0x08
ERRORS = {"break": 0x04, "framing": 0x10, "parity": 0x20, "overrun": 0x40}


class Request(enum.IntEnum):
    """The class's requests."""

    SERIAL_STATE = 0x20
    SET_LINE_CODING = 0x20
    GET_LINE_CODING = 0x21
    SET_CONTROL_LINE_STATE = 0x22
    SEND_BREAK = 0x23


class CdcWire(Wire):
    """The wire of a CDC ACM device; the class has no CTS and no flow control but USB's own."""

    def __init__(self, device: CdcDevice) -> None:
        super().__init__(device.changed)
        self._device = device
        self._to_guest = bytearray()

    def send(self, data: bytes, error: LineError | None = None) -> None:
        with self.changed:
            self._to_guest += data
            if error:
                self._notify(ERRORS[error])
            self.pump()

    def inputs_changed(self) -> None:
        self._notify(0)

    def powered_off(self) -> None:
        super().powered_off()
        self._to_guest.clear()

    def pump(self) -> None:
        """Complete the transfers that can be completed now."""
        while (data := self._device.complete_write(OUT)) is not None:
            self.receive(data)
        while self._to_guest and (room := self._device.pending_read(IN)) is not None:
            self._device.complete_read(IN, bytes(self._to_guest[:room]))
            del self._to_guest[:room]

    def _notify(self, errors: int) -> None:
        state = (DCD * self.dcd) | (DSR * self.dsr) | (RI * self.ri) | errors
        head = struct.pack("<BBHHH", 0xA1, Request.SERIAL_STATE, 0, 0, 2)
        self._device.interrupt(NOTIFY, head + struct.pack("<H", state))


class CdcDevice(UsbDevice):
    """The device, with a serial number or without."""

    def __init__(self, serial: str | None) -> None:
        strings = ["Instruments", "Bench Supply", *([serial] if serial is not None else [])]
        notify = Endpoint(NOTIFY, INTERRUPT_TRANSFER, 16, 10)
        interfaces = (
            Interface((2, 2, 1), (notify,), FUNCTIONS),
            Interface((10, 0, 0), (Endpoint(IN), Endpoint(OUT))),
        )
        super().__init__((0x16D0, 0x0F00, 0x0100), strings, interfaces, device_class=2)
        self.wire = CdcWire(self)

    def powered_off(self) -> None:
        self.wire.powered_off()

    def pump(self, endpoint: int) -> None:
        self.wire.pump()

    def control_in(self, request: int, value: int, index: int) -> bytes | None:
        if request != Request.GET_LINE_CODING:
            return None
        baudrate, bytesize, parity, stopbits = self.wire.framing
        coding = (1.0, 1.5, 2.0).index(stopbits), "NOEMS".index(parity), bytesize
        return struct.pack("<IBBB", baudrate, *coding)

    def control_out(self, request: int, value: int, index: int, data: bytes) -> None:
        wire = self.wire
        match request:
            case Request.SET_LINE_CODING:
                baudrate, stopbits, parity, bytesize = struct.unpack("<IBBB", data)
                framing = Framing(baudrate, bytesize, "NOEMS"[parity], (1, 1.5, 2)[stopbits])
                wire.note("framing", framing)
            case Request.SET_CONTROL_LINE_STATE:
                wire.note("dtr", bool(value & 1))
                wire.note("rts", bool(value & 2))
                wire.inputs_changed()  # the driver has begun to listen
            case Request.SEND_BREAK:
                wire.note("breaking", value != 0)
            case _:
                pass
