"""The tables of the mappings in a file: what identifies a device, a line, its signals, an address,
records, keys."""

from __future__ import annotations

from typing import Any

from gatewayd.config.door import (
    ClientCertificate,
    Door,
    Kerberos,
    Login,
    Network,
    Tls,
    TlsFiles,
)
from gatewayd.config.door_kinds import KeyFile, Principals
from gatewayd.config.kinds import Group, OneOf, OneOrList, ShortOrGroup, Switch, Text, Whole
from gatewayd.config.model import Address, LogLimits, RecordConfig
from gatewayd.config.setting import Setting, Values
from gatewayd.config.sizes import Days, DirectoryPath, Size
from gatewayd.config.values import (
    BAUDRATES,
    AddressKind,
    HexId,
    NetworkKind,
    NoDsrDtr,
    possible_line,
)
from gatewayd.device.match import DeviceMatch
from gatewayd.line.model import LineSettings, Parity, SignalPolicies, SignalPolicy, StopBits
from gatewayd.value import replace

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
    "dtr",
    POLICY,
    "Whether DTR is held on or off, never touched, the client's, or on during sessions.",
    "off",
    "client",
)
RTS: Setting[SignalPolicy] = Setting(
    "rts",
    POLICY,
    "Whether RTS is held on or off, never touched, the client's, or on during sessions.",
    "keep",
    "client",
)
SIGNAL_SETTINGS: tuple[Setting[Any], ...] = (DTR, RTS)

KEEP: Setting[int] = Setting("keep", Days(), "How long files are kept.", "90 days", "30 days")
MAX: Setting[int] = Setting(
    "max",
    Size(1 << 20, 1 << 40),
    "How large all files of the port together may become; the oldest go first.",
    "1G",
    "100M",
)
LOG_SETTINGS: tuple[Setting[Any], ...] = (KEEP, MAX)

DIRECTORY: Setting[str] = Setting(
    "directory",
    DirectoryPath(),
    "Where the files are, in a directory for each port.",
    "/srv/serial",
    "/var/log/gatewayd",
)
FREE: Setting[int] = Setting(
    "free",
    Size(0, 1 << 40),
    "How much of the disk is left to others: below that, the oldest files go.",
    "1G",
    "200M",
)
RECORD_SETTINGS: tuple[Setting[Any], ...] = (DIRECTORY, FREE)


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


def build_log(values: Values) -> LogLimits:
    """The limits of a record, of a mapping."""
    return LogLimits(keep=values[KEEP], max=values[MAX])


def build_record(values: Values) -> RecordConfig:
    """The place of records, of a mapping."""
    return RecordConfig(directory=values[DIRECTORY], free=values[FREE])


LISTEN: Setting[Address] = Setting(
    "listen",
    AddressKind(),
    "Where to listen; without a host on loopback only.",
    "0.0.0.0:7001",
)
TLS: Setting[Tls] = Setting(
    "tls",
    OneOf({choice.value: choice for choice in Tls}, {}),
    "Whether the bytes are encrypted.",
    "implicit",
    "none",
)
CLIENT_CERTIFICATE: Setting[ClientCertificate] = Setting(
    "client_certificate",
    OneOf({choice.value: choice for choice in ClientCertificate}, {}),
    "Whether a client proves itself by a certificate.",
    "required",
    "none",
)
LOGIN: Setting[Login] = Setting(
    "login",
    OneOf({choice.value: choice for choice in Login}, {}),
    "Whether a person is asked for a name and a password.",
    "required",
    "none",
)
ALLOW: Setting[tuple[Network, ...]] = Setting(
    "allow",
    OneOrList(NetworkKind()),
    "Where clients may come from.",
    "10.1.0.0/16",
    "any",
    fallback=(),
)
CLEAR_TEXT: Setting[bool] = Setting(
    "clear_text",
    Switch(),
    "That anybody may come, and that it can be read on the way, is meant.",
    "true",
    "false",
)
ADDRESS_SETTINGS: tuple[Setting[Any], ...] = (
    *(LISTEN, TLS, CLIENT_CERTIFICATE),
    *(LOGIN, ALLOW, CLEAR_TEXT),
)

CERTIFICATE: Setting[str] = Setting(
    "certificate",
    KeyFile(),
    "The certificate that clients are shown, with those that it rests on, in PEM.",
    "tls/gatewayd.crt",
)
KEY: Setting[str] = Setting(
    "key", KeyFile(), "The key of the certificate, in PEM.", "tls/gatewayd.key"
)
CLIENT_CA: Setting[str] = Setting(
    "client_ca",
    KeyFile(),
    "The certificates that those of clients rest on, in PEM.",
    "tls/clients.crt",
    "none",
    fallback="",
)
TLS_SETTINGS: tuple[Setting[Any], ...] = (CERTIFICATE, KEY, CLIENT_CA)

KEYTAB: Setting[str] = Setting(
    "keytab",
    KeyFile(),
    "The keys of the gateway's own principal.",
    "gatewayd.keytab",
)
PRINCIPALS: Setting[tuple[tuple[str, str], ...]] = Setting(
    "principals",
    Principals(),
    "Who may come by a ticket, and as which user.",
    "{alice@LAB: alice}",
)
KERBEROS_SETTINGS: tuple[Setting[Any], ...] = (KEYTAB, PRINCIPALS)


def build_address(values: Values) -> Address:
    """The address of a mapping. Raises ValueError."""
    door = Door(
        tls=values[TLS],
        client_certificate=values[CLIENT_CERTIFICATE],
        login=values[LOGIN],
        allow=values[ALLOW],
        clear_text=values[CLEAR_TEXT],
    )
    if door.client_certificate is ClientCertificate.REQUIRED and door.tls is Tls.OPTIONAL:
        raise ValueError("who comes in clear text has no certificate; write tls: starttls")
    if door.client_certificate is not ClientCertificate.NONE and door.tls is Tls.NONE:
        raise ValueError("a client certificate is shown in TLS; write tls: implicit as well")
    if door.login is not Login.NONE and door.tls is Tls.OPTIONAL:
        raise ValueError("a password is not asked for in clear text; write tls: starttls")
    return replace(values[LISTEN], door=door)


def build_tls(values: Values) -> TlsFiles:
    """The files of the keys, of a mapping."""
    return TlsFiles(values[CERTIFICATE], values[KEY], values[CLIENT_CA])


def build_kerberos(values: Values) -> Kerberos:
    """What tickets are judged by, of a mapping."""
    return Kerberos(values[KEYTAB], values[PRINCIPALS])


SPOT = ShortOrGroup(AddressKind(), Group(ADDRESS_SETTINGS, build_address))
"""An address, in short or at length."""

METRICS_SETTINGS: tuple[Setting[Any], ...] = (LISTEN, ALLOW, CLEAR_TEXT)


def build_metrics_address(values: Values) -> Address:
    """Where metrics are, of a mapping: there is no TLS and no login."""
    return replace(values[LISTEN], door=Door(allow=values[ALLOW], clear_text=values[CLEAR_TEXT]))


METRICS_SPOT = ShortOrGroup(AddressKind(), Group(METRICS_SETTINGS, build_metrics_address))
"""The same where metrics are."""
