"""The keys of the file: how each is judged, written and told of; what it means is a field of
`PortConfig` or `Config`, from which it has its default.

From here come the JSON Schema and what docs/configuration.md is held to.
"""

from __future__ import annotations

from gatewayd.config.door_kinds import KeyFile, UserName
from gatewayd.config.kinds import Group, OneOf, OneOrList, ShortOrGroup, Switch, Text, Whole
from gatewayd.config.model import Advertise, BetweenSessions, Echo, RecordMode, WhileAbsent
from gatewayd.config.schema import Config, PortConfig
from gatewayd.config.setting import key, settings_of
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

PORT_SETTINGS = settings_of(
    PortConfig,
    device=key(
        ShortOrGroup(DevicePath(), Group(MATCH_SETTINGS, build_match)),
        "The serial device: a path, or what identifies an adapter wherever it shows up.",
        example="{serial: A50285BI}",
    ),
    description=key(
        Text(),
        "What is connected, for people: shown in status and to clients that are refused.",
        example="bench supply, rack 2",
        default="empty",
    ),
    line=key(
        ShortOrGroup(LineKind(), Group(LINE_SETTINGS, build_line)),
        "How the line is set when no client has set it otherwise.",
        example="115200 8N1 rtscts",
        default="9600 8N1",
    ),
    rfc2217=key(
        OneOrList(SPOT),
        "Where to serve Telnet with the Com Port Control option; without a host on loopback only.",
        example="7001",
        default="none",
    ),
    raw=key(
        OneOrList(SPOT),
        "Where to serve plain TCP; without a host on loopback only.",
        example="127.0.0.1:7101",
        default="none",
    ),
    watch=key(
        OneOrList(SPOT),
        "Where to serve Telnet for those who only watch; without a host on loopback only.",
        example="7201",
        default="none",
    ),
    watch_raw=key(
        OneOrList(SPOT),
        "Where to serve plain TCP for those who only watch; without a host on loopback only.",
        example="7301",
        default="none",
    ),
    allow=key(
        OneOrList(NetworkKind()),
        "Where clients of all addresses may come from that other machines can reach.",
        example="10.1.0.0/16",
        default="that of the gateway",
    ),
    users=key(
        OneOrList(UserName()),
        "Who may come in where a name is proved, by a login or a certificate.",
        example="[alice, bob]",
        default="everybody who can prove a name",
    ),
    lenient=key(
        Switch(),
        "Answer a Com Port request with what was asked instead of what is in force, for clients "
        "that give up on a difference.",
        example="true",
        default="false",
    ),
    busy=key(
        BusyKind(),
        "What a second client gets: a word and the door, a look at what the device says, the port, "
        "or the port if it is free soon.",
        example="takeover",
        default="refuse",
    ),
    takeover=key(
        Switch(),
        "An older way to write `busy: takeover`.",
        example="true",
        default="false",
    ),
    idle=key(
        IdleKind(),
        "Whether a client that sends nothing for so long is closed, or yields to whoever comes.",
        example="steal after 30min",
        default="never",
    ),
    watchers=key(
        Whole(0, 64),
        "How many clients may watch at once.",
        example="4",
        default="16",
    ),
    echo=key(
        OneOf({choice.value: choice for choice in Echo}, {}),
        "Who shows a person at a Telnet client what is typed: the device, by sending it back, or "
        "the client.",
        example="client",
        default="auto",
    ),
    signals=key(
        Group(SIGNAL_SETTINGS, build_signals),
        "Who decides over DTR and RTS, so that connecting does not reset a board.",
        example="{dtr: off, rts: keep}",
        default="{dtr: client, rts: client}",
    ),
    peer_timeout=key(
        Seconds(5, 86400),
        "Time until a client that vanished without a word frees its port.",
        example="2min",
        default="30s",
    ),
    between_sessions=key(
        OneOf({choice.value: choice for choice in BetweenSessions}, {}),
        "Whether the line settings above come back when a client goes, or its own are kept.",
        example="keep",
        default="restore",
    ),
    on_unplug=key(
        OnUnplugKind(),
        "Whether a session outlives its device, and how long.",
        example="hold for 30s",
        default="hold",
    ),
    while_absent=key(
        OneOf({choice.value: choice for choice in WhileAbsent}, {}),
        "Whether bytes for a device that is away are thrown away and counted, or wait at the "
        "client.",
        example="refuse",
        default="discard",
    ),
    trust_path=key(
        Switch(),
        "Go on with a session when an adapter without a serial number comes back to the same "
        "socket.",
        example="true",
        default="false",
    ),
    record=key(
        OneOf({mode.value: mode for mode in RecordMode}, {}),
        "What is recorded in files: nothing, what the device says, or what clients send as well.",
        example="output",
        default="off",
    ),
    log=key(
        Group(LOG_SETTINGS, build_log),
        "How much of the record is kept.",
        example="{keep: 90 days, max: 1G}",
        default="{keep: 30 days, max: 100M}",
    ),
    pcapng=key(
        Switch(),
        "Record packets for Wireshark beside the text.",
        example="true",
        default="false",
    ),
    replay=key(
        Size(0, 1 << 20),
        "How much of what the device said last is kept in memory, for who begins to look.",
        example="64KiB",
        default="0",
    ),
    advertise=key(
        OneOf({choice.value: choice for choice in Advertise}, {}),
        "Whether the port is told of on the network (DNS-SD), or as the whole gateway is.",
        example="false",
        default="gateway",
    ),
    scpi=key(
        Switch(),
        "The instrument speaks SCPI: the raw address is told of as `_scpi-raw._tcp` too.",
        example="true",
        default="false",
    ),
)

CONFIG_SETTINGS = settings_of(
    Config,
    control=key(
        ControlPath(),
        "Path of the socket by which gatewayd is asked for its state while it runs, or none.",
        example="none",
        default="/run/gatewayd/control",
    ),
    record=key(
        Group(RECORD_SETTINGS, build_record),
        "Where the records of ports are.",
        example="{directory: /srv/serial, free: 1G}",
        default="{directory: /var/log/gatewayd, free: 200M}",
    ),
    metrics=key(
        OneOrList(METRICS_SPOT),
        "Where what is counted can be scraped by Prometheus; without a host on loopback only.",
        example="9317",
        default="none",
    ),
    tls=key(
        Group(TLS_SETTINGS, build_tls),
        "The certificate and the key for addresses that are encrypted.",
        example="{certificate: tls/gatewayd.crt, key: tls/gatewayd.key}",
        default="none",
    ),
    desk=key(
        OneOrList(SPOT),
        "Where people and scripts choose a port by Telnet; without a host on loopback only.",
        example="2323",
        default="none",
    ),
    escape=key(
        EscapeKind(),
        "The keys that come before a command at the desk, or none.",
        example="^]",
        default="^Ec",
    ),
    users=key(
        KeyFile(),
        "The file of those who can log in, made by `gatewayd user`.",
        example="users",
        default="none",
    ),
    kerberos=key(
        Group(KERBEROS_SETTINGS, build_kerberos),
        "By which keys tickets of Kerberos are judged where a login is asked for, and whose.",
        example="{keytab: gatewayd.keytab, principals: {alice@LAB: alice}}",
        default="none",
    ),
    allow=key(
        OneOrList(NetworkKind()),
        "Where clients of all ports may come from, at addresses that other machines can reach.",
        example="10.1.0.0/16",
        default="any",
    ),
    accept_rate=key(
        Whole(0, 10_000),
        "How many connections a second another machine may make; eight times as many in all, and 0 "
        "for any number.",
        example="10",
        default="50",
    ),
    advertise=key(
        Switch(),
        "Tell of the ports on the network, by DNS-SD through Avahi.",
        example="true",
        default="false",
    ),
    page=key(
        PageUrl(),
        "Where browsers of other machines reach the page, which is told of with the ports.",
        example="https://pi-lab3.example:8323/",
        default="none",
    ),
)
