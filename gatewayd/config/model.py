"""What the values of a configuration are: addresses, and the choices that it leaves."""

from __future__ import annotations

import enum
import math

from gatewayd.config.door import Door
from gatewayd.config.problem import Place
from gatewayd.value import Ordered, Value


class Face(enum.StrEnum):
    """What a listener speaks; the value is the key in the configuration."""

    RFC2217 = "rfc2217"
    """Telnet with the Com Port Control option."""
    RAW = "raw"
    """Plain TCP."""
    WATCH = "watch"
    """Telnet for those who watch: settings are answered, and change nothing."""
    WATCH_RAW = "watch_raw"
    """Plain TCP for those who watch."""

    @property
    def only_watches(self) -> bool:
        """Whether its clients never hold the port."""
        return self in (Face.WATCH, Face.WATCH_RAW)


class Address(Ordered, uncompared=("door", "where")):
    """Where to listen: a numeric IPv4 or IPv6 address in its usual spelling, and a TCP port.

    Port 0, any free one, is for programs that start a gateway themselves; no file can say it.
    Two are equal when they are one place, however clients come in there.
    """

    host: str
    port: int
    door: Door = Door()
    where: Place = Place("")
    """Where it was read, for messages."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Advertise(enum.Enum):
    """Whether a port is told of on the network."""

    YES = "true"
    NO = "false"
    GATEWAY = "gateway"
    """As the key of the same name at the top of the file says."""


class BetweenSessions(enum.Enum):
    """What becomes of the line settings that a client left behind."""

    RESTORE = "restore"
    """Those of the configuration come back when the client goes."""
    KEEP = "keep"
    """They stay for the next client."""


class Echo(enum.Enum):
    """Who shows a person at a terminal what is typed."""

    DEVICE = "device"
    """The device sends it back: WILL ECHO."""
    CLIENT = "client"
    """The client does it by itself."""
    AUTO = "auto"
    """As the device, until it has proved not to."""


class OnBusy(enum.Enum):
    """What a second client gets."""

    REFUSE = "refuse"
    """It is told who holds the port."""
    WATCH = "watch"
    """A person watches until the port is free; others are refused."""
    TAKEOVER = "takeover"
    """It gets the port."""


class Busy(Value):
    """What a second client gets, after it has waited for `wait` seconds."""

    then: OnBusy = OnBusy.REFUSE
    wait: float = 0.0

    def __str__(self) -> str:
        """As in the configuration: `refuse`, `watch`, `takeover`, `wait 2s`."""
        return f"wait {self.wait:g}s" if self.wait else self.then.value


class WhileAbsent(enum.Enum):
    """What becomes of the bytes that a client sends while the device is away."""

    DISCARD = "discard"
    """They are taken, thrown away and counted."""
    REFUSE = "refuse"
    """They are not read, so that they wait at the client."""


class OnUnplug(Value):
    """How long a session outlives its device: seconds, 0 for not at all, `math.inf` for ever."""

    hold: float = math.inf

    def __str__(self) -> str:
        """As in the configuration: `hold`, `close`, `hold for 30s`."""
        if self.hold == 0:
            return "close"
        return "hold" if math.isinf(self.hold) else f"hold for {self.hold:g}s"


class Idle(Value):
    """What becomes of a client that sends nothing for so many seconds; `math.inf` is never."""

    steal: float = math.inf
    """Whoever comes may have the port."""
    close: float = math.inf
    """It is closed."""

    def __str__(self) -> str:
        """As in the configuration: `never`, `steal after 30s`, `close after 30s`."""
        for name in ("steal", "close"):
            if not math.isinf(getattr(self, name)):
                return f"{name} after {getattr(self, name):g}s"
        return "never"


class RecordMode(enum.Enum):
    """What of a port is recorded."""

    OFF = "off"
    OUTPUT = "output"
    """What the device says, and what happens."""
    BOTH = "both"
    """What clients send, too."""


class LogLimits(Value):
    """How much of the record of a port is kept."""

    keep: int = 30
    """Days."""
    max: int = 100 << 20
    """Bytes."""


class RecordConfig(Value):
    """Where the records of all ports are."""

    directory: str = "/var/log/gatewayd"
    free: int = 200 << 20
    """Bytes of the disk that are left to others."""
