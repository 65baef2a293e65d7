"""The Telnet engine (RFC 854, 855, 856, 858, 859, 860, 1143): bytes in, events and bytes out.

Theory of operation. What comes in is searched for IAC; a chunk without one *is* the data event, no
copy made. Otherwise one regular expression takes the longest stretch in which every IAC is doubled,
one `replace` undoes the doubling, and what follows is a command. At most two bytes of an unfinished
command are kept, and of an unfinished subnegotiation no more than it may have.

The engine answers option requests by itself and keeps the answers for `data_to_send`. It never
raises on what a peer sends; what no RFC allows becomes a `Violation` and is skipped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from gatewayd.telnet.constants import IAC, STATUS_IS, STATUS_SEND, Command, Option, Side
from gatewayd.telnet.doubling import DOUBLED, MANY, double_iac, undouble_iac
from gatewayd.telnet.events import (
    ControlFunction,
    Event,
    OptionChanged,
    Subnegotiation,
    TimingMarkRequested,
    Violation,
)
from gatewayd.telnet.negotiation import IN_FORCE, SAY_YES, TURNS, Cue, Q, begun, joined

MAX_SUBNEGOTIATION: Final = 1024
"""Bytes; Com Port Control needs 6, and a signature is a line of text."""

_LITERAL: Final = re.compile(rb"(?:[^\xff]++|\xff\xff)*+")
_RUN: Final = re.compile(rb"\xff++")
_CR: Final = 13

# Bare numbers are compared faster than members; bytes are searched for one faster than for bytes.
_WILL, _WONT, _DO, _DONT = map(int, (Command.WILL, Command.WONT, Command.DO, Command.DONT))
_IAC, _SB, _SE, _DM = map(int, (Command.IAC, Command.SB, Command.SE, Command.DM))
_AMONG_DATA: Final = (Command.EC, Command.EL)
"""What a Synch discards with the data that it edits (RFC 854)."""
_VERBS: Final[dict[int, tuple[Side, bool]]] = {
    _WILL: (Side.REMOTE, True),
    _WONT: (Side.REMOTE, False),
    _DO: (Side.LOCAL, True),
    _DONT: (Side.LOCAL, False),
}


class TelnetEngine:
    """One side of one Telnet connection.

    `local` and `remote` are the options that we and the peer may perform; all others are refused.
    """

    def __init__(self, *, local: Iterable[int] = (), remote: Iterable[int] = ()) -> None:
        self._welcome = {Side.LOCAL: frozenset(local), Side.REMOTE: frozenset(remote)}
        self._states: dict[tuple[Side, int], Q] = {}
        self._limits: dict[int, int] = {}
        self._out: list[bytes] = []
        self._events: list[Event] = []
        self._tail = b""
        self.transparent = False
        """Whether data in which each IAC is doubled certainly means itself."""
        self.left = b""
        """What the last call of `receive_data` did not look at, to be received again."""
        self._subnegotiation: bytearray | None = None
        self._too_long = False
        self._discarding = False
        self._receives_binary = False
        self._sent_cr = False
        self._received_cr = False
        self.encode: Callable[[bytes], bytes] = self._encode_text
        """Data for the peer as it goes over the wire; send it in order with `data_to_send`."""

    # ---- options

    def is_enabled(self, side: Side, option: int) -> bool:
        """Whether `option` is in force on `side`."""
        return self._states.get((side, option)) in IN_FORCE[side]

    def is_asked(self, side: Side, option: int) -> bool:
        """Whether the peer has yet to answer that `option` be on."""
        return self._states.get((side, option)) is Q.WANTYES

    def welcome(self, side: Side, option: int, welcome: bool) -> None:
        """Agree to an option from now on, or refuse it; one that is on stays on."""
        options = self._welcome[side]
        self._welcome[side] = joined(options, option) if welcome else options - {option}

    def limit(self, option: int, most: int) -> None:
        """Let subnegotiations of an option have so many bytes."""
        self._limits[option] = most

    def ask(self, side: Side, option: int, *, enable: bool) -> None:
        """Ask the peer for an option to be on or off; nothing goes out when it is so already.

        Only what the peer then says makes an event: the caller knows what it asked for.
        """
        self._turn(side, option, Cue.ASK_YES if enable else Cue.ASK_NO)
        self._events.clear()

    def begin(self, asks: tuple[tuple[Side, int, bool], ...]) -> None:
        """Ask for several. Where nothing was said before it is known what follows."""
        if not self._states:
            states, said = begun(asks)
            self._states.update(states)
            self._out.append(said)
            return
        for side, option, enable in asks:
            self.ask(side, option, enable=enable)

    def _turn(self, side: Side, option: int, cue: Cue) -> None:
        key = (side, option)
        before = self._states.get(key, Q.NO)
        after, enabled, verb = TURNS[side, before, cue]
        if after is not before:
            self._states[key] = after
        if enabled is not None:
            if option == Option.BINARY:
                self._binary_changed(side, enabled)
            self._events.append(OptionChanged(side, option, enabled))
        if verb is not None:
            self._out.append(bytes((_IAC, verb, option)))

    def _binary_changed(self, side: Side, enabled: bool) -> None:
        if side is Side.REMOTE:
            self._receives_binary = enabled
            self._received_cr = self.transparent = False
        else:
            self.encode = double_iac if enabled else self._encode_text
            if self._sent_cr:
                self._out.append(b"\0")
                self._sent_cr = False

    # ---- receiving

    def urgent(self) -> None:
        """TCP urgent data was announced: discard data up to the DM of the Synch (RFC 854)."""
        self._discarding = True
        self.transparent = False

    def receive_data(self, data: bytes, most: float = math.inf) -> list[Event]:
        """Take bytes from the peer and return what they mean, in stream order.

        What follows the first `most` commands is not looked at: `left` has it.
        """
        self.left = b""
        if self._tail:
            data = self._tail + data
            self._tail = b""
        if self.transparent and _IAC not in data:
            return [data] if data else []
        self._parse(data, most)
        inside = self._subnegotiation is not None or bool(self._tail)
        self.transparent = self._receives_binary and not self._discarding and not inside
        events, self._events = self._events, []
        return events

    def _parse(self, data: bytes, most: float) -> None:
        position = 0
        end = len(data)
        while position < end:
            if most <= 0:
                self.left = data[position:]
                break
            if self._subnegotiation is not None:
                position = self._parse_subnegotiation(data, position)
                most -= 1
                continue
            if data[position] != _IAC or data[position + 1 : position + 2] == IAC:
                position = self._parse_literal(data, position)
                if position == end:
                    break
            # An IAC that is not doubled; what it begins may not have come yet.
            if position + 1 == end:
                self._tail = data[position:]
                break
            command = data[position + 1]
            if command == _SB or command in _VERBS:
                if position + 2 == end:
                    self._tail = data[position:]
                    break
                self._three_bytes(command, data[position + 2])
                position += 3
            else:
                self._two_bytes(command)
                position += 2
            most -= 1

    def _parse_literal(self, data: bytes, position: int) -> int:
        """Report the data from `position` on up to the next command; return where that begins."""
        if data.startswith(MANY, position):
            run = _RUN.match(data, position)
            pairs = (run.end() - position) // 2 if run else 0
            self._received(data[position : position + pairs])
            position += 2 * pairs
        if position == 0:
            # Most chunks have no command.
            whole = undouble_iac(data)
            if whole is not None:
                self._received(whole)
                return len(data)
        match = _LITERAL.match(data, position)
        stop = match.end() if match else position
        if stop > position:
            literal = data if stop - position == len(data) else data[position:stop]
            self._received(literal.replace(DOUBLED, IAC))
        return stop

    def _received(self, data: bytes) -> None:
        if self._discarding:
            return
        if not self._receives_binary:
            # CR NUL is a bare CR (RFC 854); the NUL may come with the next chunk.
            if self._received_cr and data[0] == 0:
                data = data[1:]
                self._received_cr = False
                if not data:
                    return
            self._received_cr = data[-1] == _CR
            data = data.replace(b"\r\0", b"\r")
        self._events.append(data)

    def _two_bytes(self, command: int) -> None:
        if command == _DM:
            self._discarding = False
        if command == _SE:
            self._events.append(Violation("IAC SE outside of a subnegotiation"))
        elif command < Command.EOF:
            self._events.append(Violation(f"unknown command IAC {command}"))
        elif not (self._discarding and command in _AMONG_DATA):
            self._events.append(ControlFunction(Command(command)))

    def _three_bytes(self, command: int, option: int) -> None:
        if command == _SB:
            self._subnegotiation = bytearray((option,))
            self._too_long = False
            return
        side, positive = _VERBS[command]
        if option == Option.TIMING_MARK:
            self._timing_mark(command)
        elif not positive:
            self._turn(side, option, Cue.RECEIVED_NO)
        else:
            self._received_yes(side, option)

    def _received_yes(self, side: Side, option: int) -> None:
        welcome = option in self._welcome[side]
        self._turn(side, option, Cue.RECEIVED_YES if welcome else Cue.RECEIVED_YES_UNWELCOME)

    def _timing_mark(self, command: int) -> None:
        """RFC 860: each DO is one question, so the Q method does not apply to it."""
        if command == _DO:
            self._events.append(TimingMarkRequested())
        elif command == _WILL:
            self._out.append(bytes((_IAC, _DONT, Option.TIMING_MARK)))

    def _parse_subnegotiation(self, data: bytes, position: int) -> int:
        assert self._subnegotiation is not None
        match = _LITERAL.match(data, position)
        stop = match.end() if match else position
        if stop > position and not self._too_long:
            self._subnegotiation += data[position:stop].replace(DOUBLED, IAC)
            option = self._subnegotiation[0]
            most = self._limits.get(option, MAX_SUBNEGOTIATION)
            if len(self._subnegotiation) > most:
                reason = f"subnegotiation of option {option} is over {most} B"
                self._events.append(Violation(reason))
                self._too_long = True
                self._subnegotiation = bytearray((option,))
        if stop == len(data):
            return stop
        if stop + 1 == len(data):
            self._tail = data[stop:]
            return stop + 1
        collected, self._subnegotiation = self._subnegotiation, None
        if data[stop + 1] != _SE:
            # A lost IAC SE: what begins here is a command of its own.
            if not self._too_long:
                reason = f"subnegotiation of option {collected[0]} was never ended"
                self._events.append(Violation(reason))
            return stop
        if not self._too_long:
            self._subnegotiated(collected[0], bytes(collected[1:]))
        return stop + 2

    def _subnegotiated(self, option: int, payload: bytes) -> None:
        if not (self.is_enabled(Side.REMOTE, option) or self.is_enabled(Side.LOCAL, option)):
            self._events.append(Violation(f"subnegotiation of option {option}, which is off"))
        elif option == Option.STATUS:
            if payload == bytes((STATUS_SEND,)) and self.is_enabled(Side.LOCAL, option):
                self._send_status()
        else:
            self._events.append(Subnegotiation(option, payload))

    def _send_status(self) -> None:
        """RFC 859: every option that is on, as the WILL or DO that we would say."""
        payload = bytearray((STATUS_IS,))
        for (side, option), state in self._states.items():
            if state in IN_FORCE[side]:
                payload += bytes((SAY_YES[side], option))
        self.send_subnegotiation(Option.STATUS, bytes(payload))

    def undecode(self, data: bytes) -> bytes:
        """The bytes that a peer sent for this data, the last; they are to be received again."""
        if not self._receives_binary:
            data = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
            if self._received_cr and data.endswith(b"\r\0"):
                # What tells whether there is a NUL has not come.
                data, self._received_cr = data[:-1], False
        tail, self._tail = self._tail, b""
        if self._subnegotiation is not None and not self._too_long:
            begun, self._subnegotiation = self._subnegotiation, None
            tail = bytes((_IAC, _SB, begun[0])) + double_iac(bytes(begun[1:])) + tail
        return double_iac(data) + tail

    # ---- sending

    def _encode_text(self, data: bytes) -> bytes:
        """Without BINARY a CR that is not part of CR LF is followed by NUL (RFC 854). At the end of
        a chunk the decision waits for the next byte."""
        if not data:
            return data
        first = b"\0" if self._sent_cr and data[0] != 10 else b""
        self._sent_cr = data[-1] == _CR
        if _CR in data:
            data = data.replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
            if self._sent_cr:
                data = data[:-1]
        return double_iac(first + data)

    def send_data(self, data: bytes) -> None:
        """Queue data between commands."""
        self._out.append(self.encode(data))

    def send_command(self, command: Command) -> None:
        """Queue IAC `command`."""
        self._out.append(bytes((_IAC, command)))

    def send_subnegotiation(self, option: int, payload: bytes) -> None:
        """Queue IAC SB `option` `payload` IAC SE, IAC doubled in the payload."""
        payload = payload.replace(IAC, DOUBLED)
        self._out.append(bytes((_IAC, _SB, option)) + payload + bytes((_IAC, _SE)))

    def send_timing_mark(self) -> None:
        """Queue the answer to one `TimingMarkRequested`."""
        self._out.append(bytes((_IAC, _WILL, Option.TIMING_MARK)))

    def data_to_send(self) -> bytes:
        """The engine's own output since the last call; empty when there is none."""
        if not self._out:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """All state, as values that JSON can hold; for `restore` on a new engine."""
        unfinished = self._subnegotiation
        return {
            "options": [
                [side.value, option, state.name] for (side, option), state in self._states.items()
            ],
            "tail": self._tail.hex(),
            "subnegotiation": None if unfinished is None else unfinished.hex(),
            "too_long": self._too_long,
            "discarding": self._discarding,
            "sent_cr": self._sent_cr,
            "received_cr": self._received_cr,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the state of another engine. Raises KeyError, ValueError or TypeError."""
        self._states = {
            (Side(side), int(option)): Q[state] for side, option, state in snapshot["options"]
        }
        self._tail = bytes.fromhex(snapshot["tail"])
        unfinished = snapshot["subnegotiation"]
        self._subnegotiation = None if unfinished is None else bytearray.fromhex(unfinished)
        self._too_long = bool(snapshot["too_long"])
        self._discarding = bool(snapshot["discarding"])
        sends_binary = self.is_enabled(Side.LOCAL, Option.BINARY)
        self.encode = double_iac if sends_binary else self._encode_text
        self._receives_binary = self.is_enabled(Side.REMOTE, Option.BINARY)
        self._sent_cr = bool(snapshot["sent_cr"])
        self._received_cr = bool(snapshot["received_cr"])
