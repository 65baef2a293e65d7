"""The table of all settings: what a configuration may say, in the order of the reference."""

from __future__ import annotations

from typing import Any

from gatewayd.config.kinds import Group, OneOf, OneOrList, ShortOrGroup, Switch, Text, Whole
from gatewayd.config.schema import Address, BetweenSessions, OnUnplug, WhileAbsent
from gatewayd.config.setting import Setting, Values
from gatewayd.config.values import (
    BAUDRATES,
    AddressKind,
    DevicePath,
    HexId,
    LineKind,
    NoDsrDtr,
    OnUnplugKind,
    Seconds,
    possible_line,
)
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, Parity, SignalPolicies, SignalPolicy, StopBits

SERIAL: Setting[str] = Setting(
    "serial",
    Text("SERIAL NUMBER"),
    "USB serial number of the adapter.",
    "A50285BI",
    "any",
    fallback="",
)
USB_PATH: Setting[str] = Setting(
    "usb_path",
    Text("BUS-PORT[.PORT...]"),
    "USB socket that the adapter is plugged into, for adapters without a serial number.",
    "1-1.2",
    "any",
    fallback="",
)
INTERFACE: Setting[int] = Setting(
    "interface",
    Whole(0, 255),
    "USB interface number, where one adapter has several ports.",
    "0",
    "any",
    fallback=-1,
)
VID: Setting[str] = Setting("vid", HexId(), "USB vendor.", "0403", "any", fallback="")
PID: Setting[str] = Setting("pid", HexId(), "USB product.", "6001", "any", fallback="")
MATCH_SETTINGS: tuple[Setting[Any], ...] = (SERIAL, USB_PATH, INTERFACE, VID, PID)

BAUDRATE: Setting[int] = Setting(
    "baudrate",
    Whole(*BAUDRATES),
    "Bits per second, standard or not.",
    "115200",
    "9600",
)
BYTESIZE: Setting[int] = Setting("bytesize", Whole(5, 8), "Data bits of a character.", "7", "8")
PARITY: Setting[Parity] = Setting(
    "parity",
    OneOf(
        {parity.name.lower(): parity for parity in Parity},
        {parity.value: parity for parity in Parity},
    ),
    "The parity bit.",
    "even",
    "none",
)
STOPBITS: Setting[StopBits] = Setting(
    "stopbits",
    OneOf({f"{stopbits.value:g}": stopbits for stopbits in StopBits}, {}),
    "Stop bits; 1.5 goes with 5 data bits only.",
    "2",
    "1",
)
XONXOFF: Setting[bool] = Setting(
    "xonxoff", Switch(), "Flow control by XON and XOFF characters, both ways.", "true", "false"
)
RTSCTS: Setting[bool] = Setting(
    "rtscts", Switch(), "Flow control by the RTS and CTS lines, both ways.", "true", "false"
)
DSRDTR: Setting[bool] = Setting(
    "dsrdtr", NoDsrDtr(), "Known from pyserial; Linux has no such flow control.", "false", "false"
)
LINE_SETTINGS: tuple[Setting[Any], ...] = (
    BAUDRATE,
    BYTESIZE,
    PARITY,
    STOPBITS,
    XONXOFF,
    RTSCTS,
    DSRDTR,
)

POLICY = OneOf({policy.value: policy for policy in SignalPolicy}, {})
DTR: Setting[SignalPolicy] = Setting(
    "dtr", POLICY, "Whether DTR is held on or off, never touched, or the client's.", "off", "client"
)
RTS: Setting[SignalPolicy] = Setting(
    "rts",
    POLICY,
    "Whether RTS is held on or off, never touched, or the client's.",
    "keep",
    "client",
)
SIGNAL_SETTINGS: tuple[Setting[Any], ...] = (DTR, RTS)


def build_match(values: Values) -> DeviceMatch:
    """The device match of a mapping. Raises ValueError."""
    interface = values[INTERFACE]
    return DeviceMatch(
        serial=values[SERIAL] or None,
        usb_path=values[USB_PATH] or None,
        interface=None if interface < 0 else interface,
        vid=values[VID] or None,
        pid=values[PID] or None,
    )


def build_line(values: Values) -> LineSettings:
    """The line settings of a mapping. Raises ValueError."""
    return possible_line(
        LineSettings(
            baudrate=values[BAUDRATE],
            bytesize=values[BYTESIZE],
            parity=values[PARITY],
            stopbits=values[STOPBITS],
            ixon=values[XONXOFF],
            ixoff=values[XONXOFF],
            rtscts=values[RTSCTS],
        )
    )


def build_signals(values: Values) -> SignalPolicies:
    """The signal policies of a mapping."""
    return SignalPolicies(dtr=values[DTR], rts=values[RTS])


DESCRIPTION: Setting[str] = Setting(
    "description",
    Text(),
    "What is connected, for people: shown in status and to clients that are refused.",
    "bench supply, rack 2",
    "empty",
    fallback="",
)
DEVICE: Setting[str | DeviceMatch] = Setting(
    "device",
    ShortOrGroup(DevicePath(), Group(MATCH_SETTINGS, build_match)),
    "The serial device: a path, or what identifies an adapter wherever it shows up.",
    "{serial: A50285BI}",
)
LINE: Setting[LineSettings] = Setting(
    "line",
    ShortOrGroup(LineKind(), Group(LINE_SETTINGS, build_line)),
    "How the line is set when no client has set it otherwise.",
    "115200 8N1 rtscts",
    "9600 8N1",
)
RFC2217: Setting[tuple[Address, ...]] = Setting(
    "rfc2217",
    OneOrList(AddressKind()),
    "Where to serve Telnet with the Com Port Control option; without a host on loopback only.",
    "7001",
    "none",
    fallback=(),
)
RAW: Setting[tuple[Address, ...]] = Setting(
    "raw",
    OneOrList(AddressKind()),
    "Where to serve plain TCP; without a host on loopback only.",
    "127.0.0.1:7101",
    "none",
    fallback=(),
)
LENIENT: Setting[bool] = Setting(
    "lenient",
    Switch(),
    "Answer a Com Port request with what was asked instead of what is in force, for clients that "
    "give up on a difference.",
    "true",
    "false",
)
TAKEOVER: Setting[bool] = Setting(
    "takeover",
    Switch(),
    "Let a second client replace the first instead of refusing it.",
    "true",
    "false",
)
SIGNALS: Setting[SignalPolicies] = Setting(
    "signals",
    Group(SIGNAL_SETTINGS, build_signals),
    "Who decides over DTR and RTS, so that connecting does not reset a board.",
    "{dtr: off, rts: keep}",
    "{dtr: client, rts: client}",
    fallback=SignalPolicies(),
)
PEER_TIMEOUT: Setting[float] = Setting(
    "peer_timeout",
    Seconds(5, 86400),
    "Time until a client that vanished without a word frees its port.",
    "2min",
    "30s",
)
BETWEEN_SESSIONS: Setting[BetweenSessions] = Setting(
    "between_sessions",
    OneOf({choice.value: choice for choice in BetweenSessions}, {}),
    "Whether the line settings above come back when a client goes, or its own are kept.",
    "keep",
    "restore",
)
ON_UNPLUG: Setting[OnUnplug] = Setting(
    "on_unplug",
    OnUnplugKind(),
    "Whether a session outlives its device, and how long.",
    "hold for 30s",
    "hold",
)
WHILE_ABSENT: Setting[WhileAbsent] = Setting(
    "while_absent",
    OneOf({choice.value: choice for choice in WhileAbsent}, {}),
    "Whether bytes for a device that is away are thrown away and counted, or wait at the client.",
    "refuse",
    "discard",
)
TRUST_PATH: Setting[bool] = Setting(
    "trust_path",
    Switch(),
    "Go on with a session when an adapter without a serial number comes back to the same socket.",
    "true",
    "false",
)
PORT_SETTINGS: tuple[Setting[Any], ...] = (
    DESCRIPTION,
    DEVICE,
    LINE,
    RFC2217,
    RAW,
    LENIENT,
    TAKEOVER,
    SIGNALS,
    PEER_TIMEOUT,
    BETWEEN_SESSIONS,
    ON_UNPLUG,
    WHILE_ABSENT,
    TRUST_PATH,
)
