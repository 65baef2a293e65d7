"""What the engine reports. Data comes as plain `bytes`, so that the hot path makes no objects."""

from __future__ import annotations

from dataclasses import dataclass

from gatewayd.telnet.constants import Command, Side


@dataclass(frozen=True, slots=True)
class OptionChanged:
    """An option was agreed, or is off again."""

    side: Side
    option: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """IAC SB option payload IAC SE, for an option that is on; IAC IAC is undone in the payload."""

    option: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ControlFunction:
    """A command without parameter: NOP, DM, BRK, IP, AO, AYT, EC, EL, GA, EOF, SUSP, ABORT, EOR."""

    command: Command


@dataclass(frozen=True, slots=True)
class TimingMarkRequested:
    """DO TIMING-MARK: answer with `send_timing_mark` when all data before it is dealt with."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer sent what no RFC allows; it was skipped."""

    reason: str


Event = bytes | OptionChanged | Subnegotiation | ControlFunction | TimingMarkRequested | Violation
