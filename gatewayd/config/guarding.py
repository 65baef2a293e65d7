"""Whether each address has what its door needs, and nobody can come in by oversight."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from gatewayd.config.door import ClientCertificate, Login, Network, Tls
from gatewayd.config.problem import Problem
from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.value import replace


def exposed(address: Address) -> bool:
    """Whether other machines can reach it."""
    return not ipaddress.ip_address(address.host).is_loopback


def with_lists(config: Config) -> Config:
    """`config` with the lists that count at each address. Of where clients may come from, at those
    that other machines can reach: its own, else that of its port, else that of the gateway. Of who
    may come, where that can be proved: that of its port."""
    ports = tuple(_with_lists(config, port) for port in config.ports)
    desk = tuple(_listed((), address, config.allow) for address in config.desk)
    metrics = tuple(_listed((), address, config.allow) for address in config.metrics)
    return replace(config, ports=ports, desk=desk, metrics=metrics)


def _with_lists(config: Config, port: PortConfig) -> PortConfig:
    allow = port.allow or config.allow
    changed: dict[str, Any] = {
        face.value: tuple(_listed(port.users, spot, allow) for spot in getattr(port, face.value))
        for face in Face
    }
    return replace(port, **changed) if allow or port.users else port


def _listed(users: tuple[str, ...], address: Address, allow: tuple[Network, ...]) -> Address:
    door = address.door
    if door.asks:
        door = replace(door, users=users)
    if not door.allow and exposed(address):
        door = replace(door, allow=allow)
    return replace(address, door=door)


def unguarded(config: Config) -> list[Problem]:
    """What is missing at the addresses of a configuration."""
    addresses = [
        (f"ports.{port.name}.{face.value}", face in (Face.RFC2217, Face.WATCH), port.users, address)
        for port in config.ports
        for face, address in port.listeners
    ]
    addresses += [("desk", True, (), address) for address in config.desk]
    problems = [
        Problem(address.where, f"{key}: {text}")
        for key, telnet, users, address in addresses
        for text in (*_lacks(config, telnet, users, address), *open_to_all(address))
    ]
    problems += [
        Problem(
            address.where,
            f"metrics: {address} can be reached from other machines, in clear text and by anybody; "
            f"write {at_length(address, 'allow: [NETWORK/BITS]')} for those who scrape, or with "
            "clear_text: true in its place if that is meant",
        )
        for address in config.metrics
        if _is_open(address)
    ]
    return problems


def _lacks(config: Config, telnet: bool, users: tuple[str, ...], address: Address) -> Iterator[str]:
    door = address.door
    yield from _lacks_for_login(config, telnet, users, address)
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


def _lacks_for_login(
    config: Config, telnet: bool, users: tuple[str, ...], address: Address
) -> Iterator[str]:
    door = address.door
    if users and exposed(address) and not door.proves:
        yield (
            "users says who may come, and nobody has to prove here who he is; write login: "
            "required, or client_certificate: required"
        )
    if door.login is Login.NONE:
        return
    if not telnet:
        yield "login is for Telnet only: a program cannot type a password; see client_certificate"
    elif not config.users and not config.kerberos:
        yield "login needs to know who may; write users: users at the top of the file"
    elif exposed(address) and door.tls is Tls.NONE and not config.kerberos:
        yield (
            "a password could be read on the way; write tls: starttls, or tls: implicit, beside "
            "login"
        )


def open_to_all(address: Address) -> Iterator[str]:
    """Why an address may not be open as it is, and what would do."""
    if _is_open(address):
        yield (
            f"{address} can be reached from other machines, in clear text and by anybody; write "
            f"{at_length(address)} for TLS, or with allow: [NETWORK/BITS] in its place for some, "
            "or with clear_text: true if that is meant"
        )


def _is_open(address: Address) -> bool:
    door = address.door
    in_clear = door.tls in (Tls.NONE, Tls.OPTIONAL)
    return exposed(address) and in_clear and not door.allow and not door.clear_text


def at_length(address: Address, how: str = "tls: implicit") -> str:
    """An address as a mapping of the file."""
    text = f"'{address}'" if ":" in address.host else str(address)
    return f"{{listen: {text}, {how}}}"
