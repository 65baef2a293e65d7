"""Until TLS is agreed: who is let in as whom, who is not and why, and what it may cost."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from gatewayd.config.schema import ClientCertificate, Face
from gatewayd.log import Happening
from gatewayd.net.lobby import MOST_OF_ONE, Lobby
from gatewayd.tls import securing
from tests.net.stand import Client, Stand, run, standing
from tests.spell import pace
from tests.tls import far, pki
from tests.until import turning

REQUIRED, OPTIONAL = ClientCertificate.REQUIRED, ClientCertificate.OPTIONAL


@asynccontextmanager
async def secured(
    asks: ClientCertificate = ClientCertificate.NONE, face: Face = Face.RAW, **changes: Any
) -> AsyncIterator[Stand]:
    async with standing(face, **changes) as stand:
        far.speaks_tls(stand, far.identity(ca=pki.lab()), asks)
        yield stand


def said(caplog: pytest.LogCaptureFixture, happening: Happening) -> list[str]:
    """What the log has of a kind."""
    records = [one for one in caplog.records if getattr(one, "happening", None) is happening]
    return [record.getMessage() for record in records]


async def refused(stand: Stand, client: Client) -> bytes:
    """What a client gets until it is closed; it never had the line."""
    try:
        got = await client.gets_all()
    except ConnectionResetError:
        got = b""
    client.closes()
    await turning(lambda: not stand.listener.connections)
    assert stand.port.counters.sessions == 0
    assert not stand.line.sent
    return got


@pytest.fixture(autouse=True)
def _all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")


# ---- as whom


@pytest.mark.parametrize("asks", [REQUIRED, OPTIONAL])
def test_a_certificate_names_the_client(
    asks: ClientCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with secured(asks) as stand:
            await far.let_in(stand, far.context(pki.alice()))
            owner = stand.port.owner
            assert owner is not None
            assert (owner.proof.name, owner.proof.tls) == ("alice", "TLSv1.3")
            assert re.fullmatch(r"alice at 127\.0\.0\.1:\d+", owner.peername)

    run(scenario())
    told = pki.openssl("x509", "-in", pki.alice().certificate, "-noout", "-sha256", "-fingerprint")
    fingerprint = told.strip().partition("=")[2]
    assert said(caplog, Happening.LET_IN) == [
        f"let in by TLSv1.3, as alice by certificate {fingerprint}"
    ]


def test_an_rsa_key_does_as_well() -> None:
    async def scenario() -> None:
        async with secured(REQUIRED) as stand:
            await far.let_in(stand, far.context(pki.alice_rsa()))
            assert stand.port.owner is not None
            assert stand.port.owner.proof.name == "alice-rsa"

    run(scenario())


def test_who_is_asked_and_has_none_may_come_without_a_name() -> None:
    async def scenario() -> None:
        async with secured(OPTIONAL) as stand:
            await far.let_in(stand)
            assert stand.port.owner is not None
            assert stand.port.owner.proof.name == ""

    run(scenario())


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        ({"subject": ((("commonName", "bob"),),)}, "bob"),
        (
            {"subject": ((("commonName", "bob"),),), "subjectAltName": (("email", "b@lab"),)},
            "b@lab",
        ),
        ({"subject": (), "subjectAltName": (("IP Address", "::1"), ("DNS", "pi"))}, "pi"),
        ({"subject": ((("commonName", "b\x1b[2Jo\nb"),),)}, "b[2Job"),
        ({"subject": ((("commonName", "b" * 100),),)}, "b" * 64),
        ({"subject": ()}, "?"),
    ],
)
def test_what_a_certificate_calls_its_owner(certificate: dict[str, Any], name: str) -> None:
    assert securing.name_of(certificate) == name


def test_a_second_client_is_told_the_name_of_the_first() -> None:
    async def scenario() -> None:
        async with secured(OPTIONAL, Face.RFC2217) as stand:
            await far.let_in(stand, far.context(pki.alice()))
            second = far.TlsClient(stand.connects())
            await second.shakes_hands()
            assert b"in use by alice at 127.0.0.1:" in await second.gets_all()

    run(scenario())


# ---- who is not let in


async def tries(client: far.TlsClient) -> None:
    """Shake hands, and read what comes of it."""
    await client.shakes_hands(with_last=b"no")
    await client.reads_on()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (None, "the client has shown no certificate"),
        (pki.mallory, "a certificate does not hold: unable to get local issuer certificate"),
    ],
)
def test_who_is_not_known(
    version: ssl.TLSVersion, shown: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = far.context(shown() if shown else None)
    context.maximum_version = version

    async def scenario() -> None:
        async with secured(REQUIRED) as stand:
            client = far.TlsClient(stand.connects(), context)
            # In TLS 1.3 the client is done before it is judged; it is told why all the same.
            with pytest.raises(ssl.SSLError, match="alert"):
                await tries(client)
            await refused(stand, Client(client.sock))

    run(scenario())
    assert said(caplog, Happening.HANDSHAKE_FAILED) == [f"no TLS with a client: {why}"]


def hello(*arguments: str) -> bytes:
    """The first thing that `openssl s_client` says with these arguments."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server.settimeout(10)
        connection, _ = server.accept()
        with connection:
            data = connection.recv(65536)
        client.wait(10)
    return data


LEGACY = ("-cipher", "ALL:@SECLEVEL=0")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("-tls1", *LEGACY), "the client speaks an old TLS only; 1.2 is needed"),
        (("-tls1_1", *LEGACY), "the client speaks an old TLS only; 1.2 is needed"),
        (("-tls1_2", "-cipher", "AES256-SHA"), "no cipher in common"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), "no cipher in common"),
        (("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"), "no cipher in common"),
        (("-tls1_2", "-cipher", "AECDH-AES128-SHA:@SECLEVEL=0"), "no cipher in common"),
        (("-tls1_2", "-cipher", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"), "no cipher in common"),
    ],
)
def test_what_is_old_or_weak_is_refused(
    arguments: tuple[str, ...], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = hello(*arguments)
    assert first[:1] == b"\x16", "openssl could not be made to say that"

    async def scenario() -> None:
        async with secured() as stand:
            client = stand.connects()
            await client.sends(first)
            # An alert, and that it is fatal.
            assert re.fullmatch(rb"\x15\x03.\x00\x02\x02.", await refused(stand, client), re.S)

    run(scenario())
    (told,) = said(caplog, Happening.HANDSHAKE_FAILED)
    assert why in told


def test_there_is_no_compression_and_the_ciphers_are_good() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            context = far.context()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.options &= ~ssl.OP_NO_COMPRESSION
            client = await far.let_in(stand, context)
            assert client.tls.compression() is None
            cipher = client.tls.cipher()
            assert cipher is not None
            assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]

    run(scenario())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "speaks HTTP"),
        (b"\xff\xfb\x1f\xff\xfb\x20\xff\xfb\x18\xff\xfb\x27", "does not speak TLS"),
        (b"*IDN?\n" * 20, "does not speak TLS"),
        (random.Random(1).randbytes(4000), "does not speak TLS"),
        (b"\x16\x03\x01\xff\xff" + bytes(100_000), ""),
        (b"\x16\x03\x01\x40\x00\x01\x98\x96\x80" + bytes(10_000_000), ""),
    ],
    ids=["http", "telnet", "scpi", "noise", "long record", "10 MB hello"],
)
def test_what_is_no_tls_costs_its_connection(
    data: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = stand.connects()
            with_end = asyncio.create_task(client.sends(data))
            await turning(lambda: said(caplog, Happening.HANDSHAKE_FAILED))
            with_end.cancel()
            await refused(stand, client)
            await far.let_in(stand)

    run(scenario())
    (told,) = said(caplog, Happening.HANDSHAKE_FAILED)
    assert why in told


def as_many(caplog: pytest.LogCaptureFixture, number: int) -> bool:
    """Whether so many handshakes have failed."""
    return len(said(caplog, Happening.HANDSHAKE_FAILED)) == number


def test_a_client_that_stops_anywhere_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Each beginning of a ClientHello, and then the end of the connection."""
    first = hello("-tls1_3")

    async def scenario() -> None:
        async with secured() as stand:
            for number, count in enumerate(range(0, len(first), 7), 1):
                client = stand.connects()
                await client.sends(first[:count])
                if count % 2:
                    client.resets()
                else:
                    client.closes()
                await turning(partial(as_many, caplog, number))
            assert stand.port.counters.sessions == 0
            await far.let_in(stand)

    run(scenario())


@pytest.mark.parametrize("slowly", [False, True])
def test_who_takes_too_long_is_closed(
    slowly: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(securing.Securing, "patience", 0.3)
    first = hello("-tls1_3")

    async def drips(client: Client) -> None:
        for byte in first:
            await client.sends(bytes((byte,)))
            await pace(0.01)

    async def scenario() -> None:
        async with secured() as stand:
            client = stand.connects()
            dripping = asyncio.create_task(drips(client)) if slowly else None
            assert await refused(stand, client) == b""
            if dripping is not None:
                dripping.cancel()

    run(scenario())
    told = said(caplog, Happening.HANDSHAKE_FAILED)
    assert told == ["no TLS with a client: not done within 0.3 s"]


# ---- how many


def test_the_ninth_of_an_address_is_refused_and_others_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        async with secured() as stand:
            idle = [stand.connects() for _ in range(MOST_OF_ONE)]
            await turning(lambda: len(stand.listener.connections) == len(idle))
            assert await stand.connects().gets_all() == b""
            assert len(said(caplog, Happening.SESSION_REFUSED)) == 1
            made = socket.socket()
            made.bind(("127.0.0.2", 0))
            other = far.TlsClient(stand.connects(made=made))
            await other.shakes_hands(with_last=b"here")
            await stand.device_gets(b"here")
            # One that gives up makes room.
            idle[0].closes()
            await turning(lambda: len(stand.listener.connections) == len(idle))
            late = far.TlsClient(stand.connects())
            await late.shakes_hands()

    run(scenario())


def test_thousands_that_say_nothing_are_bounded() -> None:
    async def scenario() -> None:
        async with secured(lobby=Lobby(most=20)) as stand:
            idle = []
            for number in range(2000):
                made = socket.socket()
                made.bind((f"127.0.{1 + number // 250}.{1 + number % 250}", 0))
                client = stand.connects(made=made)
                idle.append(client)
                if number >= 30:
                    # Of the first 20 all are let be, of the others none.
                    await client.gets_all()
                    client.closes()
            assert len(stand.listener.connections) == 20
            for client in idle[:20]:
                client.closes()
            await turning(lambda: not stand.listener.connections)
            await far.let_in(stand)

    run(scenario())
