"""A channel of a connection whose bytes are encrypted (RFC 8446, RFC 5246).

Not a wrapped socket: what belongs to TLS may have been read before it began, and the handshake may
be done in a thread. The state machine reads from memory and writes to memory; the socket is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from gatewayd.net.channel import Ties
from gatewayd.tls.words import in_words
from gatewayd.typed import Protocol

RECORD_BYTES: Final = 16384
"""What a record holds at most."""
READ_BYTES: Final = 4 * RECORD_BYTES
"""Of data, in one turn; who takes so much gets another record that is there as well."""
HANDSHAKE_BYTES: Final = 4096
"""Read at once while there is no session."""
WRITE_BYTES: Final = 65536
HANDSHAKE: Final = b"\x16"
"""The first byte of the first record."""

_ENCRYPTED: Final = memoryview(bytearray(READ_BYTES + 4 * 22))
"""Four whole records, with what TLS 1.3 adds to each: then a stream of such has no torn ones."""
_PLAIN: Final = memoryview(bytearray(READ_BYTES + RECORD_BYTES))
"""Where all channels read, one after the other; what is given on is a copy."""

_HELPERS: Final = ThreadPoolExecutor(1, "handshake")
"""Where a handshake is done that would hold up the loop; a thread from the first one on."""


class Waiting(Protocol):
    """Who waits for a handshake."""

    def agreed(self, tls: ssl.SSLObject) -> None:
        """TLS is in force."""

    def failed(self, reason: str) -> None:
        """There will be no TLS."""

    def hold(self) -> None:
        """Leave what the client sends where it is, until `go_on`."""

    def go_on(self) -> None:
        """Read again."""


class TlsChannel:
    """TLS on a socket, from the ClientHello on.

    `tls` with its memory `incoming` and `outgoing` is the server's side, `early` what the client
    has sent already. `waiting` is told once how the handshake ends; with `slow` its steps are done
    in a thread. The client may send `most` bytes until it is over.
    """

    can_urgent = False
    can_give = False

    def __init__(
        self,
        sock: socket.socket,
        ties: Ties,
        server_side: tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO],
        *,
        early: bytes,
        waiting: Waiting,
        slow: bool,
        most: int,
    ) -> None:
        self._sock = sock
        self._ties = ties
        self._tls, self._incoming, self._outgoing = server_side
        self._waiting: Waiting | None = waiting
        self._slow = slow
        self._first = early[:1]
        self._left = most - len(early)
        self._kept = bytearray()
        self._established = False
        self._more = bool(early)
        """Whether there may be more in memory, of which the kernel knows nothing."""
        self._ended = False
        self._shut = False
        self._broken: ssl.SSLError | None = None
        """What is wrong with what comes after that which was read."""
        if early:
            self._incoming.write(early)
            ties.read_again()

    # ---- the handshake

    def _shake(self) -> None:
        """Go on with it."""
        if not self._more:
            data = self._sock.recv(HANDSHAKE_BYTES)
            if not data:
                self._ended = True
                return
            self._first = self._first or data[:1]
            self._left -= len(data)
            self._incoming.write(data)
        self._more = False
        if self._slow and self._waiting is not None:
            # Memory is not to be touched until it is done.
            self._waiting.hold()
            step = asyncio.get_running_loop().run_in_executor(_HELPERS, self._step)
            step.add_done_callback(self._stepped)
        else:
            self._judge(self._step())

    def _step(self) -> ssl.SSLError | None:
        try:
            self._tls.do_handshake()
        except ssl.SSLError as error:
            return error
        return None

    def _stepped(self, step: asyncio.Future[ssl.SSLError | None]) -> None:
        waiting = self._waiting
        if waiting is not None:
            try:
                self._judge(step.result())
            except OSError:
                self._fail("the connection was lost")
            waiting.go_on()

    def _judge(self, error: ssl.SSLError | None) -> None:
        self._answer()
        if error is None:
            self._established = True
            # It may have come with the end of the handshake.
            self._look_for_more()
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.agreed(self._tls)
        elif not isinstance(error, ssl.SSLWantReadError):
            self._fail(in_words(error))
        elif self._first != HANDSHAKE:
            # Less than the head of a record, and never the beginning of one.
            self._fail("the client does not speak TLS")
        elif self._left < 0:
            self._fail("too much was sent, and no end of it")

    def _fail(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.failed(reason)

    def give_up(self) -> None:
        """Nobody waits for the handshake any more."""
        self._waiting = None

    # ---- the channel, see `gatewayd.net.channel.Channel`

    def recv(self, size: int) -> bytes:
        """So many bytes, or the few more of `READ_BYTES`; empty at the end, be it told by TLS or by
        TCP."""
        if not self._established and not self._ended:
            self._shake()
            if not self._ended:
                raise BlockingIOError
        if self._ended:
            return b""
        if self._broken is not None:
            raise self._broken
        if not self._more:
            count = self._sock.recv_into(_ENCRYPTED)
            if not count:
                self._ended = True
                return b""
            self._incoming.write(_ENCRYPTED[:count])
        # The piece of a record that came with the last read may complete a fifth one: left over,
        # it would be a turn of its own.
        plain = self._decrypt(size if size < READ_BYTES else len(_PLAIN))
        if self._outgoing.pending:
            self._push()
        return plain

    def _decrypt(self, size: int) -> bytes:
        """All that the records in memory hold, at most so many bytes; empty at the end."""
        tls, incoming = self._tls, self._incoming
        # Into a buffer it gives a number, whatever its stub says.
        read: Callable[[int, memoryview], int] = tls.read  # type: ignore[assignment]
        got = 0
        try:
            while got < size:
                count = read(size - got, _PLAIN[got:])
                if not count:
                    self._ended = True
                    break
                got += count
                if not incoming.pending and not tls.pending():
                    self._more = False
                    return bytes(_PLAIN[:got])
        except ssl.SSLWantReadError:
            # Part of a record.
            self._more = False
            if not got:
                self._answer()
                raise BlockingIOError from None
            return bytes(_PLAIN[:got])
        except ssl.SSLError as error:
            # The other side is told why; what came before is told first.
            self._answer()
            if not got:
                raise
            self._broken = error
        if got:
            self._look_for_more()
        return bytes(_PLAIN[:got])

    def _look_for_more(self) -> None:
        broken_or_over = self._broken is not None or self._ended
        self._more = bool(self._incoming.pending or self._tls.pending() or broken_or_over)
        if self._more:
            self._ties.read_again()

    def _answer(self) -> None:
        """Send what TLS itself has to say."""
        if self._outgoing.pending:
            self._push()

    def send(self, data: bytes | bytearray) -> int:
        """Encrypt, and send; what the socket does not take is kept."""
        if not self._established:
            # There is nothing yet by which it could be told.
            return len(data)
        if self._kept:
            raise BlockingIOError
        count = self._tls.write(data if len(data) <= WRITE_BYTES else data[:WRITE_BYTES])
        self._push()
        return count

    def _push(self) -> None:
        data = self._outgoing.read()
        if not self._kept:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._kept += data
        self._ties.wait_writable()

    def pending(self) -> bool:
        """Whether there may be something in memory, or the end."""
        return self._more or self._ended

    def kept(self) -> int:
        """Bytes, encrypted, that the socket did not take."""
        return len(self._kept)

    def flush(self) -> bool:
        """Send what was kept; then the end, if it is to come."""
        if self._kept:
            del self._kept[: self._sock.send(self._kept)]
        if not self._kept and self._shut:
            self._sock.shutdown(socket.SHUT_WR)
        return not self._kept

    def shutdown(self) -> None:
        """Send close_notify, and FIN behind it."""
        self._shut = True
        if self._established:
            # The other side's is yet to come; or TLS is broken.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._answer()
        if not self._kept:
            self._sock.shutdown(socket.SHUT_WR)
