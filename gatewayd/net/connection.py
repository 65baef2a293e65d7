"""A TCP connection as the peer of a session, straight on the socket.

asyncio's transports keep what the socket did not take to themselves, cannot give a socket away and
know no urgent data; so this is an event loop's reader and writer and one buffer.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import socket
import struct
from collections.abc import Callable
from typing import Final

from gatewayd.log import Happening, note
from gatewayd.net.vigil import Vigil
from gatewayd.net.watch import SocketWatch
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession

HIGH_BYTES: Final = 65536
LOW_BYTES: Final = 16384
"""What waits for a client: above the first the line is not read, below the second it is again."""
CLOSE_S: Final = 2.0
"""How long a client may take to see that we closed; data that came unread would make the kernel
reset the connection, and the client lose our last words."""
DISCARD_BYTES: Final = 65536

_SIOCATMARK: Final = 0x8905
_INT: Final = struct.pack("i", 0)
_DM: Final = 0xF2


class Connection:
    """One connected, non-blocking socket; it belongs to this object from now on.

    Call `begin` with the session that it serves. `closed` is called once, when the socket is.
    """

    def __init__(
        self,
        sock: socket.socket,
        watch: SocketWatch,
        closed: Callable[[Connection], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._fd = sock.fileno()
        self._watch = watch
        self._closed = closed
        self._session: Session | None = None
        self._telnet: TelnetSession | None = None
        self._unsent = bytearray()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._full = False
        self._reading = False
        self._eof = False
        self._frozen = False
        self._hung = False
        self._half_closed = False
        self._has_dm = False
        self._closing: asyncio.TimerHandle | None = None
        self._vigil: Vigil | None = None

    def begin(self, session: Session) -> None:
        """Serve `session`. The socket has the options of its listener, see `expect_peer`."""
        self._attach(session)
        session.start()

    def go_on(self, session: Session, unsent: bytes) -> None:
        """Serve a session that another process began; `unsent` is what it did not get sent."""
        self._attach(session)
        if unsent:
            self.write(unsent)

    def _attach(self, session: Session) -> None:
        self._session = session
        if isinstance(session, TelnetSession):
            self._telnet = session
        self._watch.add(self._fd, self)
        self.resume_reading()

    # ---- from the loop

    def _readable(self) -> None:
        session = self._session
        if session is None or self._closing is not None:
            self._discard()
            return
        try:
            data = self._sock.recv(session.read_size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        if not data:
            self._eof = True
            self.pause_reading()
            session.peer_eof()
            return
        try:
            # The kernel ends a read at the urgent mark: what came then stands before it, up to the
            # IAC of the DM, or the DM itself if the client's urgent pointer is one further on.
            if data[-1] >= _DM and self._telnet is not None and self._at_mark():
                self._telnet.urgent()
                self._has_dm = data[-1] == _DM
            session.receive(data)
        except Exception as error:  # noqa: BLE001 - our fault, and still this client's end alone
            note(Happening.FAULT, "session failed", level=logging.ERROR, exc_info=error)
            self._end()

    def _at_mark(self) -> bool:
        return fcntl.ioctl(self._fd, _SIOCATMARK, _INT) != _INT

    def _writable(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        del self._unsent[:sent]
        if not self._unsent:
            self._loop.remove_writer(self._fd)
            self._flushed.set()
            if self._closing is not None:
                self._shut()
        if self._full and len(self._unsent) < LOW_BYTES:
            self._full = False
            if self._session is not None and self._closing is None:
                self._session.peer_ready()

    def _discard(self) -> None:
        """We have closed: wait for the client to close as well."""
        try:
            if self._sock.recv(DISCARD_BYTES):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            pass
        self._end()

    def urgent(self) -> None:
        """Urgent data was announced: see `SocketWatch`."""
        if self._has_dm and self._at_mark():
            # The pointer behind a DM that was read; another one will not come.
            self._has_dm = False
        elif self._telnet is not None and self._closing is None:
            self._telnet.urgent()

    def hung_up(self) -> None:
        """The connection is over: see `SocketWatch`."""
        # Seen by the last read as well, unless reading stops before.
        self._hung = True
        if not self._reading and not self._unsent:
            self._end()

    def half_closed(self) -> None:
        """The client sends no more: see `SocketWatch`. Reading finds out, unless it is paused."""
        self._half_closed = True
        if not (self._reading or self._eof) and self._session is not None:
            self._session.peer_closing()

    def _keep_vigil(self) -> None:
        """Something was sent. An idle connection, that got no more than the opening, needs none."""
        session = self._session
        if session is not None and session.bytes_out:
            timeout = session.port.config.peer_timeout
            over, gone = self._vigil_over, self._end
            self._vigil = Vigil(self._loop, self._sock, timeout, over=over, gone=gone)

    def _vigil_over(self) -> None:
        self._vigil = None

    # ---- from the session (`gatewayd.port.peer.Peer`)

    def write(self, data: bytes) -> None:
        """Send; what the socket does not take is kept."""
        if self._closing is not None:
            return
        if not self._unsent:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                # Told in the next turn: the session is in the middle of something.
                self._loop.call_soon(self._end)
                return
            if self._vigil is None:
                self._keep_vigil()
            if sent == len(data):
                return
            data = data[sent:]
            self._flushed.clear()
            self._loop.add_writer(self._fd, self._writable)
        self._unsent += data
        if not self._full and len(self._unsent) > HIGH_BYTES:
            self._full = True
            if self._session is not None:
                self._session.peer_full()

    def write_urgent(self, data: bytes) -> None:
        """Send with the last byte as TCP urgent data; in its turn, when something waits before."""
        if not self._unsent and self._closing is None:
            try:
                data = data[self._sock.send(data, socket.MSG_OOB) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                return
        if data:
            self.write(data)

    async def flushed(self) -> None:
        """Wait until the socket has taken everything, or is closed."""
        await self._flushed.wait()

    def backlog(self) -> int:
        """Bytes that wait for the client."""
        return len(self._unsent)

    def pause_reading(self) -> None:
        """Read nothing from the client."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)
            if self._hung:
                self._loop.call_soon(self.hung_up)
            elif self._half_closed and not self._eof:
                self._loop.call_soon(self.half_closed)

    def resume_reading(self) -> None:
        """Read again."""
        if not (self._reading or self._eof or self._frozen) and self._fd >= 0:
            self._reading = True
            self._loop.add_reader(self._fd, self._readable)

    def close(self) -> None:
        """Send what is kept, say that nothing follows, and wait for the client to close."""
        if self._closing is None and self._fd >= 0:
            self._closing = self._loop.call_later(CLOSE_S, self._end)
            if not self._unsent:
                self._shut()

    def abort(self) -> None:
        """Close at once."""
        self._end()

    # ---- the end

    def _shut(self) -> None:
        if self._eof:
            self._loop.call_soon(self._end)
            return
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._loop.call_soon(self._end)
            return
        self.resume_reading()

    def _end(self) -> None:
        if self._fd < 0:
            return
        self._release()
        self._sock.close()

    def _release(self) -> None:
        """Let go of the loop, the watch and the session."""
        self.pause_reading()
        if self._vigil is not None:
            self._vigil.cancel()
        if self._unsent:
            self._loop.remove_writer(self._fd)
        if self._closing is not None:
            self._closing.cancel()
        self._watch.remove(self._fd)
        self._fd = -1
        self._flushed.set()
        session, self._session, self._telnet = self._session, None, None
        if session is not None:
            session.peer_gone()
        self._closed(self)

    # ---- hand-over to another process

    def stop_reading(self) -> None:
        """Read nothing any more, whatever the session wants."""
        self.pause_reading()
        self._frozen = True

    def give_away(self) -> tuple[int, bytes]:
        """The socket, for a copy that outlives this process, and what waits for the client.

        Nothing is read or sent from here on, and the session is not told.
        """
        fd, unsent = self._fd, bytes(self._unsent)
        self._session = self._telnet = None
        self._release()
        return fd, unsent

    @property
    def session(self) -> Session | None:
        """The session that is served."""
        return self._session


def expect_peer(sock: socket.socket, timeout: float) -> None:
    """Prepare a listening socket: connections have its options from the moment of `accept`.

    They send small writes at once, and end when the peer was silent on the network for `timeout`
    seconds: idle by keepalive probes, in mid transfer by unacknowledged data. The DM of a Synch
    stays in the stream, and ends up nowhere else.
    """
    probe = max(1, int(timeout / 6))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, int(timeout / 2)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probe)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(timeout * 1000))


def peer_name(address: tuple[object, ...]) -> str:
    """A client's address, from `accept`, as people write it."""
    host, port = str(address[0]).removeprefix("::ffff:"), address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
