"""Whether each address has what its door needs."""

from __future__ import annotations

from collections.abc import Iterator

from gatewayd.config.door import ClientCertificate, Tls
from gatewayd.config.problem import Problem
from gatewayd.config.schema import Address, Config, Face


def unguarded(config: Config) -> list[Problem]:
    """What is missing at the addresses of a configuration."""
    return [
        Problem(address.where, f"ports.{port.name}.{face.value}: {text}")
        for port in config.ports
        for face, address in port.listeners
        for text in _lacks(config, face, address)
    ]


def _lacks(config: Config, face: Face, address: Address) -> Iterator[str]:
    door = address.door
    if door.tls is not Tls.NONE and not config.tls:
        yield (
            f"tls: {door.tls.value} needs a certificate; write tls: {{certificate: "
            "tls/gatewayd.crt, key: tls/gatewayd.key} at the top of the file"
        )
    elif door.client_certificate is not ClientCertificate.NONE and not config.tls.client_ca:
        yield (
            "client_certificate needs to know whose certificates are good; write client_ca: "
            "tls/clients.crt beside the certificate and the key of tls, at the top of the file"
        )
