"""Whether each address has what its door needs, and nobody can come in by oversight."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gatewayd.config.door import ClientCertificate, Network, Tls
from gatewayd.config.problem import Problem
from gatewayd.config.schema import Address, Config, Face, PortConfig


def exposed(address: Address) -> bool:
    """Whether other machines can reach it."""
    return not ipaddress.ip_address(address.host).is_loopback


def with_lists(config: Config) -> Config:
    """`config` with the list that counts at each address that other machines can reach: its own,
    else that of its port, else that of the gateway."""
    ports = tuple(_with_lists(config, port) for port in config.ports)
    desk = tuple(_listed(address, config.allow) for address in config.desk)
    return replace(config, ports=ports, desk=desk)


def _with_lists(config: Config, port: PortConfig) -> PortConfig:
    allow = port.allow or config.allow
    changed: dict[str, Any] = {
        face.value: tuple(_listed(address, allow) for address in getattr(port, face.value))
        for face in Face
    }
    return replace(port, **changed) if allow else port


def _listed(address: Address, allow: tuple[Network, ...]) -> Address:
    door = address.door
    if door.allow or not exposed(address):
        return address
    return replace(address, door=replace(door, allow=allow))


def unguarded(config: Config) -> list[Problem]:
    """What is missing at the addresses of a configuration."""
    addresses = [
        (f"ports.{port.name}.{face.value}", face in (Face.RFC2217, Face.WATCH), address)
        for port in config.ports
        for face, address in port.listeners
    ]
    addresses += [("desk", True, address) for address in config.desk]
    return [
        Problem(address.where, f"{key}: {text}")
        for key, telnet, address in addresses
        for text in (*_lacks(config, telnet, address), *open_to_all(address))
    ]


def _lacks(config: Config, telnet: bool, address: Address) -> Iterator[str]:
    door = address.door
    if door.tls in (Tls.STARTTLS, Tls.OPTIONAL) and not telnet:
        yield f"tls: {door.tls.value} is for Telnet only; write tls: implicit"
    elif door.tls is not Tls.NONE and not config.tls:
        yield (
            f"tls: {door.tls.value} needs a certificate; write tls: {{certificate: "
            "tls/gatewayd.crt, key: tls/gatewayd.key} at the top of the file"
        )
    elif door.client_certificate is not ClientCertificate.NONE and not config.tls.client_ca:
        yield (
            "client_certificate needs to know whose certificates are good; write client_ca: "
            "tls/clients.crt beside the certificate and the key of tls, at the top of the file"
        )


def open_to_all(address: Address) -> Iterator[str]:
    """Why an address may not be open as it is, and what would do."""
    door = address.door
    in_clear = door.tls in (Tls.NONE, Tls.OPTIONAL)
    if exposed(address) and in_clear and not door.allow and not door.clear_text:
        yield (
            f"{address} can be reached from other machines, in clear text and by anybody; write "
            f"{at_length(address)} for TLS, or with allow: [NETWORK/BITS] in its place for some, "
            "or with clear_text: true if that is meant"
        )


def at_length(address: Address, how: str = "tls: implicit") -> str:
    """An address as a mapping of the file."""
    text = f"'{address}'" if ":" in address.host else str(address)
    return f"{{listen: {text}, {how}}}"
