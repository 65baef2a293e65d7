"""What a configuration says, as values that nothing can change any more.

How a key of the file is judged, and what it is called there, is in `gatewayd.config.keys`, which a
daemon has no use for.
"""

from __future__ import annotations

from gatewayd.config.door import (
    ClientCertificate,
    Door,
    Kerberos,
    Login,
    Network,
    Tls,
    TlsFiles,
)
from gatewayd.config.model import (
    Address,
    Advertise,
    BetweenSessions,
    Busy,
    Echo,
    Face,
    Idle,
    LogLimits,
    OnBusy,
    OnUnplug,
    RecordConfig,
    RecordMode,
    WhileAbsent,
)
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, SignalPolicies
from gatewayd.value import Value

__all__ = [
    "Address",
    "Advertise",
    "BetweenSessions",
    "Busy",
    "ClientCertificate",
    "Config",
    "Door",
    "Echo",
    "Face",
    "Idle",
    "Kerberos",
    "LogLimits",
    "Login",
    "Network",
    "OnBusy",
    "OnUnplug",
    "PortConfig",
    "RecordConfig",
    "RecordMode",
    "Tls",
    "TlsFiles",
    "WhileAbsent",
]


class PortConfig(Value, uncompared=("where",)):
    """One port: a device, how its line is set, and where it is served. At least one address."""

    name: str
    """1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit."""
    device: str | DeviceMatch
    description: str = ""
    line: LineSettings = LineSettings()
    rfc2217: tuple[Address, ...] = ()
    raw: tuple[Address, ...] = ()
    watch: tuple[Address, ...] = ()
    watch_raw: tuple[Address, ...] = ()
    allow: tuple[Network, ...] = ()
    users: tuple[str, ...] = ()
    lenient: bool = False
    busy: Busy = Busy()
    takeover: bool = False
    idle: Idle = Idle()
    watchers: int = 16
    echo: Echo = Echo.AUTO
    signals: SignalPolicies = SignalPolicies()
    peer_timeout: float = 30.0
    """Seconds."""
    between_sessions: BetweenSessions = BetweenSessions.RESTORE
    on_unplug: OnUnplug = OnUnplug()
    while_absent: WhileAbsent = WhileAbsent.DISCARD
    trust_path: bool = False
    record: RecordMode = RecordMode.OFF
    log: LogLimits = LogLimits()
    pcapng: bool = False
    replay: int = 0
    """Bytes."""
    advertise: Advertise = Advertise.GATEWAY
    scpi: bool = False
    where: tuple[str, int] = ("", 0)
    """File and line that the port was read from, for messages."""

    @property
    def when_busy(self) -> Busy:
        """What a second client gets."""
        return Busy(OnBusy.TAKEOVER) if self.takeover else self.busy

    @property
    def listeners(self) -> tuple[tuple[Face, Address], ...]:
        """All addresses with what is spoken there."""
        return tuple((face, address) for face in Face for address in getattr(self, face.value))

    @property
    def doors(self) -> tuple[Door, ...]:
        """How clients come in at each of the addresses."""
        return tuple(address.door for _, address in self.listeners)


class Config(Value):
    """All of a configuration. Names, devices and addresses of the ports do not clash."""

    ports: tuple[PortConfig, ...] = ()
    control: str | None = "/run/gatewayd/control"
    record: RecordConfig = RecordConfig()
    metrics: tuple[Address, ...] = ()
    tls: TlsFiles = TlsFiles()
    desk: tuple[Address, ...] = ()
    escape: bytes = b"\x05c"
    users: str = ""
    kerberos: Kerberos = Kerberos()
    allow: tuple[Network, ...] = ()
    accept_rate: int = 50
    advertise: bool = False
    page: str = ""

    @property
    def advertises(self) -> bool:
        """Whether any port may be told of on the network."""
        return self.advertise or any(port.advertise is Advertise.YES for port in self.ports)
