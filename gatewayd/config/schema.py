"""A judged configuration, as plain values that nothing can change any more."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, SignalPolicies


class Face(enum.Enum):
    """What a listener speaks; the value is the key in the configuration."""

    RFC2217 = "rfc2217"
    """Telnet with the Com Port Control option."""
    RAW = "raw"
    """Plain TCP."""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where to listen: a numeric IPv4 or IPv6 address in its usual spelling, and a TCP port.

    Port 0, any free one, is for programs that start a gateway themselves; no file can say it.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BetweenSessions(enum.Enum):
    """What becomes of the line settings that a client left behind."""

    RESTORE = "restore"
    """Those of the configuration come back when the client goes."""
    KEEP = "keep"
    """They stay for the next client."""


class WhileAbsent(enum.Enum):
    """What becomes of the bytes that a client sends while the device is away."""

    DISCARD = "discard"
    """They are taken, thrown away and counted."""
    REFUSE = "refuse"
    """They are not read, so that they wait at the client."""


@dataclass(frozen=True, slots=True)
class OnUnplug:
    """How long a session outlives its device: seconds, 0 for not at all, `math.inf` for ever."""

    hold: float = math.inf

    def __str__(self) -> str:
        """As in the configuration: `hold`, `close`, `hold for 30s`."""
        if self.hold == 0:
            return "close"
        return "hold" if math.isinf(self.hold) else f"hold for {self.hold:g}s"


@dataclass(frozen=True, slots=True)
class PortConfig:
    """One port: a device, how its line is set, and where it is served. At least one address."""

    name: str
    """1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit."""
    device: str | DeviceMatch
    """An absolute path, or what the device must match."""
    description: str = ""
    line: LineSettings = field(default_factory=LineSettings)
    rfc2217: tuple[Address, ...] = ()
    raw: tuple[Address, ...] = ()
    lenient: bool = False
    """Answer a Com Port request with what was asked instead of what is in force."""
    takeover: bool = False
    """A second client replaces the first instead of being refused."""
    signals: SignalPolicies = field(default_factory=SignalPolicies)
    peer_timeout: float = 30.0
    """Seconds until a peer that vanished frees its port."""
    between_sessions: BetweenSessions = BetweenSessions.RESTORE
    on_unplug: OnUnplug = OnUnplug()
    while_absent: WhileAbsent = WhileAbsent.DISCARD
    trust_path: bool = False
    """Go on with a device that came back to the same socket without a serial number."""
    where: tuple[str, int] = field(default=("", 0), compare=False)
    """File and line that the port was read from, for messages."""

    @property
    def listeners(self) -> tuple[tuple[Face, Address], ...]:
        """All addresses with what is spoken there."""
        return tuple((Face.RFC2217, address) for address in self.rfc2217) + tuple(
            (Face.RAW, address) for address in self.raw
        )


@dataclass(frozen=True, slots=True)
class Config:
    """All of a configuration. Names, devices and addresses of the ports do not clash."""

    ports: tuple[PortConfig, ...] = ()
    control: str | None = None
    """Path of the control socket; None is none."""
