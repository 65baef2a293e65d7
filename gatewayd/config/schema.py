"""What a configuration says, as values that nothing can change any more.

Each key of the file is one field here, with all that is to be said of it. Its kind, which reads and
judges what is written, is named by a function of `gatewayd.config.keys`, where the kinds are: a
daemon has no use for them.
"""

from __future__ import annotations

from gatewayd.config.declared import key
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
    device: str | DeviceMatch = key(
        lambda k: k.ShortOrGroup(k.DevicePath(), k.Group(k.MATCH_SETTINGS, k.build_match)),
        "The serial device: a path, or what identifies an adapter wherever it shows up.",
        example="{serial: A50285BI}",
    )
    description: str = key(
        lambda k: k.Text(),
        "What is connected, for people: shown in status and to clients that are refused.",
        example="bench supply, rack 2",
        default="",
        words="empty",
    )
    line: LineSettings = key(
        lambda k: k.ShortOrGroup(k.LineKind(), k.Group(k.LINE_SETTINGS, k.build_line)),
        "How the line is set when no client has set it otherwise.",
        example="115200 8N1 rtscts",
        default=LineSettings(),
        words="9600 8N1",
    )
    rfc2217: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.SPOT),
        "Where to serve Telnet with the Com Port Control option; without a host on loopback only.",
        example="7001",
        default=(),
        words="none",
    )
    raw: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.SPOT),
        "Where to serve plain TCP; without a host on loopback only.",
        example="127.0.0.1:7101",
        default=(),
        words="none",
    )
    watch: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.SPOT),
        "Where to serve Telnet for those who only watch; without a host on loopback only.",
        example="7201",
        default=(),
        words="none",
    )
    watch_raw: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.SPOT),
        "Where to serve plain TCP for those who only watch; without a host on loopback only.",
        example="7301",
        default=(),
        words="none",
    )
    allow: tuple[Network, ...] = key(
        lambda k: k.OneOrList(k.NetworkKind()),
        "Where clients of all addresses may come from that other machines can reach.",
        example="10.1.0.0/16",
        default=(),
        words="that of the gateway",
    )
    users: tuple[str, ...] = key(
        lambda k: k.OneOrList(k.UserName()),
        "Who may come in where a name is proved, by a login or a certificate.",
        example="[alice, bob]",
        default=(),
        words="everybody who can prove a name",
    )
    lenient: bool = key(
        lambda k: k.Switch(),
        "Answer a Com Port request with what was asked instead of what is in force, for "
        "clients that give up on a difference.",
        example="true",
        default=False,
    )
    busy: Busy = key(
        lambda k: k.BusyKind(),
        "What a second client gets: a word and the door, a look at what the device "
        "says, the port, or the port if it is free soon.",
        example="takeover",
        default=Busy(),
        words="refuse",
    )
    takeover: bool = key(
        lambda k: k.Switch(),
        "An older way to write `busy: takeover`.",
        example="true",
        default=False,
    )
    idle: Idle = key(
        lambda k: k.IdleKind(),
        "Whether a client that sends nothing for so long is closed, or yields to whoever comes.",
        example="steal after 30min",
        default=Idle(),
        words="never",
    )
    watchers: int = key(
        lambda k: k.Whole(0, 64),
        "How many clients may watch at once.",
        example="4",
        default=16,
    )
    echo: Echo = key(
        lambda k: k.choice(Echo),
        "Who shows a person at a Telnet client what is typed: the device, by sending it "
        "back, or the client.",
        example="client",
        default=Echo.AUTO,
    )
    signals: SignalPolicies = key(
        lambda k: k.Group(k.SIGNAL_SETTINGS, k.build_signals),
        "Who decides over DTR and RTS, so that connecting does not reset a board.",
        example="{dtr: off, rts: keep}",
        default=SignalPolicies(),
        words="{dtr: client, rts: client}",
    )
    peer_timeout: float = key(
        lambda k: k.Seconds(5, 86400),
        "Time until a client that vanished without a word frees its port.",
        example="2min",
        default=30.0,
        words="30s",
    )
    """Seconds."""
    between_sessions: BetweenSessions = key(
        lambda k: k.choice(BetweenSessions),
        "Whether the line settings above come back when a client goes, or its own are kept.",
        example="keep",
        default=BetweenSessions.RESTORE,
    )
    on_unplug: OnUnplug = key(
        lambda k: k.OnUnplugKind(),
        "Whether a session outlives its device, and how long.",
        example="hold for 30s",
        default=OnUnplug(),
        words="hold",
    )
    while_absent: WhileAbsent = key(
        lambda k: k.choice(WhileAbsent),
        "Whether bytes for a device that is away are thrown away and counted, or wait "
        "at the client.",
        example="refuse",
        default=WhileAbsent.DISCARD,
    )
    trust_path: bool = key(
        lambda k: k.Switch(),
        "Go on with a session when an adapter without a serial number comes back to the "
        "same socket.",
        example="true",
        default=False,
    )
    record: RecordMode = key(
        lambda k: k.choice(RecordMode),
        "What is recorded in files: nothing, what the device says, or what clients send as well.",
        example="output",
        default=RecordMode.OFF,
    )
    log: LogLimits = key(
        lambda k: k.Group(k.LOG_SETTINGS, k.build_log),
        "How much of the record is kept.",
        example="{keep: 90 days, max: 1G}",
        default=LogLimits(),
        words="{keep: 30 days, max: 100M}",
    )
    pcapng: bool = key(
        lambda k: k.Switch(),
        "Record packets for Wireshark beside the text.",
        example="true",
        default=False,
    )
    replay: int = key(
        lambda k: k.Size(0, 1 << 20),
        "How much of what the device said last is kept in memory, for who begins to look.",
        example="64KiB",
        default=0,
    )
    """Bytes."""
    advertise: Advertise = key(
        lambda k: k.choice(Advertise),
        "Whether the port is told of on the network (DNS-SD), or as the whole gateway is.",
        example="false",
        default=Advertise.GATEWAY,
    )
    scpi: bool = key(
        lambda k: k.Switch(),
        "The instrument speaks SCPI: the raw address is told of as `_scpi-raw._tcp` too.",
        example="true",
        default=False,
    )
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
    control: str | None = key(
        lambda k: k.ControlPath(),
        "Path of the socket by which gatewayd is asked for its state while it runs, or none.",
        example="none",
        default="/run/gatewayd/control",
        words="/run/gatewayd/control",
    )
    record: RecordConfig = key(
        lambda k: k.Group(k.RECORD_SETTINGS, k.build_record),
        "Where the records of ports are.",
        example="{directory: /srv/serial, free: 1G}",
        default=RecordConfig(),
        words="{directory: /var/log/gatewayd, free: 200M}",
    )
    metrics: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.METRICS_SPOT),
        "Where what is counted can be scraped by Prometheus; without a host on loopback only.",
        example="9317",
        default=(),
        words="none",
    )
    tls: TlsFiles = key(
        lambda k: k.Group(k.TLS_SETTINGS, k.build_tls),
        "The certificate and the key for addresses that are encrypted.",
        example="{certificate: tls/gatewayd.crt, key: tls/gatewayd.key}",
        default=TlsFiles(),
        words="none",
    )
    desk: tuple[Address, ...] = key(
        lambda k: k.OneOrList(k.SPOT),
        "Where people and scripts choose a port by Telnet; without a host on loopback only.",
        example="2323",
        default=(),
        words="none",
    )
    escape: bytes = key(
        lambda k: k.EscapeKind(),
        "The keys that come before a command at the desk, or none.",
        example="^]",
        default=b"\x05c",
        words="^Ec",
    )
    users: str = key(
        lambda k: k.KeyFile(),
        "The file of those who can log in, made by `gatewayd user`.",
        example="users",
        default="",
        words="none",
    )
    kerberos: Kerberos = key(
        lambda k: k.Group(k.KERBEROS_SETTINGS, k.build_kerberos),
        "By which keys tickets of Kerberos are judged where a login is asked for, and whose.",
        example="{keytab: gatewayd.keytab, principals: {alice@LAB: alice}}",
        default=Kerberos(),
        words="none",
    )
    allow: tuple[Network, ...] = key(
        lambda k: k.OneOrList(k.NetworkKind()),
        "Where clients of all ports may come from, at addresses that other machines can reach.",
        example="10.1.0.0/16",
        default=(),
        words="any",
    )
    accept_rate: int = key(
        lambda k: k.Whole(0, 10_000),
        "How many connections a second another machine may make; eight times as many in "
        "all, and 0 for any number.",
        example="10",
        default=50,
    )
    advertise: bool = key(
        lambda k: k.Switch(),
        "Tell of the ports on the network, by DNS-SD through Avahi.",
        example="true",
        default=False,
    )
    page: str = key(
        lambda k: k.PageUrl(),
        "Where browsers of other machines reach the page, which is told of with the ports.",
        example="https://pi-lab3.example:8323/",
        default="",
        words="none",
    )

    @property
    def advertises(self) -> bool:
        """Whether any port may be told of on the network."""
        return self.advertise or any(port.advertise is Advertise.YES for port in self.ports)
