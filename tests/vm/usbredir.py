"""USB devices in Python, plugged into QEMU's `usb-redir` by the usbredir protocol.

This is what all devices share: descriptors, configurations, and transfers that wait until there is
something to answer. See usbredirproto.h of the usbredir project for the packets.
"""

from __future__ import annotations

import contextlib
import enum
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


class Packet(enum.IntEnum):
    """The packet types that are used here."""

    HELLO = 0
    DEVICE_CONNECT = 1
    INTERFACE_INFO = 4
    EP_INFO = 5
    SET_CONFIGURATION = 6
    GET_CONFIGURATION = 7
    CONFIGURATION_STATUS = 8
    SET_ALT_SETTING = 9
    GET_ALT_SETTING = 10
    ALT_SETTING_STATUS = 11
    START_INTERRUPT_RECEIVING = 15
    STOP_INTERRUPT_RECEIVING = 16
    INTERRUPT_RECEIVING_STATUS = 17
    CANCEL_DATA_PACKET = 21
    CONTROL = 100
    BULK = 101
    INTERRUPT = 103


SUCCESS, CANCELLED, STALL = 0, 1, 4
CAPABILITIES = 1 << 1 | 1 << 3 | 1 << 4  # connect with version, disconnect ack, packet sizes
CONTROL_TRANSFER, BULK_TRANSFER, INTERRUPT_TRANSFER, NO_ENDPOINT = 0, 2, 3, 255
PACKET_SIZE = 64


@dataclass(frozen=True)
class Endpoint:
    """An endpoint; addresses of 0x80 and more are towards the guest."""

    address: int
    transfer: int = BULK_TRANSFER
    size: int = PACKET_SIZE
    interval: int = 0

    @property
    def index(self) -> int:
        """Its place in usbredir's tables."""
        return (self.address & 0x0F) + (16 if self.address & 0x80 else 0)

    def descriptor(self) -> bytes:
        """Its part of the configuration descriptor."""
        size = self.size
        return struct.pack("<BBBBHB", 7, 5, self.address, self.transfer, size, self.interval)


@dataclass(frozen=True)
class Interface:
    """An interface: its class, subclass and protocol, endpoints, and class descriptors."""

    kind: tuple[int, int, int]
    endpoints: Sequence[Endpoint]
    extra: bytes = b""

    def descriptor(self, number: int) -> bytes:
        """Its part of the configuration descriptor."""
        head = struct.pack("<BBBBBBBBB", 9, 4, number, 0, len(self.endpoints), *self.kind, 0)
        return head + self.extra + b"".join(point.descriptor() for point in self.endpoints)


@dataclass
class _Waiting:
    """Transfers that the guest has asked for on one endpoint: their numbers, and data or size."""

    reads: deque[tuple[int, int]] = field(default_factory=deque)
    writes: deque[tuple[int, bytes]] = field(default_factory=deque)


class UsbDevice:
    """One device; subclasses say what it is and what it does. `changed` guards all of it."""

    def __init__(
        self,
        identity: tuple[int, int, int],
        strings: Sequence[str],
        interfaces: Sequence[Interface],
        *,
        device_class: int = 0,
    ) -> None:
        """`identity`: vendor, product, release. `strings`: maker, product, serial number if any."""
        self.changed = threading.Condition(threading.RLock())
        self._identity = identity
        self._strings = strings
        self._interfaces = interfaces
        self._class = device_class
        self._sock: socket.socket | None = None
        self._waiting: dict[int, _Waiting] = {}
        self._receiving: set[int] = set()
        self._held: dict[int, list[bytes]] = {}

    # --- what subclasses do ----------------------------------------------------------------------

    def control_in(self, request: int, value: int, index: int) -> bytes | None:
        """Answer a class or vendor request; None refuses it."""
        raise NotImplementedError

    def control_out(self, request: int, value: int, index: int, data: bytes) -> None:
        """Do a class or vendor request."""
        raise NotImplementedError

    def pump(self, endpoint: int) -> None:
        """A transfer was asked for on `endpoint`, or cancelled: complete what can be completed."""
        raise NotImplementedError

    def powered_off(self) -> None:
        """The device was pulled out."""
        raise NotImplementedError

    # --- what subclasses use ---------------------------------------------------------------------

    def pending_read(self, endpoint: int) -> int | None:
        """How many bytes the guest's oldest read of `endpoint` takes, if it reads at all."""
        reads = self._of(endpoint).reads
        return reads[0][1] if reads else None

    def complete_read(self, endpoint: int, data: bytes) -> None:
        """Answer the oldest read of a bulk endpoint."""
        number, _ = self._of(endpoint).reads.popleft()
        self._bulk(number, endpoint, SUCCESS, len(data), data)

    def complete_write(self, endpoint: int) -> bytes | None:
        """Take the data of the oldest write to a bulk endpoint, if there is one."""
        writes = self._of(endpoint).writes
        if not writes:
            return None
        number, data = writes.popleft()
        self._bulk(number, endpoint, SUCCESS, len(data))
        return data

    def interrupt(self, endpoint: int, data: bytes) -> None:
        """Send on an interrupt endpoint, as soon as the guest asks for it."""
        packet = struct.pack("<BBH", endpoint, SUCCESS, len(data)) + data
        if endpoint in self._receiving:
            self._transmit(Packet.INTERRUPT, 0, packet)
        else:
            self._held.setdefault(endpoint, []).append(packet)

    # --- the socket to QEMU ----------------------------------------------------------------------

    def listen(self, path: str) -> None:
        """Wait in a thread for QEMU to connect to a new UNIX socket; that plugs the device in."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        with listener:
            sock, _ = listener.accept()
        with self.changed:
            self._reset(sock)
            hello = struct.pack("<64sI", b"gatewayd tests", CAPABILITIES)
            self._transmit(Packet.HELLO, 0, hello)
        with sock, sock.makefile("rb") as stream, contextlib.suppress(OSError):
            while len(header := stream.read(12)) == 12:
                kind, length, number = struct.unpack("<III", header)
                body = stream.read(length)
                with self.changed:
                    self._packet(kind, number, body)
        with self.changed:
            if self._sock is sock:
                self._reset(None)

    def _reset(self, sock: socket.socket | None) -> None:
        self._sock = sock
        for state in (self._waiting, self._receiving, self._held):
            state.clear()
        self.powered_off()

    def _transmit(self, kind: Packet, number: int, payload: bytes) -> None:
        if self._sock is not None:
            with contextlib.suppress(OSError):  # pulled out meanwhile; the reader notices
                self._sock.sendall(struct.pack("<III", kind, len(payload), number) + payload)

    def _bulk(
        self, number: int, endpoint: int, status: int, length: int, data: bytes = b""
    ) -> None:
        head = struct.pack("<BBHI", endpoint, status, length, 0)
        self._transmit(Packet.BULK, number, head + data)

    def _of(self, endpoint: int) -> _Waiting:
        return self._waiting.setdefault(endpoint, _Waiting())

    def _packet(self, kind: int, number: int, body: bytes) -> None:
        match kind:
            case Packet.HELLO:
                self._introduce()
            case Packet.SET_CONFIGURATION | Packet.GET_CONFIGURATION:
                self._transmit(Packet.CONFIGURATION_STATUS, number, bytes((SUCCESS, 1)))
            case Packet.SET_ALT_SETTING | Packet.GET_ALT_SETTING:
                status = bytes((SUCCESS, body[0], 0))
                self._transmit(Packet.ALT_SETTING_STATUS, number, status)
            case Packet.START_INTERRUPT_RECEIVING | Packet.STOP_INTERRUPT_RECEIVING:
                status = bytes((SUCCESS, body[0]))
                self._transmit(Packet.INTERRUPT_RECEIVING_STATUS, number, status)
                self._receive_interrupts(body[0], kind == Packet.START_INTERRUPT_RECEIVING)
            case Packet.CONTROL:
                self._control(number, body)
            case Packet.BULK:
                endpoint, _, length, _ = struct.unpack("<BBHI", body[:8])
                if endpoint & 0x80:
                    self._of(endpoint).reads.append((number, length))
                else:
                    self._of(endpoint).writes.append((number, body[8:]))
                self.pump(endpoint)
            case Packet.CANCEL_DATA_PACKET:
                self._cancel(number)
            case _:
                pass  # nothing that QEMU sends such devices needs an answer

    def _receive_interrupts(self, endpoint: int, on: bool) -> None:
        if not on:
            self._receiving.discard(endpoint)
            return
        self._receiving.add(endpoint)
        for packet in self._held.pop(endpoint, ()):
            self._transmit(Packet.INTERRUPT, 0, packet)

    def _introduce(self) -> None:
        count = len(self._interfaces)
        kinds = zip(*(interface.kind for interface in self._interfaces), strict=True)
        tables = b"".join(_table(kind) for kind in (range(count), *kinds))
        self._transmit(Packet.INTERFACE_INFO, 0, struct.pack("<I", count) + tables)
        types, intervals, owners, sizes = [NO_ENDPOINT] * 32, [0] * 32, [0] * 32, [0] * 32
        for index in (0, 16):
            types[index], sizes[index] = CONTROL_TRANSFER, 8
        for number, interface in enumerate(self._interfaces):
            for point in interface.endpoints:
                types[point.index], intervals[point.index] = point.transfer, point.interval
                owners[point.index], sizes[point.index] = number, point.size
        tables = bytes(types) + bytes(intervals) + bytes(owners) + struct.pack("<32H", *sizes)
        self._transmit(Packet.EP_INFO, 0, tables)
        full_speed = 1
        connect = struct.pack("<BBBBHHH", full_speed, self._class, 0, 0, *self._identity)
        self._transmit(Packet.DEVICE_CONNECT, 0, connect)

    def _cancel(self, number: int) -> None:
        for endpoint, waiting in self._waiting.items():
            for queue in (waiting.reads, waiting.writes):
                for entry in [entry for entry in queue if entry[0] == number]:
                    queue.remove(entry)  # type: ignore[arg-type]
                    self._bulk(number, endpoint, CANCELLED, 0)

    def _control(self, number: int, body: bytes) -> None:
        endpoint, request, kind, _, value, index, length = struct.unpack("<BBBBHHH", body[:10])
        answer: bytes | None = b""
        if kind & 0x60:  # of the class or the vendor
            if kind & 0x80:
                answer = self.control_in(request, value, index)
            else:
                self.control_out(request, value, index, body[10:])
        elif kind == 0x80 and request == 6:
            answer = self._descriptor(value >> 8, value & 0xFF)
        elif kind & 0x80:  # GET_STATUS
            answer = b"\0\0"
        status, data = (STALL, b"") if answer is None else (SUCCESS, answer[:length])
        done = len(data) if endpoint & 0x80 else length
        head = struct.pack("<BBBBHHH", endpoint, request, kind, status, value, index, done)
        self._transmit(Packet.CONTROL, number, head + data)

    def _descriptor(self, kind: int, number: int) -> bytes | None:
        names = (1, 2, 3 if len(self._strings) > 2 else 0)
        if kind == 1:
            head = struct.pack("<BBHBBBB", 18, 1, 0x0200, self._class, 0, 0, 8)
            return head + struct.pack("<HHHBBBB", *self._identity, *names, 1)
        if kind == 2:
            count = len(self._interfaces)
            body = b"".join(face.descriptor(n) for n, face in enumerate(self._interfaces))
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(body), count, 1, 0, 0xA0, 45) + body
        if kind == 3 and number == 0:
            return b"\x04\x03\x09\x04"  # English
        if kind == 3 and number <= len(self._strings):
            text = self._strings[number - 1].encode("utf-16-le")
            return bytes((len(text) + 2, 3)) + text
        return None


def _table(values: Iterable[int]) -> bytes:
    return bytes(values).ljust(32, b"\0")
