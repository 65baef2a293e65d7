"""The Telnet side of a connection: the engine, what is sent through it, and what is held back."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from gatewayd.line.api import Clock, Timer
from gatewayd.port.peer import HIGH_BYTES, Peer
from gatewayd.telnet.constants import IAC, Command, Option, Side
from gatewayd.telnet.doubling import undouble_iac
from gatewayd.telnet.engine import MAX_SUBNEGOTIATION, TelnetEngine
from gatewayd.telnet.events import Event, Subnegotiation
from gatewayd.telnet.pyserial import PyserialEngine

READ_BYTES: Final = 65536
FIRST_READ_BYTES: Final = 4096
DENSE_READ_BYTES: Final = 1024
DENSE_EVENTS: Final = 64
"""A command costs a hundred times what a byte does: so much is read at once from a client that
sends data, at first, and while one read has more than so many events."""
AT_ONCE: Final = 64
"""Commands of a client that are taken before other ports have their turn."""
REPLY_BYTES: Final = 65536
"""Answers that a client may leave untaken before it is not read any more."""
AGREEMENT_S: Final = 0.3
"""How long data that looks otherwise without BINARY waits for the client to agree to it. A client
that agrees and reads what came before as if it had, as gensio's does, would keep the NULs."""


_IAC: Final = int(Command.IAC)
_SAME_IN_BINARY: Final = re.compile(rb"(?:[^\r]++|\r\n)*+")
"""Data that is sent alike with BINARY and without: a lone CR gets a NUL without (RFC 854)."""


OPTIONS: Final = {
    Side.LOCAL: frozenset(
        (Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO, Option.STATUS),
    ),
    Side.REMOTE: frozenset((Option.BINARY, Option.SUPPRESS_GO_AHEAD)),
}
"""What both sides may perform on any connection; more by `TelnetFace.welcome`."""

_OPENINGS: Final = {
    (echo, com_port): (
        (Side.LOCAL, Option.BINARY, True),
        (Side.REMOTE, Option.BINARY, True),
        (Side.LOCAL, Option.SUPPRESS_GO_AHEAD, True),
        (Side.REMOTE, Option.SUPPRESS_GO_AHEAD, True),
        (Side.LOCAL, Option.ECHO, echo),
        (Side.REMOTE, Option.COM_PORT, com_port),
    )
    for echo in (True, False)
    for com_port in (True, False)
}

Subnegotiated = Callable[[bytes], str]
"""Takes the payload of a subnegotiation; returns what is wrong with it, if anything."""


class TelnetFace:
    """Telnet on one connection, from its first byte to its last, whatever it is at.

    `behind` is called when the client leaves so much untaken that it is not to be read, `lost`
    when it asks so much while it has suspended that it cannot be served: a session sets both.
    """

    def __init__(self, peer: Peer, clock: Clock) -> None:
        self._peer = peer
        self._clock = clock
        self.behind: Callable[[], None] = _not_told
        self.lost: Callable[[], None] = peer.abort
        self._subnegotiations: dict[int, Subnegotiated] = {}
        self._engine = _engine()
        self.suspended = False
        """Whether everything is held back until `resume`."""
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._agree_by: float | None = None
        """Until when, by the clock, BINARY is being agreed."""
        self._agreeing: Timer | None = None
        """Runs while something waits for that."""
        self._undecided = bytearray()
        """Data of the line from the first byte on that BINARY makes a difference to."""
        self.left = b""
        """What the last call of `receive` has left for another turn."""
        self.read_size = FIRST_READ_BYTES
        """How much to read at once: little from a client that sends little but commands, so that
        other ports have their turn."""

    # ---- options

    def welcome(
        self,
        side: Side,
        option: int,
        subnegotiated: Subnegotiated | None = None,
        *,
        longest: int = MAX_SUBNEGOTIATION,
    ) -> None:
        """Let an option be performed on `side`; its subnegotiations, which may have `longest`
        bytes, go to `subnegotiated`."""
        self._engine.welcome(side, option, True)
        self._engine.limit(option, longest)
        if subnegotiated is not None:
            self._subnegotiations[option] = subnegotiated

    def subnegotiation(self, event: Subnegotiation) -> str:
        """Give it to whom it is for; return what is wrong with it, if anything."""
        handler = self._subnegotiations.get(event.option)
        if handler is None:
            return f"subnegotiation of option {event.option}, which has none"
        return handler(event.payload)

    def ask(self, side: Side, option: int, *, enable: bool = True) -> None:
        """Ask for an option to be on or off, with the next `flush`."""
        self._engine.ask(side, option, enable=enable)

    def is_enabled(self, side: Side, option: int) -> bool:
        """Whether `option` is in force on `side`."""
        return self._engine.is_enabled(side, option)

    def is_asked(self, side: Side, option: int) -> bool:
        """Whether the client has yet to answer that `option` be on."""
        return self._engine.is_asked(side, option)

    def begin_anew(self) -> None:
        """Forget all that was agreed and read, as behind a layer that begins (START_TLS)."""
        self.settle()
        self._engine = _engine()
        self._subnegotiations.clear()

    def open(self, *, echo: bool, com_port: bool = True) -> None:
        """Open with offers only: what clients refuse or leave unanswered does no harm.

        `echo` is whether the client is not to show what it sends, `com_port` whether it may have
        Com Port Control.
        """
        self._engine.welcome(Side.REMOTE, Option.COM_PORT, com_port)
        self._engine.begin(_OPENINGS[echo, com_port])
        self.flush()
        self._agree_by = self._clock.time() + AGREEMENT_S

    def com_port(self, enable: bool) -> None:
        """Offer Com Port Control, or refuse it from now on."""
        self._engine.welcome(Side.REMOTE, Option.COM_PORT, enable)
        self._engine.ask(Side.REMOTE, Option.COM_PORT, enable=enable)
        self.flush()

    def echo(self, enable: bool) -> None:
        """Say whether what the client sends comes back to it (RFC 857)."""
        self._engine.ask(Side.LOCAL, Option.ECHO, enable=enable)
        self.flush()

    def settle(self) -> None:
        """Send what waits for the client to agree to BINARY, and wait no more."""
        self._agree_by = None
        data = bytes(self._undecided)
        self.drop_undecided()
        if data:
            # Behind the verb that decides how it looks.
            self.flush()
            self._write(self._engine.encode(data))

    def drop_undecided(self) -> None:
        """Throw away data of the line that waits for the client to agree to BINARY."""
        self._undecided.clear()
        if self._agreeing is not None:
            self._agreeing.cancel()
            self._agreeing = None

    # ---- from the client

    def urgent(self) -> None:
        """Drop data up to the next DM (RFC 854, Synch)."""
        self._engine.urgent()

    def plain(self, data: bytes) -> bytes | None:
        """What these bytes from the client are, if they are data and nothing else, as most of what
        comes: then `receive` need not be called. It must be for a full read, unless more is never
        read."""
        if (
            self._engine.transparent
            and (len(data) < self.read_size or len(data) >= READ_BYTES)
            and self._agree_by is None
        ):
            if _IAC not in data:
                return data
            # Where it begins with one it is most likely a command.
            if data[0] != _IAC:
                return undouble_iac(data)
        return None

    def receive(self, data: bytes, most: float = math.inf) -> list[Event]:
        """Bytes from the client; what they mean, in their order.

        What follows the first `most` commands is `left`, to be received again when others have had
        their turn.
        """
        events = self._engine.receive_data(data, most)
        self.left = self._engine.left
        if self.left or len(events) > DENSE_EVENTS:
            self.read_size = DENSE_READ_BYTES
        elif len(data) == self.read_size and len(data) < READ_BYTES:
            self.read_size = 2 * len(data)
        if self._agree_by is not None and not self._engine.is_asked(Side.LOCAL, Option.BINARY):
            self.settle()
        return events

    def unread(self, data: bytes) -> bytes:
        """Data that was received, as it may be received once more."""
        return self._engine.undecode(data)

    # ---- to the client

    def send_data(self, data: bytes) -> None:
        """Send data of the line."""
        if self._agree_by is not None:
            data = self._decided(data, self._agree_by)
        if self.suspended:
            self._write(self._engine.encode(data))
        else:
            self._peer.write(self._engine.encode(data))

    def _decided(self, data: bytes, agree_by: float) -> bytes:
        """What of `data` can go while BINARY is being agreed; the rest waits."""
        wait = agree_by - self._clock.time()
        if wait <= 0:
            self.settle()
            return data
        if self._undecided:
            stop = 0
        else:
            match = _SAME_IN_BINARY.match(data)
            stop = match.end() if match else 0
        self._undecided += data[stop:]
        data = data[:stop]
        if self._undecided and self._agreeing is None:
            self._agreeing = self._clock.call_later(wait, self.settle)
        if len(self._undecided) > REPLY_BYTES:
            self._write(self._engine.encode(data))
            data = b""
            self.settle()
        return data

    def send_text(self, text: str) -> None:
        """Send a line of text for a person, among the data."""
        self.flush()
        self._write(self._engine.encode(f"\r\n{text}\r\n".encode()))

    def say(self, data: bytes) -> None:
        """Send bytes of our own, among the data."""
        self.flush()
        self._write(self._engine.encode(data))

    def queue_text(self, text: str) -> None:
        """Queue a line of text for the next `flush`."""
        self._engine.send_data(f"\r\n{text}\r\n".encode())

    def send_subnegotiation(self, option: Option, payload: bytes) -> None:
        """Queue a subnegotiation for the next `flush`."""
        self._engine.send_subnegotiation(option, payload)

    def notify(self, option: Option, payload: bytes) -> None:
        """Send a subnegotiation that nobody has asked for: who does not take it is read on."""
        self.flush()
        self._engine.send_subnegotiation(option, payload)
        if self.suspended:
            self.flush()
        else:
            self._peer.write(self._engine.data_to_send())

    def send_timing_mark(self) -> None:
        """Answer DO TIMING-MARK."""
        self._engine.send_timing_mark()
        self.flush()

    def send_synch(self) -> None:
        """Tell the client to drop what it has not read (RFC 854, Synch), and drop it here."""
        self.drop_undecided()
        self.flush()
        synch = IAC + bytes((Command.DM,))
        if self.suspended:
            self._write(synch)
        else:
            self._peer.write_urgent(synch)

    def flush(self) -> None:
        """Send what the engine has to say."""
        data = self._engine.data_to_send()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Send, or keep while the client has suspended; what it leaves untaken is bounded."""
        if self.suspended:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > REPLY_BYTES:
                self.lost()
            return
        self._peer.write(data)
        if self._peer.backlog() > REPLY_BYTES:
            self.behind()

    def resume(self) -> None:
        """Send what was held back, and go on."""
        self.suspended = False
        held, self._held, self._held_bytes = self._held, [], 0
        for data in held:
            self._write(data)

    def overfull(self, more: int) -> bool:
        """Whether so much waits for the client that `more` bytes of the line cannot be added."""
        if self.suspended and self._held_bytes + more > REPLY_BYTES // 2:
            return True
        return self._peer.backlog() > HIGH_BYTES

    @property
    def lagging(self) -> bool:
        """Whether the client has so much to take that it is not told each change any more: so much
        that its peer is full, and will be ready again, or that it has to resume."""
        return self._peer.backlog() > HIGH_BYTES or self._held_bytes > REPLY_BYTES // 2

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        return {
            "engine": self._engine.snapshot(),
            "held": b"".join(self._held).hex(),
            "undecided": self._undecided.hex(),
            "agreeing": self._agree_by is not None and self._clock.time() < self._agree_by,
        }

    def restore(self, snapshot: dict[str, Any], *, suspended: bool) -> None:
        """Go on where another face was. Raises KeyError, ValueError, TypeError."""
        self._engine.restore(snapshot["engine"])
        held = bytes.fromhex(snapshot["held"])
        undecided = bytes.fromhex(snapshot.get("undecided", ""))
        self.suspended = suspended
        if held and suspended:
            self._held, self._held_bytes = [held], len(held)
        elif held:
            self._write(held)
        self._undecided += undecided
        if snapshot.get("agreeing", False):
            self._agree_by = self._clock.time() + AGREEMENT_S
            if undecided:
                self._agreeing = self._clock.call_later(AGREEMENT_S, self.settle)
        else:
            self.settle()


def _engine() -> TelnetEngine:
    return PyserialEngine(local=OPTIONS[Side.LOCAL], remote=OPTIONS[Side.REMOTE])


def _not_told() -> None:
    pass
