"""ser2net's connections as ports of ours, with a remark for each thing that is lost on the way.

What a port let nobody do before, it lets nobody do now: a connection with a login is left out, one
with TLS keeps its certificates, and one for certain clients only is served on loopback.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable, Iterator

from gatewayd.config.clash import AddressClaims
from gatewayd.config.schema import Address, ClientCertificate, Door, PortConfig, Tls, TlsFiles
from gatewayd.config.values import LOOPBACK
from gatewayd.ser2net import serial
from gatewayd.ser2net.gensio import FAMILIES, Stack, parse, parse_accepter
from gatewayd.ser2net.model import Connection, Default, LeftOutError, Option, Remark, Source
from gatewayd.ser2net.serial import line_of
from gatewayd.value import Value, replace

ANY, ANY_IPV4 = "::", "0.0.0.0"
"""What no address means: all of IPv6 and IPv4 too, or after `ipv4` all of that."""
LONGEST_NAME = 60
"""Characters of a name, which leaves room for a number."""

KEY_FILE, CERTIFICATE_FILE = "/etc/ser2net/ser2net.key", "/etc/ser2net/ser2net.crt"
"""What ser2net takes for TLS when it is not told."""
SSL = {"key": KEY_FILE, "cert": "", "CA": "", "clientauth": "false", "allow-authfail": "false"}
"""Options of `ssl` with their defaults."""
TUNING = "gatewayd needs no such tuning"
REASONS = {
    "accepter-retry-time": "an address that cannot be bound stops the start",
    "banner": "no text of the gateway's is put into a client's data",
    "chardelay": TUNING,
    "chardelay-max": TUNING,
    "chardelay-min": TUNING,
    "chardelay-scale": TUNING,
    "connector-retry-time": "a missing device is waited for without polling",
    "dev-to-net-bufsize": TUNING,
    "max-connections": "one client at a time holds a port",
    "net-to-dev-bufsize": TUNING,
    "remaddr": "there are no lists of clients: served on loopback only, until you decide",
    "signature": "the signature is gatewayd's own",
    "telnet-brk-on-sync": "a Synch discards, and sends no break",
    "timeout": "idle clients are not thrown out; for vanished ones see peer_timeout",
}
DEFAULTS = frozenset({"kickolduser", *REASONS})


class Imported(Value):
    """A port, whether ser2net served it, and what was lost for it."""

    port: PortConfig
    enabled: bool
    remarks: tuple[Remark, ...]
    tls: TlsFiles = TlsFiles()
    """What it proves itself with, if it is served by TLS."""


def convert(source: Source) -> tuple[tuple[Imported, ...], tuple[Remark, ...]]:
    """The ports of `source`, and the remarks that belong to none of them."""
    ports: list[Imported] = []
    remarks = [*source.remarks, *_lost_defaults(source.defaults)]
    claims = AddressClaims[Connection]()
    for connection in source.connections:
        try:
            imported = _import(connection, {one.port.name.lower() for one in ports})
            imported = _with_keys(imported, ports)
            if imported.enabled:
                _claim(imported, connection, claims)
        except (LeftOutError, ValueError) as reason:
            remarks.append(Remark(connection.line, f"{connection.name}: left out, {reason}"))
            continue
        at = next((at for at, one in enumerate(ports) if _on_one_device(one, imported)), None)
        if at is None:
            ports.append(imported)
        else:
            ports[at] = _joined(ports[at], imported)
    return tuple(ports), tuple(sorted(remarks))


def _lost_defaults(defaults: Iterable[Default]) -> Iterator[Remark]:
    """A remark for each default that no port looks at."""
    known = {
        "ser2net": DEFAULTS,
        "serialdev": serial.DEFAULTS,
        "telnet": {"rfc2217"},
        "ssl": {*SSL},
    }
    for default in defaults:
        kinds = known if default.kind is None else {default.kind} & known.keys()
        if not any(default.name in known[kind] for kind in kinds):
            of = f" of {default.kind}" if default.kind else ""
            yield Remark(default.line, f"default {default.name}{of}: has no counterpart")


def _claim(imported: Imported, connection: Connection, claims: AddressClaims[Connection]) -> None:
    """Raises LeftOutError when another connection has its address."""
    for _, address in imported.port.listeners:
        first = claims.claim(address, connection)
        if first is not connection:
            text = f"since its address is that of {first.name} on line {first.line}"
            raise LeftOutError(f"{text}, which keeps it")


def _import(connection: Connection, taken: set[str]) -> Imported:
    """One connection as a port. Raises LeftOutError or ValueError."""
    accepter = parse_accepter(connection.accepter.value)
    connector = parse(connection.connector.value)
    own = {option.name: option for option in connection.options}
    options = {**connection.in_force("ser2net", DEFAULTS), **own}
    options = {name: option for name, option in options.items() if not _says_nothing(option)}
    remarks: list[Remark] = []
    tls, door = _tls(accepter, connection, remarks)
    address = _address(accepter, for_some="remaddr" in options)
    address = replace(address, door=door)
    telnet = any(layer.name == "telnet" for layer in accepter.filters)
    if telnet and not _rfc2217(accepter, connection):
        lost = "telnet without rfc2217: Com Port Control is now offered too"
        remarks.append(Remark(connection.accepter.line, lost))
    device = _device(connector)
    line, signals = line_of(connector, connection, remarks)
    takeover = options.pop("kickolduser", None)
    for option in options.values():
        reason = REASONS.get(option.name, "has no counterpart")
        remarks.append(Remark(option.line, f"{option.name}: {reason}"))
    port = PortConfig(
        name=_name(connection.name, taken),
        device=device,
        line=line,
        rfc2217=(address,) if telnet else (),
        raw=() if telnet else (address,),
        takeover=takeover is not None,
        signals=signals,
        where=("", connection.line),
    )
    return Imported(port, connection.enabled, tuple(remarks), tls)


def _tls(accepter: Stack, connection: Connection, remarks: list[Remark]) -> tuple[TlsFiles, Door]:
    """The keys of a connection with TLS, and how clients come in. Raises LeftOutError."""
    names = [layer.name for layer in accepter.filters]
    if "certauth" in names:
        raise LeftOutError("since it would be served without a login (certauth)")
    if "ssl" not in names:
        return TlsFiles(), Door()
    if names not in (["ssl"], ["telnet", "ssl"]):
        raise LeftOutError(f"since {','.join(names)} has no counterpart")
    said = {name: default.value for name, default in connection.in_force("ssl", SSL).items()}
    for word in accepter.filters[-1].options:
        name, equals, value = word.partition("=")
        said[name] = value.strip("\"'") if equals else "true"
    for name in said.keys() - {*SSL, "mode", "readbuf", "writebuf"}:
        text = f"ssl({name}): has no counterpart"
        remarks.append(Remark(connection.accepter.line, text))
    key = said.get("key") or KEY_FILE
    # With a key of its own and nothing else, the certificate is in the same file.
    certificate = said.get("cert") or (key if said.get("key") else CERTIFICATE_FILE)
    asked = Option("clientauth", said.get("clientauth", "false"), 0).true
    if not asked:
        return TlsFiles(certificate, key), Door(Tls.IMPLICIT)
    ca = said.get("CA", "")
    if not ca or ca.endswith("/"):
        raise LeftOutError("since clientauth rests on certificates of no single file (CA)")
    wanted = ClientCertificate.REQUIRED
    if Option("allow-authfail", said.get("allow-authfail", "false"), 0).true:
        wanted = ClientCertificate.OPTIONAL
        text = "allow-authfail: a certificate of another CA is refused; none at all is let in"
        remarks.append(Remark(connection.accepter.line, text))
    return TlsFiles(certificate, key, ca), Door(Tls.IMPLICIT, wanted)


def _with_keys(imported: Imported, others: Iterable[Imported]) -> Imported:
    """A gateway has one certificate and one CA for clients: those of the first connection that has
    any. Raises LeftOutError when clients of another CA would come in."""
    known = [one for one in others if one.tls and one.enabled]
    if not imported.tls or not known:
        return imported
    tls, remarks = known[0].tls, imported.remarks
    ca = next((one.tls.client_ca for one in known if one.tls.client_ca), "")
    if ca and imported.tls.client_ca and imported.tls.client_ca != ca:
        raise LeftOutError(f"since its clients rest on another CA than {ca}, and there is one here")
    if (tls.certificate, tls.key) != (imported.tls.certificate, imported.tls.key):
        text = f"{imported.port.name}: {tls.certificate} is shown: a gateway has one certificate"
        remarks = (*remarks, Remark(imported.port.where[1], text))
    files = replace(tls, client_ca=imported.tls.client_ca)
    return replace(imported, tls=files, remarks=remarks)


def _address(accepter: Stack, *, for_some: bool) -> Address:
    """Where to listen; on loopback when only some clients may come. Raises LeftOutError."""
    filters = [layer.name for layer in accepter.filters if layer.name not in ("telnet", "ssl")]
    if filters:
        raise LeftOutError(f"since {filters[0]} has no counterpart")
    if accepter.bottom.name != "tcp":
        raise LeftOutError(f"since it is served over {accepter.bottom.name}")
    *words, number = accepter.words or ("",)
    family = words.pop(0) if words and words[0] in FAMILIES else ""
    if words in (["0"], ["*"]):
        words.clear()
    if len(words) > 1 or not number.isdecimal() or not 0 < int(number) <= 65535:
        raise LeftOutError(f"since {','.join(accepter.words)!r} is no address and port number")
    if for_some or words == ["localhost"]:
        return Address("::1" if family == "ipv6" else LOOPBACK, int(number))
    host = words[0] if words else ANY_IPV4 if family == "ipv4" else ANY
    try:
        return Address(str(ipaddress.ip_address(host)), int(number))
    except ValueError:
        reason = f"since {host!r} is a name; write a numeric address in its place"
        raise LeftOutError(reason) from None


def _rfc2217(accepter: Stack, connection: Connection) -> bool:
    """Whether Telnet was to have Com Port Control."""
    default = connection.in_force("telnet", ("rfc2217",)).get("rfc2217")
    said = default is not None and default.true
    for layer in accepter.filters:
        for word in layer.options:
            name, equals, value = word.partition("=")
            if name == "rfc2217":
                said = Option(name, value if equals else "true", 0).true
    return said


def _device(connector: Stack) -> str:
    """The path of the device. Raises LeftOutError for what is none."""
    others = [layer.name for layer in connector.filters if layer.name != "keepopen"]
    if others or connector.bottom.name not in ("serialdev", "sdev"):
        what = ",".join([*others, connector.bottom.name])
        raise LeftOutError(f"since {what} is no serial device of this machine")
    if not connector.words or not connector.words[0].startswith("/"):
        raise LeftOutError("since it names no device by its path")
    return connector.words[0]


def _says_nothing(option: Option) -> bool:
    return option.idle or (option.name, option.value) == ("max-connections", "1")


def _name(text: str, taken: set[str]) -> str:
    """`text` in the characters that a port's name may have; not one of `taken` (in lower case)."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:LONGEST_NAME] or "port"
    number, unique = 1, name
    while unique.lower() in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique


def _on_one_device(one: Imported, other: Imported) -> bool:
    devices = {os.path.realpath(str(imported.port.device)) for imported in (one, other)}
    return len(devices) == 1 and one.enabled == other.enabled


def _joined(first: Imported, second: Imported) -> Imported:
    """Two connections to one device, which here is one port."""
    lost = f"{second.port.name}: joined to {first.port.name}, which is on the same device"
    if second.port.line != first.port.line:
        lost += f"; {second.port.line} is lost, since a port is set in one way"
    return replace(
        first,
        port=replace(
            first.port,
            rfc2217=first.port.rfc2217 + second.port.rfc2217,
            raw=first.port.raw + second.port.raw,
            takeover=first.port.takeover or second.port.takeover,
        ),
        remarks=(*first.remarks, Remark(second.port.where[1], lost), *second.remarks),
        tls=replace(first.tls or second.tls, client_ca=first.tls.client_ca or second.tls.client_ca),
    )
