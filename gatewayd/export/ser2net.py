"""A ser2net.yaml with the same ports: leaving is as easy as coming.

Version 1 of the format, which every ser2net 4 reads. What ser2net has no word for is a remark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv6Network

from gatewayd.config.schema import (
    Address,
    ClientCertificate,
    Config,
    Door,
    Face,
    Login,
    Network,
    OnBusy,
    PortConfig,
    Tls,
    TlsFiles,
)
from gatewayd.device.match import DeviceMatch, find
from gatewayd.device.scan import SerialDevice
from gatewayd.errors import DeviceError
from gatewayd.export.model import Export, Here
from gatewayd.line.model import LineSettings, SignalPolicy, StopBits

HEADING = "%YAML 1.1\n---\n# Ports of gatewayd, for ser2net 4.\n"
UNSAID = {
    "busy": "a second client is refused, or takes the port over",
    "between_sessions": "a device is closed between clients",
    "idle": "a client that sends nothing keeps the port",
    "lenient": "settings are answered as they are",
    "on_unplug": "a session does not outlive its device",
    "peer_timeout": "a client that vanished is noticed by the system's keepalive",
    "trust_path": "a session does not outlive its device",
    "while_absent": "a session does not outlive its device",
}
"""Settings that ser2net has not, and what it does."""
ALLOW = "allow: everybody is let in until the two lines above a connection are in their files"
"""Those of tcp wrappers, which ser2net asks by a name."""


def export(config: Config, here: Here) -> Export:
    """One connection an address; those of one port share its device, one client at a time."""
    remarks: list[str] = []
    taken: set[str] = set()
    blocks = [_port(port, config.tls, here, taken, remarks) for port in config.ports]
    return Export((("ser2net.yaml", HEADING + "".join(blocks)),), tuple(remarks))


def _port(port: PortConfig, tls: TlsFiles, here: Here, taken: set[str], remarks: list[str]) -> str:
    try:
        device = _path(port.device, here.devices)
    except DeviceError as error:
        remarks.append(f"{port.name}: left out, {error}; ser2net knows devices by path only")
        return f"# {port.name}: left out, {error}\n"
    remarks += [f"{port.name}: {text}" for text in _lost(port)]
    text = "".join(f"# {port.name}: {text}\n" for text in _lost(port))
    lists: dict[tuple[Network, ...], str] = {}
    for face, address in port.listeners:
        if face not in (Face.RFC2217, Face.RAW):
            continue
        telnet = "telnet(rfc2217)," if face is Face.RFC2217 else ""
        try:
            layers = telnet + _ssl(address.door, tls)
        except LookupError as why:
            remark = f"{face.value} at {address} is left out, {why.args[0]}"
            remarks.append(f"{port.name}: {remark}")
            text += f"# {port.name}: {remark}\n"
            continue
        name, who = _name(port.name, taken), ""
        allow = address.door.allow
        if allow:
            who = lists.get(allow, f"ser2net-{name}")
            if allow not in lists:
                lists[allow] = who
                text += _wrapped(who, allow)
        text += _connection(port, name, layers + _accepter(address, who), device)
    if lists:
        remarks.append(f"{port.name}: {ALLOW}")
    return text


def _wrapped(name: str, allow: tuple[Network, ...]) -> str:
    """What tcp wrappers must be told, see hosts_access(5)."""
    hosts = ", ".join(map(_pattern, allow))
    return f"# /etc/hosts.allow: {name}: {hosts}\n# /etc/hosts.deny:  {name}: ALL\n"


def _pattern(network: Network) -> str:
    if isinstance(network, IPv6Network):
        return f"[{network.network_address}]/{network.prefixlen}"
    return str(network.network_address) if network.prefixlen == 32 else network.with_netmask


def _ssl(door: Door, tls: TlsFiles) -> str:
    """The layer of an address that is served by TLS. Raises LookupError with the reason when
    ser2net would let in others, or cannot do it."""
    if door.login is Login.REQUIRED or (door.users and door.asks):
        raise LookupError("ser2net would let in whoever comes")
    if door.tls in (Tls.NONE, Tls.OPTIONAL):
        return ""
    if door.tls is Tls.STARTTLS:
        raise LookupError("ser2net has no START_TLS")
    required = door.client_certificate is ClientCertificate.REQUIRED
    files = {"key": tls.key, "cert": tls.certificate, **({"CA": tls.client_ca} if required else {})}
    if not all(
        "credential:" not in path and re.fullmatch(r"[\w/.:@+-]+", path, re.ASCII)
        for path in files.values()
    ):
        raise LookupError("its keys are in no plain files")
    words = [f"{name}={path}" for name, path in files.items()]
    return f"ssl({','.join([*words, 'clientauth'] if required else words)}),"


def _name(port: str, taken: set[str]) -> str:
    """That of one more connection."""
    # What libyaml takes as an anchor.
    base = re.sub(r"[^A-Za-z0-9_-]", "_", port)
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    taken.add(name)
    return name


def _connection(port: PortConfig, name: str, accepter: str, device: str) -> str:
    connector = ",".join(("serialdev", device, *_line(port.line), *_signals(port), "local"))
    # `*(` and `*{` paste other texts.
    connector = connector.replace("*(", "*(*").replace("*{", "*{*").replace("'", "''")
    options = "".join(
        f"    {key}: true\n" for key in ("kickolduser",) if port.when_busy.then is OnBusy.TAKEOVER
    )
    return f"connection: &{name}\n  accepter: '{accepter}'\n  connector: '{connector}'\n" + (
        f"  options:\n{options}" if options else ""
    )


def _accepter(address: Address, who: str) -> str:
    """`who` it is to tcp wrappers, if they are to be asked."""
    # Without a host it is every address of both families, as `[::]` is here.
    at = address.port if address.host == "::" else f"{address.host},{address.port}"
    return f"tcp(tcpdname={who}),{at}" if who else f"tcp,{at}"


def _path(device: str | DeviceMatch, devices: tuple[SerialDevice, ...]) -> str:
    """The most lasting path of the device, quoted for gensio. Raises DeviceError."""
    path = device if isinstance(device, str) else ""
    if isinstance(device, DeviceMatch):
        found = find(device, devices)
        assert isinstance(found, SerialDevice), "a match never means a bare path"
        links = (found.by_id, found.by_path) if device.serial else (found.by_path, found.by_id)
        path = next((link for link in links if link), found.path)
    return path if re.fullmatch(r"[\w/.:@+-]+", path, re.ASCII) else f'"{_escaped(path)}"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _line(line: LineSettings) -> Iterator[str]:
    stopbits = "1" if line.stopbits is StopBits.ONE else "2"
    yield f"{line.baudrate}{line.parity.value.lower()}{line.bytesize}{stopbits}"
    if line.rtscts:
        yield "rtscts"
    if line.ixon and line.ixoff:
        yield "xonxoff"


def _signals(port: PortConfig) -> Iterator[str]:
    for name, policy in (("dtr", port.signals.dtr), ("rts", port.signals.rts)):
        if policy in (SignalPolicy.ON, SignalPolicy.OFF):
            yield f"{name}={policy.value}"


def _lost(port: PortConfig) -> Iterator[str]:
    """What of a port ser2net cannot say."""
    plain = PortConfig(port.name, port.device)
    for key, instead in UNSAID.items():
        if getattr(port, key) != getattr(plain, key):
            yield f"{key}: {instead}"
    if port.line.stopbits is StopBits.ONE_POINT_FIVE:
        yield "line: 1.5 stop bits have become 2"
    if port.signals.dtr is SignalPolicy.KEEP or port.signals.rts is SignalPolicy.KEEP:
        yield "signals: keep has no counterpart; opening the device raises DTR and RTS"
    if not re.fullmatch(r"[A-Za-z0-9_-]+", port.name):
        yield "a name there has letters, digits, '-' and '_' only"
