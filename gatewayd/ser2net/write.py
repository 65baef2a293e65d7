"""Imported ports as the text of a configuration, each remark a comment where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatewayd.config.guarding import at_length, exposed
from gatewayd.config.schema import Address, ClientCertificate, PortConfig, Tls, TlsFiles
from gatewayd.device.match import yaml_scalar
from gatewayd.line.model import SignalPolicy
from gatewayd.ser2net.convert import Imported
from gatewayd.ser2net.model import Remark


def configuration(ports: Iterable[Imported], remarks: Iterable[Remark], source: str) -> str:
    """A whole file. `source` is the name of the file that was imported."""
    ports = tuple(ports)
    served = any(imported.enabled for imported in ports)
    lines = [f"# Imported from {source} by gatewayd import.", "# Lost on the way:"]
    lines += [f"#   {source}:{remark.line}: {remark.text}" for remark in remarks]
    if len(lines) == 2:
        del lines[1]
    lines += ["version: 1", *_keys(one.tls for one in ports if one.enabled)]
    lines += ["ports:" if served else "ports: {}"]
    for imported in ports:
        lines += [f"  # {source}:{remark.line}: {remark.text}" for remark in imported.remarks]
        if not imported.enabled:
            lines.append("  # It was switched off:")
        mark = "  " if imported.enabled else "  # "
        lines += [mark + line for line in _port(imported.port)]
    return "".join(f"{_visible(line)}\n" for line in lines)


def _keys(files: Iterable[TlsFiles]) -> Iterator[str]:
    """The line of the keys, if there are any."""
    found = [one for one in files if one]
    if found:
        ca = next((one.client_ca for one in found if one.client_ca), "")
        named = {"certificate": found[0].certificate, "key": found[0].key, "client_ca": ca}
        written = [f"{key}: {yaml_scalar(path)}" for key, path in named.items() if path]
        yield f"tls: {{{', '.join(written)}}}"


def _port(port: PortConfig) -> Iterator[str]:
    yield f"{yaml_scalar(port.name)}:"
    yield f"  device: {yaml_scalar(str(port.device))}"
    yield f"  line: {port.line}"
    for face, addresses in (("rfc2217", port.rfc2217), ("raw", port.raw)):
        if addresses:
            yield f"  {face}: {_addresses(addresses)}"
    if port.takeover:
        yield "  takeover: true"
    both = (("dtr", port.signals.dtr), ("rts", port.signals.rts))
    signals = [f"{key}: {policy.value}" for key, policy in both if policy != SignalPolicy.CLIENT]
    if signals:
        yield f"  signals: {{{', '.join(signals)}}}"


def _addresses(addresses: tuple[Address, ...]) -> str:
    written = [_address(address) for address in addresses]
    return written[0] if len(written) == 1 else f"[{', '.join(written)}]"


def _address(address: Address) -> str:
    door = address.door
    if door.tls is Tls.IMPLICIT:
        how = "tls: implicit"
        if door.client_certificate is not ClientCertificate.NONE:
            how += f", client_certificate: {door.client_certificate.value}"
        return at_length(address, how)
    if exposed(address):
        # As it was; that this is meant has to be said.
        return at_length(address, "clear_text: true")
    return f"'{address}'" if ":" in address.host else str(address)


def _visible(line: str) -> str:
    """`line` without what would end a comment: the file's name and words may hold anything."""
    return "".join(character if character.isprintable() else "?" for character in line)
