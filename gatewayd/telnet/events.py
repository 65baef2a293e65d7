"""What the engine reports. Data comes as plain `bytes`, so that the hot path makes no objects."""

from __future__ import annotations

from gatewayd.telnet.constants import Command, Side
from gatewayd.typed import NamedTuple
from gatewayd.value import Value


class OptionChanged(NamedTuple):
    """An option was agreed, or is off again."""

    side: Side
    option: int
    enabled: bool


class Subnegotiation(Value):
    """IAC SB option payload IAC SE, for an option that is on; IAC IAC is undone in the payload."""

    option: int
    payload: bytes


class ControlFunction(Value):
    """A command without parameter: NOP, DM, BRK, IP, AO, AYT, EC, EL, GA, EOF, SUSP, ABORT, EOR."""

    command: Command


class TimingMarkRequested(Value):
    """DO TIMING-MARK: answer with `send_timing_mark` when all data before it is dealt with."""


class Violation(Value):
    """The peer sent what no RFC allows; it was skipped."""

    reason: str


Event = bytes | OptionChanged | Subnegotiation | ControlFunction | TimingMarkRequested | Violation
