"""An FT232R USB serial adapter for the guest's ftdi_sio driver, with the whole wire visible.

Like the chip it loses what it is sent while the guest has the port closed, and takes no data while
RTS/CTS flow control is on and CTS is off.
"""

from __future__ import annotations

import enum
from collections import deque

from tests.vm.usbredir import PACKET_SIZE, Endpoint, Interface, UsbDevice
from tests.vm.wire import LineError, Wire

IN, OUT = 0x81, 0x02
# The two status bytes before the data of each packet: modem lines and line errors.
CTS, DSR, RI, DCD = 0x10, 0x20, 0x40, 0x80
ERRORS = {"overrun": 0x02, "parity": 0x04, "framing": 0x08, "break": 0x10}
TRANSMITTER_EMPTY = 0x60
EIGHTHS = (0, 4, 2, 1, 3, 5, 6, 7)  # of the divisor, by its upper bits


class Request(enum.IntEnum):
    """The chip's vendor requests."""

    RESET = 0
    MODEM_CONTROL = 1
    FLOW_CONTROL = 2
    SET_BAUDRATE = 3
    SET_DATA = 4
    GET_MODEM_STATUS = 5
    SET_LATENCY_TIMER = 9
    GET_LATENCY_TIMER = 10
    READ_EEPROM = 0x90


class FtdiWire(Wire):
    """The wire of an FT232R."""

    def __init__(self, device: FtdiDevice) -> None:
        super().__init__(device.changed)
        self._device = device
        self.rtscts = False
        self._to_guest: deque[tuple[int, bytes]] = deque()  # error bits and data
        self._status_due = False

    def send(self, data: bytes, error: LineError | None = None) -> None:
        with self.changed:
            self._to_guest.append((ERRORS[error] if error else 0, data))
            self.pump()

    def inputs_changed(self) -> None:
        self._status_due = True
        self.pump()

    def unsent(self) -> int:
        """Bytes sent that the guest's driver has not fetched yet."""
        with self.changed:
            return sum(len(data) for _, data in self._to_guest)

    def powered_off(self) -> None:
        super().powered_off()
        self.purge(received=True)

    def status(self, errors: int = 0) -> bytes:
        """The two status bytes."""
        lines = (CTS * self.cts) | (DSR * self.dsr) | (DCD * self.dcd) | (RI * self.ri)
        return bytes((lines | 0x01, TRANSMITTER_EMPTY | errors))

    def purge(self, *, received: bool = False) -> None:
        """The guest throws away what waits in the chip."""
        if received:
            self._to_guest.clear()
        else:
            while self._device.complete_write(OUT) is not None:
                pass

    def opened(self) -> None:
        """The guest has reset the chip, as it does to open the port."""
        self.purge(received=True)
        self.purge()
        self.note("rtscts", False)
        self._status_due = True

    def pump(self) -> None:
        """Complete the transfers that can be completed now."""
        while self.cts or not self.rtscts:
            data = self._device.complete_write(OUT)
            if data is None:
                break
            self.receive(data)
        while self._to_guest or self._status_due:
            room = self._device.pending_read(IN)
            if room is None:
                break
            self._device.complete_read(IN, self._packets(room))
            self.changed.notify_all()

    def _packets(self, room: int) -> bytes:
        """USB packets for one read; each begins with the status, and a short one ends the read."""
        answer = b""
        self._status_due = False
        while self._to_guest and len(answer) + PACKET_SIZE <= room:
            errors, data = self._to_guest.popleft()
            piece, rest = data[: PACKET_SIZE - 2], data[PACKET_SIZE - 2 :]
            if rest:
                self._to_guest.appendleft((errors, rest))
            answer += self.status(errors) + piece
            if len(piece) < PACKET_SIZE - 2:
                break
        return answer or self.status()


class FtdiDevice(UsbDevice):
    """The adapter. Without a serial number it is known by its socket only, like cheap clones."""

    def __init__(self, serial: str | None) -> None:
        strings = ["FTDI", "FT232R USB UART", *([serial] if serial is not None else [])]
        interface = Interface((255, 255, 255), (Endpoint(IN), Endpoint(OUT)))
        super().__init__((0x0403, 0x6001, 0x0600), strings, (interface,))
        self.wire = FtdiWire(self)
        self.latency = 16
        """Milliseconds that the chip waits for a full packet; kept, and without effect here."""

    def powered_off(self) -> None:
        self.wire.powered_off()

    def pump(self, endpoint: int) -> None:
        self.wire.pump()

    def control_in(self, request: int, value: int, index: int) -> bytes | None:
        match request:
            case Request.GET_MODEM_STATUS:
                return self.wire.status()
            case Request.GET_LATENCY_TIMER:
                return bytes((self.latency,))
            case Request.READ_EEPROM:
                return b"\xff\xff"
            case _:
                return None

    def control_out(self, request: int, value: int, index: int, data: bytes) -> None:
        wire = self.wire
        match request:
            case Request.RESET if value == 0:
                wire.opened()
            case Request.RESET:
                wire.purge(received=value == 1)
            case Request.MODEM_CONTROL:
                if value & 0x100:
                    wire.note("dtr", bool(value & 1))
                if value & 0x200:
                    wire.note("rts", bool(value & 2))
            case Request.FLOW_CONTROL:
                wire.note("rtscts", index >> 8 == 1)
            case Request.SET_BAUDRATE:
                eighths = (value & 0x3FFF) * 8 + EIGHTHS[value >> 14 | (index & 1) << 2]
                baudrate = {0: 3_000_000, 8: 2_000_000}.get(eighths) or round(24_000_000 / eighths)
                wire.note("framing", wire.framing._replace(baudrate=baudrate))
            case Request.SET_DATA:
                wire.note(
                    "framing",
                    wire.framing._replace(
                        bytesize=value & 0xFF,
                        parity="NOEMS"[value >> 8 & 7],
                        stopbits=(1, 1.5, 2)[value >> 11 & 3],
                    ),
                )
                wire.note("breaking", bool(value & 0x4000))
            case Request.SET_LATENCY_TIMER:
                self.latency = value & 0xFF
            case _:
                pass  # event and error characters
        wire.pump()
