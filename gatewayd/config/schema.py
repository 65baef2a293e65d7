"""What a configuration may say and what it says: each key is declared here, once.

A field that is made by `key` is a key of the file. From it come how the key is judged, its default,
the JSON Schema, and what docs/configuration.md is held to. Nothing can change the values any more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatewayd.config.door import (
    ClientCertificate,
    Door,
    Kerberos,
    Login,
    Network,
    Tls,
    TlsFiles,
)
from gatewayd.config.door_kinds import KeyFile, UserName
from gatewayd.config.kinds import Group, OneOf, OneOrList, ShortOrGroup, Switch, Text, Whole
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
from gatewayd.config.setting import key, required_key, settings_of
from gatewayd.config.settings import (
    KERBEROS_SETTINGS,
    LINE_SETTINGS,
    LOG_SETTINGS,
    MATCH_SETTINGS,
    METRICS_SPOT,
    RECORD_SETTINGS,
    SIGNAL_SETTINGS,
    SPOT,
    TLS_SETTINGS,
    build_kerberos,
    build_line,
    build_log,
    build_match,
    build_record,
    build_signals,
    build_tls,
)
from gatewayd.config.sharing import BusyKind, IdleKind
from gatewayd.config.sizes import Size
from gatewayd.config.values import (
    ControlPath,
    DevicePath,
    EscapeKind,
    LineKind,
    NetworkKind,
    OnUnplugKind,
    PageUrl,
    Seconds,
)
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, SignalPolicies

__all__ = [
    "PORT_SETTINGS",
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


@dataclass(frozen=True, slots=True)
class PortConfig:
    """One port: a device, how its line is set, and where it is served. At least one address."""

    name: str
    """1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit."""
    device: str | DeviceMatch = field(
        metadata=required_key(
            ShortOrGroup(DevicePath(), Group(MATCH_SETTINGS, build_match)),
            "The serial device: a path, or what identifies an adapter wherever it shows up.",
            example="{serial: A50285BI}",
        )
    )
    description: str = key(
        Text(),
        "What is connected, for people: shown in status and to clients that are refused.",
        example="bench supply, rack 2",
        default="empty",
        fallback="",
    )
    line: LineSettings = key(
        ShortOrGroup(LineKind(), Group(LINE_SETTINGS, build_line)),
        "How the line is set when no client has set it otherwise.",
        example="115200 8N1 rtscts",
        default="9600 8N1",
    )
    rfc2217: tuple[Address, ...] = key(
        OneOrList(SPOT),
        "Where to serve Telnet with the Com Port Control option; without a host on loopback only.",
        example="7001",
        default="none",
        fallback=(),
    )
    raw: tuple[Address, ...] = key(
        OneOrList(SPOT),
        "Where to serve plain TCP; without a host on loopback only.",
        example="127.0.0.1:7101",
        default="none",
        fallback=(),
    )
    watch: tuple[Address, ...] = key(
        OneOrList(SPOT),
        "Where to serve Telnet for those who only watch; without a host on loopback only.",
        example="7201",
        default="none",
        fallback=(),
    )
    watch_raw: tuple[Address, ...] = key(
        OneOrList(SPOT),
        "Where to serve plain TCP for those who only watch; without a host on loopback only.",
        example="7301",
        default="none",
        fallback=(),
    )
    allow: tuple[Network, ...] = key(
        OneOrList(NetworkKind()),
        "Where clients of all addresses may come from that other machines can reach.",
        example="10.1.0.0/16",
        default="that of the gateway",
        fallback=(),
    )
    users: tuple[str, ...] = key(
        OneOrList(UserName()),
        "Who may come in where a name is proved, by a login or a certificate.",
        example="[alice, bob]",
        default="everybody who can prove a name",
        fallback=(),
    )
    lenient: bool = key(
        Switch(),
        "Answer a Com Port request with what was asked instead of what is in force, for clients "
        "that give up on a difference.",
        example="true",
        default="false",
    )
    busy: Busy = key(
        BusyKind(),
        "What a second client gets: a word and the door, a look at what the device says, the port, "
        "or the port if it is free soon.",
        example="takeover",
        default="refuse",
    )
    takeover: bool = key(
        Switch(),
        "An older way to write `busy: takeover`.",
        example="true",
        default="false",
    )
    idle: Idle = key(
        IdleKind(),
        "Whether a client that sends nothing for so long is closed, or yields to whoever comes.",
        example="steal after 30min",
        default="never",
    )
    watchers: int = key(
        Whole(0, 64),
        "How many clients may watch at once.",
        example="4",
        default="16",
    )
    echo: Echo = key(
        OneOf({choice.value: choice for choice in Echo}, {}),
        "Who shows a person at a Telnet client what is typed: the device, by sending it back, or "
        "the client.",
        example="client",
        default="auto",
    )
    signals: SignalPolicies = key(
        Group(SIGNAL_SETTINGS, build_signals),
        "Who decides over DTR and RTS, so that connecting does not reset a board.",
        example="{dtr: off, rts: keep}",
        default="{dtr: client, rts: client}",
        fallback=SignalPolicies(),
    )
    peer_timeout: float = key(
        Seconds(5, 86400),
        "Time until a client that vanished without a word frees its port.",
        example="2min",
        default="30s",
    )
    between_sessions: BetweenSessions = key(
        OneOf({choice.value: choice for choice in BetweenSessions}, {}),
        "Whether the line settings above come back when a client goes, or its own are kept.",
        example="keep",
        default="restore",
    )
    on_unplug: OnUnplug = key(
        OnUnplugKind(),
        "Whether a session outlives its device, and how long.",
        example="hold for 30s",
        default="hold",
    )
    while_absent: WhileAbsent = key(
        OneOf({choice.value: choice for choice in WhileAbsent}, {}),
        "Whether bytes for a device that is away are thrown away and counted, or wait at the "
        "client.",
        example="refuse",
        default="discard",
    )
    trust_path: bool = key(
        Switch(),
        "Go on with a session when an adapter without a serial number comes back to the same "
        "socket.",
        example="true",
        default="false",
    )
    record: RecordMode = key(
        OneOf({mode.value: mode for mode in RecordMode}, {}),
        "What is recorded in files: nothing, what the device says, or what clients send as well.",
        example="output",
        default="off",
    )
    log: LogLimits = key(
        Group(LOG_SETTINGS, build_log),
        "How much of the record is kept.",
        example="{keep: 90 days, max: 1G}",
        default="{keep: 30 days, max: 100M}",
        fallback=LogLimits(),
    )
    pcapng: bool = key(
        Switch(),
        "Record packets for Wireshark beside the text.",
        example="true",
        default="false",
    )
    replay: int = key(
        Size(0, 1 << 20),
        "How much of what the device said last is kept in memory, for who begins to look.",
        example="64KiB",
        default="0",
    )
    advertise: Advertise = key(
        OneOf({choice.value: choice for choice in Advertise}, {}),
        "Whether the port is told of on the network (DNS-SD), or as the whole gateway is.",
        example="false",
        default="gateway",
    )
    scpi: bool = key(
        Switch(),
        "The instrument speaks SCPI: the raw address is told of as `_scpi-raw._tcp` too.",
        example="true",
        default="false",
    )
    where: tuple[str, int] = field(default=("", 0), compare=False)
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


PORT_SETTINGS = settings_of(PortConfig)


@dataclass(frozen=True, slots=True)
class Config:
    """All of a configuration. Names, devices and addresses of the ports do not clash."""

    ports: tuple[PortConfig, ...] = ()
    control: str | None = key(
        ControlPath(),
        "Path of the socket by which gatewayd is asked for its state while it runs, or none.",
        example="none",
        default="/run/gatewayd/control",
    )
    record: RecordConfig = key(
        Group(RECORD_SETTINGS, build_record),
        "Where the records of ports are.",
        example="{directory: /srv/serial, free: 1G}",
        default="{directory: /var/log/gatewayd, free: 200M}",
        fallback=RecordConfig(),
    )
    metrics: tuple[Address, ...] = key(
        OneOrList(METRICS_SPOT),
        "Where what is counted can be scraped by Prometheus; without a host on loopback only.",
        example="9317",
        default="none",
        fallback=(),
    )
    tls: TlsFiles = key(
        Group(TLS_SETTINGS, build_tls),
        "The certificate and the key for addresses that are encrypted.",
        example="{certificate: tls/gatewayd.crt, key: tls/gatewayd.key}",
        default="none",
        fallback=TlsFiles(),
    )
    desk: tuple[Address, ...] = key(
        OneOrList(SPOT),
        "Where people and scripts choose a port by Telnet; without a host on loopback only.",
        example="2323",
        default="none",
        fallback=(),
    )
    escape: bytes = key(
        EscapeKind(),
        "The keys that come before a command at the desk, or none.",
        example="^]",
        default="^Ec",
    )
    users: str = key(
        KeyFile(),
        "The file of those who can log in, made by `gatewayd user`.",
        example="users",
        default="none",
        fallback="",
    )
    kerberos: Kerberos = key(
        Group(KERBEROS_SETTINGS, build_kerberos),
        "By which keys tickets of Kerberos are judged where a login is asked for, and whose.",
        example="{keytab: gatewayd.keytab, principals: {alice@LAB: alice}}",
        default="none",
        fallback=Kerberos(),
    )
    allow: tuple[Network, ...] = key(
        OneOrList(NetworkKind()),
        "Where clients of all ports may come from, at addresses that other machines can reach.",
        example="10.1.0.0/16",
        default="any",
        fallback=(),
    )
    accept_rate: int = key(
        Whole(0, 10_000),
        "How many connections a second another machine may make; eight times as many in all, and 0 "
        "for any number.",
        example="10",
        default="50",
    )
    advertise: bool = key(
        Switch(),
        "Tell of the ports on the network, by DNS-SD through Avahi.",
        example="true",
        default="false",
    )
    page: str = key(
        PageUrl(),
        "Where browsers of other machines reach the page, which is told of with the ports.",
        example="https://pi-lab3.example:8323/",
        default="none",
        fallback="",
    )

    @property
    def advertises(self) -> bool:
        """Whether any port may be told of on the network."""
        return self.advertise or any(port.advertise is Advertise.YES for port in self.ports)
