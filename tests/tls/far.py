"""The other end of TLS: a client of a stand, and how a stand is made to speak it."""

from __future__ import annotations

import contextlib
import ssl
from typing import Final

from gatewayd.config.schema import ClientCertificate, TlsFiles
from gatewayd.tls.identity import Identity, load
from gatewayd.tls.securing import Securing
from tests.net.stand import Client, Stand
from tests.tls import pki
from tests.until import turning

RECORD_BYTES: Final = 16384


def context(pair: pki.Pair | None = None, *, trusts: pki.Pair | None = None) -> ssl.SSLContext:
    """A client's; `pair` is what it shows."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations((trusts or pki.server()).certificate)
    if pair is not None:
        made.load_cert_chain(pair.certificate, pair.key)
    return made


def identity(pair: pki.Pair | None = None, *, ca: pki.Pair | None = None) -> Identity:
    """The gateway's."""
    pair = pair or pki.server()
    authorities = "" if ca is None else str(ca.certificate)
    return load(TlsFiles(str(pair.certificate), str(pair.key), authorities))


def speaks_tls(
    stand: Stand,
    identity_: Identity | None = None,
    asks: ClientCertificate = ClientCertificate.NONE,
) -> None:
    """Have the listener of a stand speak TLS from the first byte on."""
    mine = identity_ or identity()
    stand.listener.way = [lambda arrival: Securing(arrival, mine, asks)]


class TlsClient(Client):
    """A client inside of TLS; what it says in clear is said by the `Client` that it is made of."""

    def __init__(self, client: Client, context_: ssl.SSLContext | None = None) -> None:
        super().__init__(client.sock)
        self._plain = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context_ or context()).wrap_bio(
            self._incoming, self._outgoing, server_hostname="localhost"
        )

    async def shakes_hands(self, *, with_last: bytes = b"") -> None:
        """`with_last` goes out in one segment with the end of the handshake."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self.flushes()
                await self._feeds()
        if with_last:
            self.tls.write(with_last)
        await self.flushes()

    async def flushes(self) -> None:
        """Send what TLS has to say."""
        await self._plain.sends(self._outgoing.read())

    async def _feeds(self) -> None:
        data = await self._plain.receives(65536)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def encrypts(self, data: bytes) -> bytes:
        """What goes over the wire for `data`, in its order."""
        for start in range(0, len(data), RECORD_BYTES):
            self.tls.write(data[start : start + RECORD_BYTES])
        return self._outgoing.read()

    async def sends(self, data: bytes) -> None:
        await self._plain.sends(self.encrypts(data))

    async def receives(self, most: int) -> bytes:
        while True:
            try:
                return self.tls.read(most)
            except ssl.SSLWantReadError:
                await self._feeds()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def reads_on(self) -> None:
        """Read until TLS says what the matter is: SSLZeroReturnError at close_notify."""
        while True:
            try:
                if not self.tls.read(65536):
                    raise ssl.SSLZeroReturnError
            except ssl.SSLWantReadError:
                await self._feeds()

    def says_close(self) -> bytes:
        """The bytes of close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()

    def half_closes(self) -> None:
        self.sock.send(self.says_close())


async def let_in(stand: Stand, client_context: ssl.SSLContext | None = None) -> TlsClient:
    """A client that has got the line, by TLS."""
    sessions = stand.port.counters.sessions
    client = TlsClient(stand.connects(), client_context)
    await client.shakes_hands()
    await turning(lambda: stand.port.counters.sessions > sessions)
    return client
