"""The step of a way in at which TLS is agreed."""

from __future__ import annotations

import logging
import ssl
from functools import partial
from typing import Any, Final

from gatewayd.config.schema import ClientCertificate
from gatewayd.log import Happening, note
from gatewayd.net.arrival import PATIENCE_S, Arrival, Step
from gatewayd.net.channel import Channel, Ties
from gatewayd.port.proof import Proof
from gatewayd.tls.channel import TlsChannel
from gatewayd.tls.identity import Identity, fingerprint

MOST_BYTES: Final = 4096
MOST_BYTES_CERTIFICATE: Final = 32768
"""What a client may send until TLS is agreed: less if it has no certificate to show."""
LONGEST_NAME: Final = 64


class Securing(Step):
    """TLS is being agreed; the client is told by TLS itself if it cannot be."""

    patience = PATIENCE_S

    def __init__(self, arrival: Arrival, identity: Identity, asks: ClientCertificate) -> None:
        super().__init__(arrival)
        self._identity = identity
        self._asks = asks
        self._channel: TlsChannel | None = None
        self._told = True
        """Whether the log has how it came out, or there is nothing to tell."""

    def start(self) -> None:
        """What the client has sent already belongs to TLS."""
        self._secure()

    def _secure(self, early: bytes = b"") -> None:
        self.arrival.layer(lambda more: partial(self._made, early + more))

    def _made(self, early: bytes, sock: Any, ties: Ties) -> Channel:
        self._told = False
        self._channel = TlsChannel(
            sock,
            ties,
            self._identity.server_side(self._asks),
            early=early,
            waiting=self,
            slow=self._identity.slow,
            most=MOST_BYTES if self._asks is ClientCertificate.NONE else MOST_BYTES_CERTIFICATE,
        )
        return self._channel

    # ---- from the channel

    def agreed(self, tls: ssl.SSLObject) -> None:
        """TLS is in force."""
        self._told = True
        newcomer = self.arrival.newcomer
        newcomer.proof = proof_of(tls)
        port, peer = self.arrival.name, newcomer.peername
        note(Happening.LET_IN, "let in %s", newcomer.proof, port=port, peer=peer)
        self._inside()
        self.arrival.passed()

    def _inside(self) -> None:
        """Say what is to be said first."""

    def failed(self, reason: str) -> None:
        """There will be no TLS."""
        self._tell(reason)
        self.arrival.leave()

    def hold(self) -> None:
        """Read nothing until `go_on`."""
        self.arrival.hold()

    def go_on(self) -> None:
        """Read again."""
        self.arrival.go_on()

    # ---- from the arrival

    def peer_eof(self) -> None:
        """The client sends no more: there will be no session."""
        self.failed("the client closed in the middle of it")

    def late(self) -> None:
        """It has had its time."""
        self.failed(f"not done within {self.patience:g} s")

    def over(self) -> None:
        """The connection may be gone, too."""
        self._tell("the connection ended")
        if self._channel is not None:
            self._channel.give_up()

    def _tell(self, reason: str) -> None:
        if not self._told:
            self._told = True
            port, peer = self.arrival.name, self.arrival.newcomer.peername
            text, level = "no TLS with a client: %s", logging.WARNING
            note(Happening.HANDSHAKE_FAILED, text, reason, port=port, peer=peer, level=level)


def proof_of(tls: ssl.SSLObject) -> Proof:
    """What a client has proved by a handshake."""
    version = tls.version() or ""
    shown, der = tls.getpeercert(), tls.getpeercert(binary_form=True)
    if not shown or not der:
        return Proof(version)
    return Proof(version, name_of(shown), f"certificate {fingerprint(der)}")


_NAMES: Final = ("email", "DNS", "URI")


def name_of(certificate: dict[str, Any]) -> str:
    """What a certificate calls its owner: the first of its other names, or the common name.

    `certificate` is as `SSLObject.getpeercert` returns it. Control characters are taken out.
    """
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind in _NAMES]
    names += [
        value
        for part in certificate.get("subject", ())
        for kind, value in part
        if kind == "commonName"
    ]
    name = "".join(one for one in (names or ["?"])[0] if one.isprintable())
    return name[:LONGEST_NAME] or "?"
