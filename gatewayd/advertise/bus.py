"""A connection to the system's D-Bus on the event loop: calls, their answers, and signals.

The protocol is jeepney's, which does no I/O of its own; nothing here waits.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Final

from jeepney import HeaderFields, Message, MessageFlag, MessageType, Parser
from jeepney.auth import BEGIN, Authenticator
from jeepney.bus import get_bus

from gatewayd.typed import Protocol

MOST_UNSENT: Final = 1 << 20
"""Bytes that may wait for the bus: what 256 ports are announced with is a tenth of it."""
MOST_CALLS: Final = 64
"""Calls that wait for an answer: the system bus refuses to carry more than 128 of a connection."""
MOST_HELD: Final = 1 << 14
"""Calls that may be held back: 1024 ports are announced with a quarter of them."""


class BusError(Exception):
    """The answer to a call was an error; `name` is D-Bus's."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}" if text else name)
        self.name = name


Answered = Callable[[tuple[Any, ...] | BusError], None]


class BusUser(Protocol):
    """Who uses the connection."""

    def bus_ready(self) -> None:
        """It can be called now."""

    def bus_signal(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> None:
        """A signal came that was asked for."""

    def bus_lost(self, why: str) -> None:
        """It is over; calls that were not answered will not be."""


class Bus:
    """One connection, from `open` until `bus_lost` or `close`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, user: BusUser) -> None:
        self._loop = loop
        self._user = user
        self._sock: socket.socket | None = None
        self._greeting: Authenticator | None = None
        self._parser = Parser()
        self._unsent = bytearray()
        self._serials = count(1)
        self._waiting: dict[int, Answered] = {}
        self._held: deque[tuple[Message, Answered | None]] = deque()
        """Calls that are made when others are answered, in their order."""

    def open(self) -> None:
        """Begin. Raises OSError when there is no bus to be had now."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # A bus that listens accepts at once; EAGAIN is one that is overrun.
            sock.connect(get_bus("SYSTEM"))
        except (RuntimeError, ValueError) as error:
            sock.close()
            raise OSError(f"DBUS_SYSTEM_BUS_ADDRESS: {error}") from error
        except OSError:
            sock.close()
            raise
        self._sock = sock
        self._greeting = Authenticator()
        self._loop.add_reader(sock, self._readable)
        self._greet()

    def close(self) -> None:
        """End it, without `bus_lost`."""
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()
            self._sock = None
            self._waiting.clear()
            self._held.clear()

    def call(self, message: Message, answered: Answered | None = None) -> None:
        """Send a call; without `answered` the bus is told that no answer is wanted."""
        if self._sock is None:
            return
        self._held.append((message, answered))
        self._call_held()
        if len(self._held) > MOST_HELD:
            self._loop.call_soon(self._lose, "nobody answers")

    def _call_held(self) -> None:
        while self._held and len(self._waiting) < MOST_CALLS:
            self._call(*self._held.popleft())

    def _call(self, message: Message, answered: Answered | None) -> None:
        serial = next(self._serials)
        if answered is None:
            message.header.flags |= MessageFlag.no_reply_expected
        else:
            self._waiting[serial] = answered
        self._send(message.serialise(serial))

    def _greet(self) -> None:
        assert self._greeting is not None
        said = self._greeting.data_to_send()
        if said is not None:
            self._send(said)
            return
        self._greeting = None
        self._send(BEGIN)
        self._user.bus_ready()

    def _send(self, data: bytes) -> None:
        if self._sock is None:
            return
        if not self._unsent:
            try:
                data = data[self._sock.send(data, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                pass
            except OSError:
                # The reader hears of it too, behind the last words of the bus.
                return
            if data:
                self._loop.add_writer(self._sock, self._writable)
        self._unsent += data
        if len(self._unsent) > MOST_UNSENT:
            self._loop.call_soon(self._lose, "it does not read")

    def _writable(self) -> None:
        assert self._sock is not None
        try:
            del self._unsent[: self._sock.send(self._unsent, socket.MSG_NOSIGNAL)]
        except BlockingIOError:
            return
        except OSError:
            self._unsent.clear()
        if not self._unsent:
            self._loop.remove_writer(self._sock)

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        if not data:
            self._lose("it closed the connection")
            return
        try:
            self._take(data)
        except (ValueError, KeyError, struct.error) as error:
            # AuthenticationError is a ValueError.
            self._lose(f"not understood: {error}")

    def _take(self, data: bytes) -> None:
        if self._greeting is not None:
            self._greeting.feed(data)
            self._greet()
            return
        self._parser.add_data(data)
        while self._sock is not None and (message := self._parser.get_next_message()):
            self._message(message)

    def _message(self, message: Message) -> None:
        fields = message.header.fields
        match message.header.message_type:
            case MessageType.signal:
                self._user.bus_signal(
                    fields[HeaderFields.path],
                    fields[HeaderFields.interface],
                    fields[HeaderFields.member],
                    message.body,
                )
            case MessageType.method_return | MessageType.error as kind:
                answered = self._waiting.pop(fields[HeaderFields.reply_serial], None)
                if answered is not None and kind is MessageType.error:
                    text = next((str(word) for word in message.body[:1]), "")
                    answered(BusError(fields[HeaderFields.error_name], text))
                elif answered is not None:
                    answered(message.body)
                self._call_held()
            case _:
                # Nobody has a reason to call us.
                return

    def _lose(self, why: str) -> None:
        if self._sock is not None:
            self.close()
            self._user.bus_lost(why)
