"""What an access server does about each Com Port Control request (RFC 2217).

Pure: it plans what to change and, once that is done, says what to answer. The order of things (a
setting after the bytes before it, a purge at once) is the session's; see `gatewayd.port.com_port`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gatewayd.comport.wire import (
    PARITIES,
    PARITY_CODES,
    STOPSIZE_CODES,
    STOPSIZES,
    Command,
    Control,
    LineState,
    ModemState,
    Request,
    encode_answer,
    encode_signature,
    line_state,
    modem_state,
)
from gatewayd.line.model import OUTPUT_SIGNALS, LineErrors, LineSettings, Purge, Signal
from gatewayd.line.pending import Pending
from gatewayd.typed import NamedTuple, Protocol
from gatewayd.value import as_dict

DEFAULT_LINESTATE_MASK: Final = 0
DEFAULT_MODEMSTATE_MASK: Final = 255
PURGES: Final = {1: Purge.RX, 2: Purge.TX, 3: Purge.BOTH}

_ERROR_BITS: Final = int(LineState.OVERRUN | LineState.PARITY | LineState.FRAMING | LineState.BREAK)
_DELTA_BITS: Final = (
    ModemState.DELTA_CTS | ModemState.DELTA_DSR | ModemState.TRAILING_RI | ModemState.DELTA_CD
)
_IDLE: Final = LineState.HOLDING_EMPTY | LineState.SHIFT_EMPTY
_SETTINGS: Final = {
    Command.SET_BAUDRATE: "baudrate",
    Command.SET_DATASIZE: "bytesize",
    Command.SET_PARITY: "parity",
    Command.SET_STOPSIZE: "stopbits",
}
_LOOKS: Final = frozenset(
    {
        Command.NOTIFY_LINESTATE,
        Command.NOTIFY_MODEMSTATE,
        Command.SET_LINESTATE_MASK,
        Command.SET_MODEMSTATE_MASK,
        Command.PURGE_DATA,
    }
)
"""What is answered when the line was looked at: that comes after the purge, too."""
_DTR: Final = (Control.DTR_QUERY, Control.DTR_ON, Control.DTR_OFF)
_RTS: Final = (Control.RTS_QUERY, Control.RTS_ON, Control.RTS_OFF)
_BREAK: Final = (Control.BREAK_QUERY, Control.BREAK_ON, Control.BREAK_OFF)
_FLOW: Final = (Control.FLOW_NONE, Control.FLOW_XONXOFF, Control.FLOW_HARDWARE)
_INBOUND: Final = (Control.INBOUND_NONE, Control.INBOUND_XONXOFF, Control.INBOUND_HARDWARE)
_NOT_ON_LINUX: Final = (Control.FLOW_DCD, Control.FLOW_DSR, Control.INBOUND_DTR)


class LineControl(Protocol):
    """What of a line Com Port Control works on; see `gatewayd.line.api.Line`."""

    def settings(self) -> LineSettings:
        """What is in force."""

    def configure(self, wanted: LineSettings) -> Pending | None:
        """Apply in one step."""

    def signals(self) -> Signal:
        """The modem lines as last seen."""

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """Raise and drop DTR and RTS."""

    def set_break(self, on: bool) -> Pending | None:
        """Hold or release break."""

    def errors(self) -> LineErrors:
        """The running counts of the receiver's errors as last seen."""

    def refresh(self) -> Pending | None:
        """See what the modem lines and the counts are now."""

    def unsent(self) -> int:
        """Bytes that have not left."""


class Change(NamedTuple):
    """One step of what was asked for: what to do to the line before `requests` are answered."""

    requests: tuple[Request, ...]
    settings: LineSettings | None = None
    on: Signal = Signal.NONE
    off: Signal = Signal.NONE
    """DTR and RTS to raise and to drop."""
    breaking: bool | None = None
    looks: bool = False
    """Whether the answer tells of modem lines or errors."""

    def apply(self, line: LineControl) -> Pending | None:
        """Do it; the answers are due when it is done."""
        if self.settings is not None:
            return line.configure(self.settings)
        if self.on or self.off:
            return line.set_signals(self.on, self.off)
        if self.breaking is not None:
            return line.set_break(self.breaking)
        return line.refresh() if self.looks else None


class AccessServer:
    """The Com Port Control state of one session.

    `client_signals` are the outputs that the client decides over; requests for the others are
    acknowledged and not acted upon. `lenient` answers a setting with what was asked for, whatever
    the line made of it; a value that RFC 2217 does not define is no setting.
    """

    def __init__(
        self,
        signature: str,
        *,
        lenient: bool = False,
        client_signals: Signal = OUTPUT_SIGNALS,
    ) -> None:
        self._signature = signature.encode()
        self.lenient = lenient
        self.client_signals = client_signals
        self.linestate_mask = DEFAULT_LINESTATE_MASK
        self.modemstate_mask = DEFAULT_MODEMSTATE_MASK
        self.suspended = False
        self.breaking = False
        self.outputs = Signal.NONE
        """DTR and RTS as last acknowledged."""
        self._signals = Signal.NONE
        self._errors = LineErrors()

    @property
    def wants_signals(self) -> bool:
        """Whether changes of the modem lines can make a notification."""
        return self.modemstate_mask != 0

    @property
    def wants_errors(self) -> bool:
        """Whether errors of the receiver can make a notification."""
        return bool(self.linestate_mask & _ERROR_BITS)

    def begin(self, line: LineControl) -> bytes:
        """COM-PORT was agreed: the first NOTIFY-MODEMSTATE, for which clients wait. The line was
        refreshed."""
        signals = line.signals()
        self.outputs = signals & OUTPUT_SIGNALS
        self._signals = signals
        self._errors = line.errors()
        return self._modemstate_now(signals, self.modemstate_mask)

    def plan(self, requests: Iterable[Request], line: LineControl) -> Iterator[Change]:
        """What to do about the requests, step by step: apply each step, and take its `answers`,
        before the next one is planned. Neighbouring settings are one step."""
        batch: dict[Command, Request] = {}
        for request in requests:
            command = request.command
            if command in _SETTINGS:
                if command in batch:
                    yield self._configuring(batch, line.settings())
                    batch.clear()
                batch[command] = request
                continue
            if batch:
                yield self._configuring(batch, line.settings())
                batch.clear()
            if command is Command.SET_CONTROL:
                yield self._controlling(request, line.settings())
            else:
                yield self._other(request)
        if batch:
            yield self._configuring(batch, line.settings())

    def answers(self, change: Change, line: LineControl) -> Iterator[bytes]:
        """The answers to the requests of a step that is done, in their order."""
        for request in change.requests:
            command, value = request.command, request.value
            match command:
                case (
                    Command.SET_BAUDRATE
                    | Command.SET_DATASIZE
                    | Command.SET_PARITY
                    | Command.SET_STOPSIZE
                ):
                    if not self.lenient or self._setting(request) is None:
                        value = self._code(command, line.settings())
                    yield encode_answer(command, value)
                case Command.SET_CONTROL:
                    yield encode_answer(command, self._control(value, line.settings()))
                case Command.SIGNATURE:
                    # With a text it tells the client's own, which asks for nothing.
                    if not request.text:
                        yield encode_signature(self._signature)
                case Command.NOTIFY_LINESTATE:
                    yield self._linestate_now(line)
                case Command.NOTIFY_MODEMSTATE:
                    yield self._modemstate_now(line.signals(), 255)
                case Command.SET_LINESTATE_MASK:
                    self._errors = line.errors()
                    yield encode_answer(command, value)
                case Command.SET_MODEMSTATE_MASK:
                    yield encode_answer(command, value)
                    if value:
                        yield self._modemstate_now(line.signals(), value)
                case Command.PURGE_DATA:
                    # The purge is done already, when it was read; this is its answer's place.
                    yield encode_answer(command, value if value in PURGES else 0)
                case _:
                    # SUSPEND and RESUME have no answer and act when they are read.
                    pass

    def _other(self, request: Request) -> Change:
        match request.command:
            case Command.SET_LINESTATE_MASK:
                self.linestate_mask = request.value
            case Command.SET_MODEMSTATE_MASK:
                self.modemstate_mask = request.value
            case _:
                pass
        return Change((request,), looks=request.command in _LOOKS)

    # ---- baud rate, data size, parity, stop size

    def _configuring(self, batch: dict[Command, Request], settings: LineSettings) -> Change:
        changes: dict[str, Any] = {}
        for command, request in batch.items():
            value = self._setting(request)
            if value is not None:
                changes[_SETTINGS[command]] = value
        return Change(
            tuple(batch.values()), settings=settings._replace(**changes) if changes else None
        )

    @staticmethod
    def _setting(request: Request) -> object | None:
        """The line's value for a request; None for a query and for an undefined value."""
        match request.command:
            case Command.SET_BAUDRATE:
                return request.value or None
            case Command.SET_DATASIZE:
                return request.value if 5 <= request.value <= 8 else None
            case Command.SET_PARITY:
                return PARITIES.get(request.value)
            case _:
                return STOPSIZES.get(request.value)

    @staticmethod
    def _code(command: Command, settings: LineSettings) -> int:
        match command:
            case Command.SET_BAUDRATE:
                return settings.baudrate
            case Command.SET_DATASIZE:
                return settings.bytesize
            case Command.SET_PARITY:
                return PARITY_CODES[settings.parity]
            case _:
                return STOPSIZE_CODES[settings.stopbits]

    # ---- SET-CONTROL

    def _controlling(self, request: Request, settings: LineSettings) -> Change:
        value = request.value
        change = Change((request,))
        match value:
            case Control.BREAK_ON | Control.BREAK_OFF:
                self.breaking = value == Control.BREAK_ON
                return change._replace(breaking=self.breaking)
            case Control.DTR_ON | Control.DTR_OFF:
                return self._output(change, Signal.DTR, value == Control.DTR_ON)
            case Control.RTS_ON | Control.RTS_OFF:
                return self._output(change, Signal.RTS, value == Control.RTS_ON)
            case Control.FLOW_NONE | Control.FLOW_XONXOFF | Control.FLOW_HARDWARE:
                # In both directions, or outbound (RFC 2217: "outbound/both").
                xonxoff = value == Control.FLOW_XONXOFF
                hardware = value == Control.FLOW_HARDWARE
                wanted = settings._replace(ixon=xonxoff, ixoff=xonxoff, rtscts=hardware)
                return change._replace(settings=wanted)
            case Control.INBOUND_NONE | Control.INBOUND_XONXOFF if not settings.rtscts:
                # Linux has RTS/CTS in both directions only, so it can be neither added to one nor
                # taken from one; XOFF can.
                wanted = settings._replace(ixoff=value == Control.INBOUND_XONXOFF)
                return change._replace(settings=wanted)
            case _:
                return change

    def _output(self, change: Change, signal: Signal, raised: bool) -> Change:
        self.outputs = self.outputs | signal if raised else self.outputs & ~signal
        free = signal & self.client_signals
        none = Signal.NONE
        return change._replace(on=free if raised else none, off=none if raised else free)

    def _control(self, value: int, settings: LineSettings) -> int:
        """The answer's value."""
        if value in _BREAK:
            return Control.BREAK_ON if self.breaking else Control.BREAK_OFF
        if value in _DTR:
            return Control.DTR_ON if self.outputs & Signal.DTR else Control.DTR_OFF
        if value in _RTS:
            return Control.RTS_ON if self.outputs & Signal.RTS else Control.RTS_OFF
        if value in (Control.INBOUND_QUERY, *_INBOUND, Control.INBOUND_DTR):
            if self.lenient and value != Control.INBOUND_QUERY:
                return value
            if settings.rtscts:
                return Control.INBOUND_HARDWARE
            return Control.INBOUND_XONXOFF if settings.ixoff else Control.INBOUND_NONE
        if self.lenient and value in (*_FLOW, *_NOT_ON_LINUX):
            return value
        if settings.rtscts:
            return Control.FLOW_HARDWARE
        return Control.FLOW_XONXOFF if settings.ixon else Control.FLOW_NONE

    # ---- notifications

    def _modemstate_now(self, signals: Signal, mask: int) -> bytes:
        # With the changes since the client was last told, as reading a 16550's register does.
        # Without them, an edge that nobody has reported yet would be lost here.
        before, self._signals = self._signals, signals
        return encode_answer(Command.NOTIFY_MODEMSTATE, int(modem_state(before, signals)) & mask)

    def _linestate_now(self, line: LineControl) -> bytes:
        before, self._errors = self._errors, line.errors()
        state = line_state(before, self._errors)
        return encode_answer(Command.NOTIFY_LINESTATE, state if line.unsent() else state | _IDLE)

    def signals_changed(self, now: Signal) -> bytes | None:
        """NOTIFY-MODEMSTATE for a change of the modem lines, if the mask asks for it.

        A mask with the level bit of a line alone asks for both of its edges.
        """
        before, self._signals = self._signals, now
        state = modem_state(before, now)
        edges = state & _DELTA_BITS
        asked = edges | ModemState(edges << 4)
        if now & ~before & Signal.RI:
            asked |= ModemState.RI
        if not asked & self.modemstate_mask:
            return None
        return encode_answer(Command.NOTIFY_MODEMSTATE, state & self.modemstate_mask)

    def errors_changed(self, now: LineErrors) -> bytes | None:
        """NOTIFY-LINESTATE for errors of the receiver since the last call, if the mask asks."""
        before, self._errors = self._errors, now
        state = line_state(before, now) & self.linestate_mask
        return encode_answer(Command.NOTIFY_LINESTATE, state) if state else None

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """All state, as values that JSON can hold; for `restore` on a new server."""
        return {
            "linestate_mask": self.linestate_mask,
            "modemstate_mask": self.modemstate_mask,
            "suspended": self.suspended,
            "breaking": self.breaking,
            "outputs": self.outputs.value,
            "signals": self._signals.value,
            "errors": as_dict(self._errors),
        }

    def restore(self, snapshot: dict[str, Any], line: LineControl) -> None:
        """Take over the state of another server. Raises KeyError, ValueError or TypeError."""
        self.linestate_mask = int(snapshot["linestate_mask"])
        self.modemstate_mask = int(snapshot["modemstate_mask"])
        self.suspended = bool(snapshot["suspended"])
        self.breaking = bool(snapshot["breaking"])
        self.outputs = Signal(snapshot["outputs"])
        self._signals = Signal(snapshot["signals"])
        errors = snapshot.get("errors", as_dict(line.errors()))
        self._errors = LineErrors(**{name: int(errors[name]) for name in errors})
