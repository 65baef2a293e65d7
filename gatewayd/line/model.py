"""What a serial line can be set to and what it can say, as plain values."""

from __future__ import annotations

import enum
from typing import Final

from gatewayd.typed import NamedTuple
from gatewayd.value import Value

FASTEST: Final = 50_000_000
"""Bits per second, beyond what hardware offers."""


class Parity(enum.StrEnum):
    """The parity bit, by pyserial's letters."""

    NONE = "N"
    ODD = "O"
    EVEN = "E"
    MARK = "M"
    SPACE = "S"


class StopBits(enum.Enum):
    """The stop bits, by pyserial's numbers."""

    ONE = 1.0
    ONE_POINT_FIVE = 1.5
    TWO = 2.0


class Signal(enum.Flag):
    """Modem lines, seen from the gateway (the DTE): DTR and RTS go out, the others come in."""

    NONE = 0
    DTR = enum.auto()
    RTS = enum.auto()
    CTS = enum.auto()
    DSR = enum.auto()
    RI = enum.auto()
    CD = enum.auto()


OUTPUT_SIGNALS = Signal.DTR | Signal.RTS
INPUT_SIGNALS = Signal.CTS | Signal.DSR | Signal.RI | Signal.CD


class SignalPolicy(enum.StrEnum):
    """Who decides over DTR or RTS.

    `ON` and `OFF` hold that level from open on, `KEEP` never touches the line, `CLIENT` does what
    an RFC 2217 client asks for, `SESSION` is on while a client has the line and off otherwise.
    Except for `CLIENT`, requests are acknowledged and not acted upon. A line itself knows no
    sessions: it is opened with `ON` or `OFF` in place of `SESSION`.
    """

    ON = "on"
    OFF = "off"
    KEEP = "keep"
    CLIENT = "client"
    SESSION = "session"


class SignalPolicies(Value):
    """The policies of a line's two outputs."""

    dtr: SignalPolicy = SignalPolicy.CLIENT
    rts: SignalPolicy = SignalPolicy.CLIENT


class Purge(enum.Flag):
    """Which waiting bytes to throw away; RX is from the device, TX is to it."""

    RX = enum.auto()
    TX = enum.auto()
    BOTH = RX | TX


class LineSettings(NamedTuple):
    """The whole setting of a line.

    `baudrate` is in bits per second, `bytesize` 5 to 8. `ixon` obeys XON/XOFF from the device
    (outbound flow control), `ixoff` sends them (inbound); pyserial's `xonxoff` is both. `rtscts` is
    RTS/CTS in both directions, as Linux has it.
    """

    baudrate: int = 9600
    bytesize: int = 8
    parity: Parity = Parity.NONE
    stopbits: StopBits = StopBits.ONE
    ixon: bool = False
    ixoff: bool = False
    rtscts: bool = False

    @property
    def bits_per_character(self) -> float:
        """Bit times that one character takes on the wire, with start, parity and stop bits."""
        parity = 0 if self.parity is Parity.NONE else 1
        return 1 + self.bytesize + parity + self.stopbits.value

    @property
    def bytes_per_second(self) -> float:
        """Characters per second at full speed."""
        return self.baudrate / self.bits_per_character

    @property
    def unsent_limit(self) -> int:
        """Bytes that may wait for the UART: 250 ms of its speed, but 256 bytes to 64 KiB."""
        return min(max(int(self.bytes_per_second * 0.25), 256), 65536)

    def possible(self, before: LineSettings) -> LineSettings:
        """These settings, but for what no line can be set to: that stays as it was `before`.

        A rate beyond FASTEST, 1.5 stop bits with other than 5 data bits. With 5 data bits, 2 stop
        bits are 1.5, as a 16550 has it.
        """
        baudrate, stopbits = self.baudrate, self.stopbits
        if not 0 < baudrate <= FASTEST:
            baudrate = before.baudrate
        if self.bytesize == 5:
            if stopbits is StopBits.TWO:
                stopbits = StopBits.ONE_POINT_FIVE
        elif stopbits is StopBits.ONE_POINT_FIVE:
            half = before.stopbits is StopBits.ONE_POINT_FIVE
            stopbits = StopBits.TWO if half else before.stopbits
        return self._replace(baudrate=baudrate, stopbits=stopbits)

    def __str__(self) -> str:
        """The short form, as in the configuration: `9600 8N1`, and flow control behind it."""
        flow = " rtscts" if self.rtscts else ""
        flow += " xonxoff" if self.ixon and self.ixoff else ""
        flow += " ixon" if self.ixon and not self.ixoff else ""
        flow += " ixoff" if self.ixoff and not self.ixon else ""
        return f"{self.baudrate} {self.bytesize}{self.parity.value}{self.stopbits.value:g}{flow}"


class LineErrors(Value):
    """Running counts of what the receiver of the UART found wrong (TIOCGICOUNT)."""

    break_: int = 0
    framing: int = 0
    parity: int = 0
    overrun: int = 0
    """The UART had no room for a character."""
    buffer_overrun: int = 0
    """The kernel had none."""


class Capabilities(Value):
    """What the driver of an open line can do, probed once at open."""

    modem_lines: bool = True
    """TIOCMGET and TIOCMSET work; a PTY and some gadgets have none."""
    modem_events: bool = True
    """TIOCMIWAIT works; otherwise changes are found by polling."""
    error_counts: bool = True
    """TIOCGICOUNT works."""
    framing: bool = True
    """Parity and data bits exist on the wire; a PTY has none and forgets them."""

    def lacks(self) -> list[str]:
        """What a user may miss, in words."""
        return [
            text
            for has, text in (
                (self.modem_lines, "modem lines"),
                (self.error_counts, "error counters"),
                (self.framing, "parity and data bits"),
            )
            if not has
        ]
