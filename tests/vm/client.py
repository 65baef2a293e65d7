"""An RFC 2217 client that shows each answer and notification; the numbers are pyserial's."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from serial import rfc2217

IAC, SB, SE, WILL = rfc2217.IAC, rfc2217.SB, rfc2217.SE, rfc2217.WILL
ANSWERS = {rfc2217.DO: rfc2217.WILL, rfc2217.WILL: rfc2217.DO}
OPTIONS = (rfc2217.BINARY, rfc2217.SGA, rfc2217.COM_PORT_OPTION)
PARITIES = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
STOPBITS = {1: 1, 2: 2, 1.5: 3}


class Client:
    """A session on an `rfc2217:` address; agrees to what the server offers."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._sock = socket.socket()
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unparsed = b""
        self._data = bytearray()
        self._agreed: set[bytes] = set()
        self._said: deque[tuple[bytes, bytes]] = deque()  # commands and values from the server
        try:
            self._sock.settimeout(20)
            self._sock.connect(address)
            self._read_until(lambda: WILL + rfc2217.COM_PORT_OPTION in self._agreed)
        except BaseException:
            self._sock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave, and wait until the server has noticed: from then on the port is free."""
        with self._sock, contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self.closed()

    def request(self, command: bytes, value: bytes = b"") -> bytes:
        """Make a request and return the value of its answer."""
        self._sock.sendall(
            IAC + SB + rfc2217.COM_PORT_OPTION + command + value.replace(IAC, IAC * 2) + IAC + SE
        )
        return self.told(bytes((command[0] + 100,)))

    def told(
        self, command: bytes, holds: Callable[[bytes], bool] = bool, timeout: float = 20.0
    ) -> bytes:
        """Wait for an answer or notification whose value `holds`; forget it and those before it."""
        found: list[bytes] = []

        def look() -> bool:
            while self._said and not found:
                code, value = self._said.popleft()
                if code == command and (not value or holds(value)):
                    found.append(value)
            return bool(found)

        self._read_until(look, timeout)
        return found[0]

    def forget(self) -> None:
        """What was told until now counts for nothing: what is waited for is still to come."""
        self._said.clear()

    def told_bits(self, command: bytes, bits: int, timeout: float = 20.0) -> int:
        """Wait for a notification that has all of `bits`, and return all that it has."""
        return self.told(command, lambda value: value[0] & bits == bits, timeout)[0]

    def set(self, baudrate: int, frame: str) -> tuple[int, str]:
        """Set the line, such as to 9600 and 8N1; return what the server says that it is now."""
        stop = bytes((STOPBITS[int(frame[2])],))
        rate = self.request(rfc2217.SET_BAUDRATE, baudrate.to_bytes(4))
        size = self.request(rfc2217.SET_DATASIZE, bytes((int(frame[0]),)))
        parity = self.request(rfc2217.SET_PARITY, bytes((PARITIES[frame[1]],)))
        stop = self.request(rfc2217.SET_STOPSIZE, stop)
        letter = {number: letter for letter, number in PARITIES.items()}[parity[0]]
        bits = {number: bits for bits, number in STOPBITS.items()}[stop[0]]
        return int.from_bytes(rate), f"{size[0]}{letter}{bits}"

    def send(self, data: bytes) -> None:
        """Send to the line."""
        self._sock.sendall(data.replace(IAC, IAC * 2))

    def expect(self, what: bytes, timeout: float = 20.0) -> None:
        """Wait for `what` from the line; consume everything up to its end."""
        self._read_until(lambda: what in self._data, timeout)
        del self._data[: self._data.index(what) + len(what)]

    def collect(self, count: int, timeout: float = 60.0) -> bytes:
        """Wait for `count` bytes from the line and consume them."""
        self._read_until(lambda: len(self._data) >= count, timeout)
        data = bytes(self._data[:count])
        del self._data[:count]
        return data

    def closed(self, timeout: float = 20.0) -> bytes:
        """Wait until the server closes the connection; return the data that came before."""
        try:
            self._read_until(lambda: False, timeout)
        except ConnectionError:
            return bytes(self._data)
        raise AssertionError("unreachable")

    def _read_until(self, condition: Callable[[], bool], timeout: float = 20.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
            received = self._sock.recv(1 << 16)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._unparsed += received
            while self._take():
                pass

    def _take(self) -> bool:
        """Take one piece from what came; False when it is not complete."""
        rest = self._unparsed
        start = rest.find(IAC)
        if start != 0:
            end = len(rest) if start < 0 else start
            self._data += rest[:end]
            self._unparsed = rest[end:]
            return end > 0
        verb = rest[1:2]
        if verb == IAC:
            self._data += IAC
            self._unparsed = rest[2:]
        elif verb == SB:
            end = _end_of_subnegotiation(rest)
            if end < 0:
                return False
            inside = rest[2:end].replace(IAC * 2, IAC)
            if inside[:1] == rfc2217.COM_PORT_OPTION:
                self._said.append((inside[1:2], inside[2:]))
            self._unparsed = rest[end + 2 :]
        elif verb in (rfc2217.WILL, rfc2217.WONT, rfc2217.DO, rfc2217.DONT):
            if len(rest) < 3:
                return False
            self._offered(verb, rest[2:3])
            self._unparsed = rest[3:]
        else:
            self._unparsed = rest[2:]
            return len(rest) >= 2
        return True

    def _offered(self, verb: bytes, option: bytes) -> None:
        answer = ANSWERS.get(verb, b"") + option
        if option in OPTIONS and len(answer) == 2 and answer not in self._agreed:
            self._agreed.add(answer)
            self._sock.sendall(IAC + answer)


def _end_of_subnegotiation(data: bytes) -> int:
    """Where the IAC SE is that ends the subnegotiation at the start of `data`, or -1."""
    at = 2
    while (at := data.find(IAC, at)) >= 0 and at + 1 < len(data):
        if data[at + 1 : at + 2] == SE:
            return at
        at += 2
    return -1
