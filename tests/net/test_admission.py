"""Who may come in, as a table."""

from __future__ import annotations

import ipaddress
import logging
import socket

import pytest

from gatewayd.config.schema import Address, ClientCertificate, Door, Face, Login, Tls
from gatewayd.log import Happening
from gatewayd.net.admission import Verdict, decide
from gatewayd.port.proof import Proof
from tests.net.stand import Client, run, standing
from tests.until import turning

LAB = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
IN_CLEAR, BY_TLS = Proof(), Proof("TLSv1.3")
ALICE = Proof("TLSv1.3", "alice", "certificate 00")
BOB = Proof("TLSv1.3", "bob", "password")
OPEN = Door()
LISTED = Door(allow=LAB)
IMPLICIT, STARTTLS, OPTIONAL = (Door(tls) for tls in (Tls.IMPLICIT, Tls.STARTTLS, Tls.OPTIONAL))
KNOWN = Door(Tls.IMPLICIT, ClientCertificate.REQUIRED, allow=LAB)
LOGIN = Door(login=Login.REQUIRED)
OFFERED = Door(login=Login.OFFERED)
ALICE_ONLY = Door(login=Login.REQUIRED, users=("alice",))
NAMED = Door(Tls.IMPLICIT, ClientCertificate.OPTIONAL, users=("bob",))
NO, PROMPT, YES = Verdict.NO, Verdict.PROMPT, Verdict.YES


@pytest.mark.parametrize(
    ("door", "host", "proof", "verdict"),
    [
        (OPEN, "192.0.2.1", IN_CLEAR, YES),
        (LISTED, "10.1.255.255", IN_CLEAR, YES),
        (LISTED, "10.2.0.0", IN_CLEAR, NO),
        (LISTED, "127.0.0.1", IN_CLEAR, NO),
        (LISTED, "::ffff:10.1.0.1", IN_CLEAR, YES),
        (LISTED, "::ffff:10.2.0.1", IN_CLEAR, NO),
        (LISTED, "fd12::1", IN_CLEAR, YES),
        (LISTED, "fe80::1%eth0", IN_CLEAR, NO),
        (LISTED, "10.2.0.0", ALICE, NO),
        (IMPLICIT, "192.0.2.1", IN_CLEAR, PROMPT),
        (IMPLICIT, "192.0.2.1", BY_TLS, YES),
        (STARTTLS, "192.0.2.1", IN_CLEAR, PROMPT),
        (STARTTLS, "192.0.2.1", BY_TLS, YES),
        (OPTIONAL, "192.0.2.1", IN_CLEAR, YES),
        (KNOWN, "10.1.0.1", IN_CLEAR, PROMPT),
        (KNOWN, "10.1.0.1", BY_TLS, NO),
        (KNOWN, "10.1.0.1", ALICE, YES),
        (KNOWN, "10.2.0.1", ALICE, NO),
        (LOGIN, "127.0.0.1", IN_CLEAR, PROMPT),
        (LOGIN, "127.0.0.1", ALICE, YES),
        (OFFERED, "127.0.0.1", IN_CLEAR, YES),
        (ALICE_ONLY, "127.0.0.1", IN_CLEAR, PROMPT),
        (ALICE_ONLY, "127.0.0.1", ALICE, YES),
        (ALICE_ONLY, "127.0.0.1", BOB, NO),
        (NAMED, "127.0.0.1", IN_CLEAR, PROMPT),
        (NAMED, "127.0.0.1", BY_TLS, NO),
        (NAMED, "127.0.0.1", ALICE, NO),
        (NAMED, "127.0.0.1", BOB, YES),
    ],
)
def test_who_may_come_in(door: Door, host: str, proof: Proof, verdict: Verdict) -> None:
    assert decide(door, host, proof) is verdict


def test_who_is_not_in_the_list_gets_no_byte(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    door = Door(allow=(ipaddress.ip_network("127.0.0.2"),))
    addresses = (Address("127.0.0.1", 0, door),)

    async def scenario() -> None:
        async with standing(Face.RFC2217, rfc2217=addresses) as stand:
            assert await stand.connects().gets_all() == b""
            assert not stand.listener.connections
            made = socket.socket()
            made.bind(("127.0.0.2", 0))
            welcome: Client = stand.connects(made=made)
            await turning(lambda: stand.port.counters.sessions == 1)
            assert await welcome.gets(3)

    run(scenario())
    refused = [r for r in caplog.records if vars(r)["happening"] is Happening.ADDRESS_REFUSED]
    assert len(refused) == 1
