"""What the gateway proves itself with: a certificate and its key, and whose certificates it takes.

TLS 1.2 and 1.3 with ephemeral keys and authenticated ciphers only, without renegotiation and
compression. SNI and ALPN mean nothing here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import stat
from dataclasses import dataclass
from time import thread_time, time
from typing import Any, Final

from gatewayd.config.schema import ClientCertificate, TlsFiles
from gatewayd.credentials import located
from gatewayd.errors import GatewayError
from gatewayd.regular import IrregularError, open_regular
from gatewayd.tls.words import in_words

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 are all good."""
TICKETS: Final = 2
"""A client comes back by one of them at a third of the cost."""
SLOW_S: Final = 0.002
"""A handshake that computes longer than that is done beside the loop."""
SOON_S: Final = 14 * 86400
_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for."""


class IdentityError(GatewayError):
    """Certificate, key or CA cannot be used; the text names the file and says why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a TLS server needs. A session keeps that with which it began."""

    fingerprint: str
    """SHA-256 of the certificate, as `openssl x509 -fingerprint` prints it."""
    until: float
    """Seconds since the epoch when the certificate expires."""
    begins: float
    slow: bool
    """Whether a handshake takes so long that the loop must not wait for it."""
    _contexts: dict[ClientCertificate, ssl.SSLContext]

    def context(self, asks: ClientCertificate = ClientCertificate.NONE) -> ssl.SSLContext:
        """The server's side of all connections."""
        return self._contexts[asks]

    def server_side(
        self, asks: ClientCertificate
    ) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
        """The server's side of a connection to come, what comes in for it and what goes out."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = self.context(asks)
        return context.wrap_bio(incoming, outgoing, server_side=True), incoming, outgoing

    def validity(self, now: float | None = None) -> str:
        """What is wrong with the time of the certificate, or will be soon; empty if nothing is."""
        now = time() if now is None else now
        if now >= self.until:
            return f"the certificate has expired {_days(now - self.until)} ago"
        if now < self.begins:
            return f"the certificate is not valid for another {_days(self.begins - now)}"
        if self.until - now < SOON_S:
            return f"the certificate expires in {_days(self.until - now)}"
        return ""


def _days(seconds: float) -> str:
    days = int(seconds // 86400)
    return f"{days} days" if days != 1 else "1 day"


def load(files: TlsFiles) -> Identity:
    """Read the files, and shake hands with ourselves to see that they work. Raises IdentityError.

    A certificate that has expired is taken: whether the clock is right is not known.
    """
    certificate, key = located(files.certificate), located(files.key)
    _read(certificate)
    _private(key)
    contexts = {ClientCertificate.NONE: _context(certificate, key)}
    if files.client_ca:
        authorities = located(files.client_ca)
        _read(authorities)
        for asks, mode in (
            (ClientCertificate.OPTIONAL, ssl.CERT_OPTIONAL),
            (ClientCertificate.REQUIRED, ssl.CERT_REQUIRED),
        ):
            contexts[asks] = context = _context(certificate, key)
            try:
                context.load_verify_locations(authorities)
            except (ssl.SSLError, OSError) as error:
                raise IdentityError(f"{authorities}: no certificates in PEM: {error}") from None
            context.verify_mode = mode
    shown, der, seconds = _tried(contexts[ClientCertificate.NONE], certificate)
    return Identity(
        fingerprint=fingerprint(der),
        until=_seconds(shown["notAfter"]),
        begins=_seconds(shown["notBefore"]),
        slow=seconds > SLOW_S,
        _contexts=contexts,
    )


def fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate: `3F:A0:...`."""
    return hashlib.sha256(der).digest().hex(":").upper()


def _seconds(text: str) -> float:
    return float(ssl.cert_time_to_seconds(text))


def _read(path: str) -> None:
    """Raises IdentityError when a file is not to be read."""
    try:
        with open_regular(path) as file:
            file.read(1)
    except IrregularError as error:
        raise IdentityError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise IdentityError(f"{path}: cannot be read: {error.strerror}") from None


def _private(path: str) -> None:
    """Raises IdentityError when a key is not to be read, or everybody may read it."""
    _read(path)
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if mode & stat.S_IROTH:
        raise IdentityError(
            f"{path}: every user of this machine can read the key (its mode is {mode:04o}); do: "
            f"chmod o= {path}"
        )


def _context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= (
        ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    )
    context.set_ciphers(CIPHERS)
    context.num_tickets = TICKETS
    try:
        # Without a password it would be asked for at the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except _PasswordError:
        raise IdentityError(f"{key}: the key has a password; store it without one") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            text = f"{key}: is not the key of the certificate in {certificate}"
            raise IdentityError(text) from None
        raise IdentityError(
            f"{certificate} and {key}: not a certificate and a key in PEM: {in_words(error)}"
        ) from None
    except OSError as error:
        raise IdentityError(f"{certificate} and {key}: {error.strerror or error}") from None
    return context


class _PasswordError(Exception):
    """A key has a password."""


def _no_password() -> str:
    raise _PasswordError


def _tried(server: ssl.SSLContext, certificate: str) -> tuple[dict[str, Any], bytes, float]:
    """What a client is shown, and how long the server computes at once. Raises IdentityError."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    try:
        client.load_verify_locations(certificate)
        # The first one makes what the second finds ready.
        _handshake(server, client)
        return _handshake(server, client)
    except (ssl.SSLError, ValueError) as error:
        why = in_words(error) if isinstance(error, ssl.SSLError) else str(error)
        raise IdentityError(f"{certificate}: no server can use it: {why}") from None


def _handshake(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> tuple[dict[str, Any], bytes, float]:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = server.wrap_bio(to_server, to_client, server_side=True)
    far = client.wrap_bio(to_client, to_server)
    longest = 0.0
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            far.do_handshake()
        began = thread_time()
        try:
            near.do_handshake()
            break
        except ssl.SSLWantReadError:
            pass
        finally:
            longest = max(longest, thread_time() - began)
    shown, der = far.getpeercert(), far.getpeercert(binary_form=True)
    if not shown or not der:
        raise ValueError("it is not shown")
    return shown, der, longest
