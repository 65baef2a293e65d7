"""A TCP connection as the peer of a session."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
from collections.abc import Callable
from typing import Final, cast

from gatewayd.net.urgent import UrgentWatch
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession

WRITE_LIMITS: Final = (65536, 16384)
"""Bytes that wait for a client: above the first the line is not read, below the second again."""
CLOSE_S: Final = 2.0
"""How long a connection that we close may take to say so itself; data that came unread would make
the kernel reset it, and the client lose our last words."""
READ_BYTES: Final = 65536

_SIOCATMARK: Final = 0x8905
_NO_MARK: Final = struct.pack("i", 0)

# One for all connections: what was read is copied out before the loop reads again.
_buffer = memoryview(bytearray(READ_BYTES))

SessionFactory = Callable[["Connection", str], Session]


class Connection(asyncio.BufferedProtocol):
    """Feeds one session. Each callback does the same: take the bytes, let the session act."""

    def __init__(
        self,
        new_session: SessionFactory,
        peer_timeout: float,
        urgent: UrgentWatch,
        closed: Callable[[Connection], None],
    ) -> None:
        self._new_session = new_session
        self._peer_timeout = peer_timeout
        self._urgent = urgent
        self._closed = closed
        self._session: Session | None = None
        self._telnet: TelnetSession | None = None
        self._transport: asyncio.Transport | None = None
        self._fd = -1
        self._closing: asyncio.TimerHandle | None = None

    # ---- from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(*WRITE_LIMITS)
        sock: socket.socket = transport.get_extra_info("socket")
        self._fd = sock.fileno()
        expect_peer(sock, self._peer_timeout)
        session = self._new_session(self, peer_name(transport.get_extra_info("peername")))
        self._session = session
        if isinstance(session, TelnetSession):
            self._telnet = session
            # The DM of a Synch stays in the stream, and ends up nowhere else.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            self._urgent.add(self._fd, session.urgent)
        session.start()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where to read to, as much as the session can use."""
        size = self._session.read_size if self._session is not None else READ_BYTES
        return _buffer[:size]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes came."""
        if self._closing is not None:
            return
        data = bytes(_buffer[:nbytes])
        if self._telnet is None:
            if self._session is not None:
                self._session.receive(data)
            return
        # The kernel ends a read at the urgent mark: what came then stands before it.
        if fcntl.ioctl(self._fd, _SIOCATMARK, _NO_MARK) != _NO_MARK:
            self._telnet.urgent()
        self._telnet.receive(data)

    def eof_received(self) -> bool:
        """The client sends no more; keep the connection for what it may still hear."""
        if self._closing is not None:
            return False
        if self._session is not None:
            self._session.peer_eof()
        return True

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        if self._session is not None and self._closing is None:
            self._session.peer_full()

    def resume_writing(self) -> None:
        """The client takes it again."""
        if self._session is not None and self._closing is None:
            self._session.peer_ready()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        if self._closing is not None:
            self._closing.cancel()
        self._urgent.remove(self._fd)
        if self._session is not None:
            self._session.peer_gone()
            self._session = self._telnet = None
        self._closed(self)

    # ---- from the session (`gatewayd.port.session.Peer`)

    def write(self, data: bytes) -> None:
        """Send; what the socket does not take is kept."""
        if self._transport is not None and self._closing is None:
            self._transport.write(data)

    def write_urgent(self, data: bytes) -> None:
        """Send with the last byte as TCP urgent data, if nothing waits before it."""
        if self._transport is None or self._closing is not None:
            return
        if self._transport.get_write_buffer_size() == 0:
            with socket.socket(fileno=socket.dup(self._fd)) as sock:
                try:
                    sent = sock.send(data, socket.MSG_OOB)
                except (BlockingIOError, OSError):
                    sent = 0
            data = data[sent:]
        if data:
            self._transport.write(data)

    def backlog(self) -> int:
        """Bytes that wait for the client."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def pause_reading(self) -> None:
        """Read nothing from the client."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what is kept, say that nothing follows, and wait for the client to close."""
        transport = self._transport
        if transport is None or self._closing is not None:
            return
        loop = asyncio.get_running_loop()
        self._closing = loop.call_later(CLOSE_S, transport.abort)
        if transport.can_write_eof():
            transport.write_eof()
            transport.resume_reading()
        else:
            transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def expect_peer(sock: socket.socket, timeout: float) -> None:
    """Send small writes at once, and end the connection when the peer was silent on the network for
    `timeout` seconds: idle by keepalive probes, in mid transfer by unacknowledged data."""
    idle = max(1, int(timeout / 2))
    interval = max(1, int(timeout / 6))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout * 1000))


def peer_name(address: object) -> str:
    """A client's address as people write it."""
    if not isinstance(address, tuple):
        return str(address) if address else "unknown"
    host, port = str(address[0]), address[1]
    if host.startswith("::ffff:"):
        host = host.removeprefix("::ffff:")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
