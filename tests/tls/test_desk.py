"""The front desk behind TLS: the menu, a port, and back to the menu, all on one channel."""

from __future__ import annotations

import socket

from gatewayd.config.door import ClientCertificate, Door, Tls
from gatewayd.config.schema import Address
from gatewayd.service.doors import Keys
from tests.desk.hall import Person, hall
from tests.net.stand import Client, run
from tests.tls import far, pki
from tests.until import PATIENCE


def test_who_has_proved_a_name_has_it_at_each_port() -> None:
    async def scenario() -> None:
        async with hall() as room:
            doors = room.gateway.doors
            with doors.trying(Keys(far.identity(ca=pki.lab()))):
                door = Door(Tls.IMPLICIT, ClientCertificate.REQUIRED)
                room.front.follow((Address("127.0.0.1", 0, door),))
            (address,) = room.front.addresses
            sock = socket.create_connection((address.host, address.port), PATIENCE)
            sock.setblocking(False)
            client = far.TlsClient(Client(sock), far.context(pki.alice()))
            await client.shakes_hands()
            person = Person(sock)
            room.people.append(person)
            person.sends = client.sends  # type: ignore[method-assign]
            person.receives = client.receives  # type: ignore[method-assign]
            await person.agrees("psu1")
            await person.sees("it is yours")
            assert room.owner("psu1").peername.startswith("alice at 127.0.0.1:")
            await person.types("\x05cmpsu2\rsecret")
            await person.sees("port> ")
            await person.sees("it is yours")
            assert room.owner("psu2").peername.startswith("alice at 127.0.0.1:")
            assert room.owner("psu2").proof.tls
            await room.device_gets("psu2", b"secret")

    run(scenario())
