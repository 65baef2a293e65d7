"""A TCP connection: a socket, the channel on it, and the stage it is at.

asyncio's transports keep what the socket did not take to themselves, cannot give a socket away and
know no urgent data; so this is an event loop's reader and writer (`inflow`, `outflow`), and what
each side does is one state.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from gatewayd.log import Happening, note
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.ends import Far, Near
from gatewayd.net.inflow import Inflow
from gatewayd.net.outflow import Outflow
from gatewayd.net.stage import Stage
from gatewayd.net.tcp import (
    at_mark,
    has_ended,
    has_unread,
    keep_little,
    round_trip,
    still_expect_peer,
)
from gatewayd.net.vigil import Vigil
from gatewayd.net.watch import SocketWatch
from gatewayd.port.session import Session

CLOSE_S: Final = 2.0
"""How long a client may take to see that we closed; data that came unread would make the kernel
reset the connection, and the client lose our last words."""
DISCARD_BYTES: Final = 65536

_DM: Final = 0xF2
_CLOSING: Final = Near.CLOSING


class Connection:
    """One connected, non-blocking socket; it belongs to this object from now on.

    Call `enter` with its first stage. A stage sees it as `gatewayd.port.peer.Peer`.
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
        self._watch = watch
        self.closed = closed
        """Called once, when the socket is closed."""
        self._near = Near.SERVING
        self._far = Far.TALKING
        self._has_dm = False
        self._close_timer: asyncio.TimerHandle | None = None
        self.vigil: Vigil | None = None
        """Looks whether the client is there, while something is on its way to it."""
        self.stage: Stage | None = None
        """What the connection is at."""
        self._inflow = Inflow(self._loop, sock.fileno(), self._readable)
        self._outflow = Outflow(self._loop, sock, self)
        self.read_again = self._inflow.again
        self.put_back = self._inflow.put_back
        self.take_rest = self._inflow.take_rest
        self.gather = self._inflow.gather
        self.wait_writable = self._outflow.wait
        self.write = self._outflow.write
        self.write_urgent = self._outflow.write_urgent
        self.backlog = self._outflow.backlog
        self.flushed = self._outflow.flushed
        self.layer(carrier)

    # ---- stages and layers

    @property
    def local(self) -> bool:
        """Whether the client is on this machine, at a local socket."""
        return self._sock.family == socket.AF_UNIX

    @property
    def reading(self) -> bool:
        """Whether the client is read."""
        return self._inflow.reading

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._sock.fileno()

    @property
    def session(self) -> Session | None:
        """The session that is served, if the connection has come so far."""
        return self.stage if isinstance(self.stage, Session) else None

    def enter(self, stage: Stage, rest: bytes = b"") -> None:
        """Go to another stage; `rest` is what was read and is for that one."""
        if self._near >= Near.CLOSING:
            return
        first, self.stage = self.stage is None, stage
        if first:
            self._watch.add(self._sock.fileno(), self)
        if self._far is Far.READ:
            # The new stage reads the end as well.
            self._far = Far.CLOSED
        if rest:
            self._inflow.put_back(rest)
        self.resume_reading()
        stage.start()

    def layer(self, carrier: Carrier) -> None:
        """Go on by way of another channel; what was put back and not read yet is dropped."""
        channel = carrier(self._sock, self)
        self.can_give = channel.can_give
        """Whether another process can go on with the socket."""
        self._pending = channel.pending
        self._urgent_matters = channel.can_urgent
        self._shutdown = channel.shutdown
        self._inflow.take(channel)
        self._outflow.take(channel)

    # ---- from the loop

    def _readable(self) -> None:
        stage = self.stage
        if stage is None or self._near >= _CLOSING:
            self._discard()
            return
        try:
            data = self._inflow.recv(stage.read_size)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if not data:
            self._read_all(stage)
            return
        try:
            # The kernel ends a read at the urgent mark: what came then stands before it, up to the
            # IAC of the DM, or the DM itself if the client's urgent pointer is one further on.
            if (
                data[-1] >= _DM
                and self._takes_urgent()
                and not self._inflow.has_rest
                and at_mark(self._sock)
            ):
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
        self.abort()

    def _read_all(self, stage: Stage) -> None:
        hung, self._far = self._far is Far.HUNG, Far.READ
        self.pause_reading()
        if hung:
            self._loop.call_soon(self.hung_up)
        self._tell(stage.peer_eof)

    def _takes_urgent(self) -> bool:
        return self._urgent_matters and self.stage is not None and self.stage.takes_urgent

    def _discard(self) -> None:
        """We have closed: wait for the client to close as well."""
        try:
            if self._sock.recv(DISCARD_BYTES):
                return
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if self._near is Near.CLOSING and self._outflow.waits:
            # It sends no more, and may well read what it is still to get.
            self._far = max(self._far, Far.READ)
            self.pause_reading()
        else:
            self.abort()

    # ---- from the watch (`gatewayd.net.watch.Watched`)

    def urgent(self) -> None:
        """Urgent data was announced."""
        if self._has_dm and at_mark(self._sock):
            # The pointer behind a DM that was read; another one will not come.
            self._has_dm = False
        elif self._near < Near.CLOSING and self.stage is not None and self._takes_urgent():
            self._tell(self.stage.urgent)

    def hung_up(self) -> None:
        """The connection is over."""
        # Seen by the last read as well, unless reading stops before.
        self._far = max(self._far, Far.HUNG)
        if self._inflow.reading or self._outflow.waits:
            return
        if self.stage is not None and self.stage.waits and self.unread():
            # It has its turn with what it sent.
            self._tell(self.stage.peer_closing)
        else:
            self.abort()

    def half_closed(self) -> None:
        """The client sends no more. Reading finds out, unless it is paused."""
        self._far = max(self._far, Far.CLOSED)
        if self._near >= Near.CLOSING or self._inflow.reading or self._far is Far.READ:
            return
        if self.stage is not None:
            self._tell(self.stage.peer_closing)

    # ---- from what is sent (`gatewayd.net.outflow.Sender`)

    def sent(self) -> None:
        """Something went out. An idle connection, that got no more than the opening, needs no
        vigil, nor one within this machine: its end is always told."""
        timeout = self.stage.vigilance if self.stage is not None else 0
        if timeout and self.vigil is None:
            self._outflow.tells = False
            if not self.local:
                over, gone = self._vigil_over, self.abort
                self.vigil = Vigil(self._loop, self._sock, timeout, over=over, gone=gone)

    def _vigil_over(self) -> None:
        self.vigil = None
        self._outflow.tells = True

    def full(self) -> None:
        """The client does not take what is sent."""
        if self.stage is not None:
            self.stage.peer_full()

    def has_room(self) -> None:
        """It takes it again."""
        if self.stage is not None and self._near < Near.CLOSING:
            self._tell(self.stage.peer_ready)

    def emptied(self) -> None:
        """Nothing waits for the client any more."""
        if self._near is Near.CLOSING:
            self._shut()

    # ---- from the stage

    def ended(self) -> bool:
        """Whether the client has closed its side, though not all that it sent may be read."""
        return has_ended(self._sock)

    def round_trip(self) -> float:
        """Seconds that the network takes there and back."""
        return round_trip(self._sock)

    def unread(self) -> bool:
        """Whether something that the client sent waits to be read."""
        return (
            self._inflow.has_rest
            or has_unread(self._sock)
            or (self._far is not Far.READ and self._pending())
        )

    def limit_kernel(self) -> None:
        """Have the kernel keep little of what the client does not take."""
        keep_little(self._sock)

    def pause_reading(self) -> None:
        """Read nothing from the client."""
        if self._inflow.pause():
            if self._far is Far.HUNG:
                self._loop.call_soon(self.hung_up)
            elif self._far is Far.CLOSED:
                self._loop.call_soon(self.half_closed)

    def resume_reading(self) -> None:
        """Read again."""
        if self._far is not Far.READ and self._near not in (Near.FROZEN, Near.GIVEN, Near.OVER):
            self._inflow.resume()

    def close(self) -> None:
        """Send what is kept, say that nothing follows, and wait for the client to close."""
        if self._near < Near.CLOSING:
            self._near = Near.CLOSING
            self._outflow.end()
            if not self._outflow.waits:
                self._shut()
            else:
                self._close_soon()

    def _close_soon(self) -> None:
        if self._close_timer is None:
            self._close_timer = self._loop.call_later(CLOSE_S, self.abort)

    def _shut(self) -> None:
        self._near = Near.SHUT
        over = self._far is Far.READ
        try:
            # Not left to the close: somebody else may have a copy of the socket.
            self._shutdown()
        except OSError:
            over = True
        if over:
            self._loop.call_soon(self.abort)
        else:
            self._close_soon()
            self.resume_reading()

    def expect(self, timeout: float) -> None:
        """Have a client be gone that was silent on the network for so many seconds."""
        still_expect_peer(self._sock, timeout)
        if self.vigil is not None:
            self.vigil.expect(timeout)

    def abort(self) -> None:
        """Close at once."""
        if self._near is Near.OVER:
            return
        if self._near is not Near.GIVEN:
            self._release()
        self._near = Near.OVER
        self._sock.close()
        self.closed(self)

    def drop(self) -> None:
        """Close at once, and tell nobody: the process ends."""
        self.stage = None
        self.abort()

    def _release(self) -> bytes:
        """Let go of the loop, the watch and the stage; return what was not sent."""
        self._inflow.pause()
        if self.vigil is not None:
            self.vigil.cancel()
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._watch.remove(self._sock.fileno())
        self._near = Near.GIVEN
        unsent = self._outflow.release()
        stage, self.stage = self.stage, None
        if stage is not None:
            stage.peer_gone()
        return unsent

    # ---- hand-over to another process

    def stop_reading(self) -> None:
        """Read nothing any more, whatever the stage wants. What was read is the stage's; if that
        waits, it stays until it has its turn, here or in another process."""
        self.pause_reading()
        self._near = max(self._near, Near.FROZEN)
        if self.stage is not None and self.stage.waits:
            return
        while rest := self._inflow.take_rest():
            if self._near is Near.FROZEN and self.stage is not None:
                self.stage.receive(rest)

    def give_away(self, keep: Callable[[int], None]) -> bytes:
        """Have `keep` make a copy of the descriptor that outlives this process; what waits for the
        client. Nothing is read or sent from here on, and the stage is not told.
        """
        self.stage = None
        if self.vigil is not None:
            self.vigil.leave()
            self.vigil = None
        keep(self._sock.fileno())
        return self._release()

    def go_on(self, session: Session, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Serve a session that another process began; `unsent` is what it did not get sent.

        Raises KeyError, ValueError or TypeError for a snapshot that is none.
        """
        self.stage = session
        self._watch.add(self._sock.fileno(), self)
        self.resume_reading()
        if unsent:
            self._outflow.keep(unsent)
        session.restore(snapshot)
        self._outflow.look_full()
        self.sent()
        if self.vigil is not None:
            self.vigil.hurry()
