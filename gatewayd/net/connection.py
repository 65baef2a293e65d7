"""A TCP connection: a socket, the channel on it, and the stage it is at.

asyncio's transports keep what the socket did not take to themselves, cannot give a socket away and
know no urgent data; so this is an event loop's reader and writer and one buffer.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from gatewayd.log import Happening, note
from gatewayd.net.channel import Carrier, Channel, PlainChannel
from gatewayd.net.stage import Stage
from gatewayd.net.tcp import at_mark, has_ended, has_unread, keep_little
from gatewayd.net.vigil import Vigil
from gatewayd.net.watch import SocketWatch
from gatewayd.port.peer import HIGH_BYTES, LOW_BYTES
from gatewayd.port.session import Session

CLOSE_S: Final = 2.0
"""How long a client may take to see that we closed; data that came unread would make the kernel
reset the connection, and the client lose our last words."""
DISCARD_BYTES: Final = 65536

_DM: Final = 0xF2


class Near(enum.IntEnum):
    """What we do. It only goes forward."""

    SERVING = 0
    FROZEN = 1
    """The connection is on its way to another process: nothing is read."""
    CLOSING = 2
    """What is kept is sent, then comes our end."""
    SHUT = 3
    """Our end is sent: the client has `CLOSE_S` for its own."""
    OVER = 4
    """The socket is not ours any more."""


class Far(enum.IntEnum):
    """What the client does. It only goes forward, until another stage has to find out anew."""

    TALKING = 0
    CLOSED = 1
    """It sends no more; what it sent is not all read."""
    HUNG = 2
    """The connection is over; what came before is not all read."""
    READ = 3
    """It sends no more, and all is read."""


class Connection:
    """One connected, non-blocking socket; it belongs to this object from now on.

    Call `enter` with its first stage. `closed` is called once, when the socket is.
    """

    def __init__(
        self,
        sock: socket.socket,
        watch: SocketWatch,
        closed: Callable[[Connection], None],
        *,
        carrier: Carrier = PlainChannel,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._fd = sock.fileno()
        self._local = sock.family == socket.AF_UNIX
        self._watch = watch
        self._closed = closed
        self._stage: Stage | None = None
        self._near = Near.SERVING
        self._far = Far.TALKING
        self._unsent = bytearray()
        self._rest = b""
        self._flushed = asyncio.Event()
        self._flushed.set()
        self._full = False
        self._reading = False
        self._reads_again = False
        self._writing = False
        self._has_dm = False
        self._close_timer: asyncio.TimerHandle | None = None
        self._vigil: Vigil | None = None
        self._take(carrier(sock, self))

    def _take(self, channel: Channel) -> None:
        self._channel = channel
        self._recv = channel.recv
        self._send = channel.send
        self._urgent_matters = channel.can_urgent

    # ---- stages and layers

    @property
    def stage(self) -> Stage | None:
        """What the connection is at."""
        return self._stage

    @property
    def session(self) -> Session | None:
        """The session that is served, if the connection has come so far."""
        return self._stage if isinstance(self._stage, Session) else None

    def enter(self, stage: Stage, rest: bytes = b"") -> None:
        """Go to another stage; `rest` is what was read and is for that one."""
        first, self._stage = self._stage is None, stage
        if first:
            self._watch.add(self._fd, self)
        if self._far is Far.READ:
            # The new stage reads the end as well.
            self._far = Far.CLOSED
        if rest:
            self._put_back(rest)
        self.resume_reading()
        stage.start()

    def layer(self, carrier: Carrier) -> None:
        """Go on by way of another channel; what was put back and not read yet is dropped."""
        self._rest = b""
        self._take(carrier(self._sock, self))

    def _put_back(self, data: bytes) -> None:
        self._rest = data + self._rest
        self._recv = self._recv_rest
        self.read_again()

    def _recv_rest(self, size: int) -> bytes:
        data, self._rest = self._rest[:size], self._rest[size:]
        if not self._rest:
            self._recv = self._channel.recv
        self.read_again()
        return data

    def go_on(self, session: Session, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Serve a session that another process began; `unsent` is what it did not get sent.

        Raises KeyError, ValueError or TypeError for a snapshot that is none.
        """
        self._stage = session
        self._watch.add(self._fd, self)
        self.resume_reading()
        if unsent:
            self._keep(unsent)
        session.restore(snapshot)
        self._look_full()
        self._keep_vigil()

    # ---- from the loop

    def _readable(self) -> None:
        stage = self._stage
        if stage is None or self._near >= Near.CLOSING:
            self._discard()
            return
        try:
            data = self._recv(stage.read_size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        if not data:
            self._read_all(stage)
            return
        try:
            # The kernel ends a read at the urgent mark: what came then stands before it, up to the
            # IAC of the DM, or the DM itself if the client's urgent pointer is one further on.
            if data[-1] >= _DM and self._takes_urgent() and at_mark(self._sock):
                stage.urgent()
                self._has_dm = data[-1] == _DM
            stage.receive(data)
        except Exception as error:  # noqa: BLE001 - our fault, and still this client's end alone
            self._failed(error)

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        note(Happening.FAULT, "session failed", level=logging.ERROR, exc_info=error)
        self._end()

    def _read_all(self, stage: Stage) -> None:
        hung, self._far = self._far is Far.HUNG, Far.READ
        self.pause_reading()
        if hung:
            self._loop.call_soon(self.hung_up)
        self._tell(stage.peer_eof)

    def _takes_urgent(self) -> bool:
        return self._urgent_matters and self._stage is not None and self._stage.takes_urgent

    def read_again(self) -> None:
        """There is something to receive, whatever the socket says."""
        if not self._reads_again:
            self._reads_again = True
            self._loop.call_soon(self._read_pending)

    def _read_pending(self) -> None:
        self._reads_again = False
        if self._reading:
            self._readable()

    def _writable(self) -> None:
        try:
            if not self._channel.flush():
                return
            if self._unsent:
                del self._unsent[: self._send(self._unsent)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        if not self._unsent and not self._channel.kept():
            self._writing = False
            self._loop.remove_writer(self._fd)
            self._flushed.set()
            if self._near is Near.CLOSING:
                self._shut()
        if self._full and self.backlog() < LOW_BYTES:
            self._full = False
            if self._stage is not None and self._near < Near.CLOSING:
                self._tell(self._stage.peer_ready)

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
        if self._has_dm and at_mark(self._sock):
            # The pointer behind a DM that was read; another one will not come.
            self._has_dm = False
        elif self._near < Near.CLOSING and self._stage is not None and self._takes_urgent():
            self._tell(self._stage.urgent)

    def hung_up(self) -> None:
        """The connection is over: see `SocketWatch`."""
        # Seen by the last read as well, unless reading stops before.
        self._far = max(self._far, Far.HUNG)
        if self._reading or self._writing:
            return
        if self._stage is not None and self._stage.waits and self.unread():
            # It has its turn with what it sent.
            self._tell(self._stage.peer_closing)
        else:
            self._end()

    def half_closed(self) -> None:
        """The client sends no more: see `SocketWatch`. Reading finds out, unless it is paused."""
        self._far = max(self._far, Far.CLOSED)
        if not self._reading and self._far is not Far.READ and self._stage is not None:
            self._tell(self._stage.peer_closing)

    def _keep_vigil(self) -> None:
        """Something was sent. An idle connection, that got no more than the opening, needs none,
        nor one within this machine: its end is always told."""
        if self._local:
            return
        timeout = self._stage.vigilance if self._stage is not None else 0
        if timeout:
            over, gone = self._vigil_over, self._end
            self._vigil = Vigil(self._loop, self._sock, timeout, over=over, gone=gone)

    def _vigil_over(self) -> None:
        self._vigil = None

    # ---- from the stage (`gatewayd.port.peer.Peer`)

    def write(self, data: bytes) -> None:
        """Send; what the socket does not take is kept."""
        if self._near >= Near.CLOSING:
            return
        if not self._writing:
            try:
                sent = self._send(data)
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
        self._keep(data)
        self._look_full()

    def _keep(self, data: bytes) -> None:
        self._unsent += data
        self.wait_writable()

    def wait_writable(self) -> None:
        """Send on when the socket takes bytes again."""
        if not self._writing:
            self._writing = True
            self._flushed.clear()
            self._loop.add_writer(self._fd, self._writable)

    def _look_full(self) -> None:
        if not self._full and self.backlog() > HIGH_BYTES:
            self._full = True
            if self._stage is not None:
                self._stage.peer_full()

    def write_urgent(self, data: bytes) -> None:
        """Send with the last byte as TCP urgent data; in its turn, when something waits before."""
        if not self._writing and self._near < Near.CLOSING and self._urgent_matters:
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
        return len(self._unsent) + self._channel.kept()

    def ended(self) -> bool:
        """Whether the client has closed its side, though not all that it sent may be read."""
        return has_ended(self._sock)

    def unread(self) -> bool:
        """Whether something that the client sent waits to be read."""
        return has_unread(self._sock)

    def limit_kernel(self) -> None:
        """Have the kernel keep little of what the client does not take."""
        keep_little(self._sock)

    def pause_reading(self) -> None:
        """Read nothing from the client."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)
            if self._far is Far.HUNG:
                self._loop.call_soon(self.hung_up)
            elif self._far is Far.CLOSED:
                self._loop.call_soon(self.half_closed)

    def resume_reading(self) -> None:
        """Read again."""
        if self._reading or self._far is Far.READ or self._near in (Near.FROZEN, Near.OVER):
            return
        self._reading = True
        self._loop.add_reader(self._fd, self._readable)
        if self._rest or self._channel.pending():
            self.read_again()

    def close(self) -> None:
        """Send what is kept, say that nothing follows, and wait for the client to close."""
        if self._near < Near.CLOSING:
            self._near = Near.CLOSING
            self._close_timer = self._loop.call_later(CLOSE_S, self._end)
            if not self._writing:
                self._shut()

    def abort(self) -> None:
        """Close at once."""
        self._end()

    # ---- the end

    def _shut(self) -> None:
        self._near = Near.SHUT
        try:
            self._channel.shutdown()
        except OSError:
            self._loop.call_soon(self._end)
            return
        if self._far is Far.READ:
            self._loop.call_soon(self._end)
            return
        self.resume_reading()

    def _end(self) -> None:
        if self._near is Near.OVER:
            return
        self._release()
        self._sock.close()

    def _release(self) -> None:
        """Let go of the loop, the watch and the stage."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)
        if self._vigil is not None:
            self._vigil.cancel()
        if self._writing:
            self._loop.remove_writer(self._fd)
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._watch.remove(self._fd)
        self._near = Near.OVER
        self._fd = -1
        self._flushed.set()
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.peer_gone()
        self._closed(self)

    # ---- hand-over to another process

    def stop_reading(self) -> None:
        """Read nothing any more, whatever the stage wants."""
        self.pause_reading()
        self._near = max(self._near, Near.FROZEN)
        if self._rest and self._near is Near.FROZEN and self._stage is not None:
            rest, self._rest = self._rest, b""
            self._stage.receive(rest)

    def give_away(self) -> tuple[int, bytes]:
        """The socket, for a copy that outlives this process, and what waits for the client.

        Nothing is read or sent from here on, and the stage is not told.
        """
        fd, unsent = self._fd, bytes(self._unsent)
        self._stage = None
        self._release()
        return fd, unsent
