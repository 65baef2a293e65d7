"""Who may come in at a door: the decision, and what is told of who may not even connect."""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterable
from typing import Any

from gatewayd.config.schema import ClientCertificate, Door, Login, Network, Tls
from gatewayd.log import Happening, note
from gatewayd.net.address import is_loopback, packed
from gatewayd.net.tcp import peer_name
from gatewayd.port.proof import Proof


class Verdict(enum.Enum):
    """What becomes of a client."""

    NO = "no"
    PROMPT = "prompt"
    """It has to prove more first."""
    YES = "yes"


def decide(door: Door, host: str, proof: Proof) -> Verdict:
    """Whether a client that came from the address `host` and has proved `proof` may come in."""
    if door.allow and not within(host, door.allow):
        return Verdict.NO
    if door.tls in (Tls.IMPLICIT, Tls.STARTTLS) and not proof.tls:
        return Verdict.PROMPT
    if door.client_certificate is ClientCertificate.REQUIRED and not proof.name:
        return Verdict.NO
    if door.login is Login.REQUIRED and not proof.name:
        return Verdict.PROMPT
    if door.users and proof.name not in door.users:
        return Verdict.PROMPT if not proof.name and door.login is not Login.NONE else Verdict.NO
    return Verdict.YES


def refused(door: Door, peer: tuple[Any, ...], port: str | None = None) -> bool:
    """Whether who came from the address `peer` gets no byte; it is in the log then, with `port`."""
    if not door.allow or decide(door, peer[0], Proof()) is not Verdict.NO:
        return False
    text, happening = "refused: its address is not in allow", Happening.ADDRESS_REFUSED
    note(happening, text, port=port, peer=peer_name(peer), level=logging.WARNING)
    return True


def within(host: str, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks; an IPv4 one may be written as IPv6."""
    import ipaddress  # in the memory of those who have `allow`

    address = ipaddress.ip_address(packed(host))
    return any(address in network for network in networks)


def is_local(host: str) -> bool:
    """Whether who came from there is on this machine; what is no address came by a socket of it."""
    try:
        return is_loopback(packed(host))
    except ValueError:
        return True
