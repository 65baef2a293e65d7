"""Makes certificates by the program `openssl`: ECDSA P-256, and no Python package for it."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gatewayd.errors import GatewayError
from gatewayd.tls.identity import fingerprint

DAYS: Final = 3650
MOST_DAYS: Final = 36500
"""A century. openssl says of too many only that it makes nothing, after it has made the key."""
GROUP: Final = "gatewayd"
"""Of the service: what root makes is readable for it."""
CA: Final = "clients"
"""The name of the files of the small CA."""
_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}"


class MakerError(GatewayError):
    """A certificate cannot be made; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate."""
        return fingerprint(ssl.PEM_cert_to_DER_cert(self.certificate.read_text()))


def server(directory: Path, hosts: list[str], days: int = DAYS) -> Pair:
    """The identity of a gateway that is reached by `hosts`, signed by itself. Raises MakerError."""
    pair = _pair(directory, "gatewayd")
    names = ",".join(f"{_kind(host)}:{host}" for host in hosts)
    _make(pair, hosts[0], days, "-addext", f"subjectAltName={names}")
    return pair


def client(directory: Path, name: str, days: int = DAYS) -> tuple[Pair, Pair]:
    """The certificate of a client, and the CA that has signed it, which is made if there is none.

    Raises MakerError.
    """
    ca = Pair(directory / f"{CA}.crt", directory / f"{CA}.key")
    pair = client_pair(directory, name)
    if not ca.certificate.exists():
        _make(_pair(directory, CA), "clients of gatewayd", days, "-addext", "keyUsage=keyCertSign")
    elif not ca.key.exists():
        raise MakerError(f"{ca.key} is not here, so that nothing can be signed with it")
    _make(
        *(pair, name, days, "-CA", str(ca.certificate), "-CAkey", str(ca.key)),
        *("-addext", "basicConstraints=critical,CA:FALSE"),
        *("-addext", "extendedKeyUsage=clientAuth"),
        for_service=False,
    )
    return pair, ca


def client_pair(directory: Path, name: str) -> Pair:
    """The files that a client of that name gets, none of which is there yet. Raises MakerError."""
    if not re.fullmatch(_NAME, name):
        raise MakerError(
            f"{name!r} cannot name a client; write letters (a-z), digits, '.', '_', '-' or '@'"
        )
    if name in (CA, "gatewayd"):
        raise MakerError(f"{name} is the name of other files here; take another one")
    return _pair(directory, name)


def _kind(host: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9:._-]{1,253}", host):
        raise MakerError(f"{host!r} is no name of a machine, and no address")
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return "IP"
    return "DNS"


def _pair(directory: Path, name: str) -> Pair:
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    for path in (pair.certificate, pair.key):
        if path.exists():
            raise MakerError(f"{path} is there already; move it away first")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MakerError(f"{directory}: {error.strerror}") from None
    return pair


def _make(pair: Pair, name: str, days: int, *more: str, for_service: bool = True) -> None:
    command = [
        *("openssl", "req", "-x509", "-nodes", "-days", str(days), "-subj", f"/CN={name}"),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-keyout", str(pair.key), "-out", str(pair.certificate), *more),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o077)
    except OSError as error:
        raise MakerError(
            f"openssl cannot be run ({error.strerror}); do: apt install openssl"
        ) from None
    if done.returncode != 0:
        # Neither was there before: a key without a certificate would be in the way of another try.
        pair.key.unlink(missing_ok=True)
        pair.certificate.unlink(missing_ok=True)
        # It draws lines and dots between its words.
        said = [line for line in done.stderr.splitlines() if re.search("[A-Za-z]{3}", line)]
        *_, reason = ["it does not say why", *said]
        raise MakerError(f"openssl makes no certificate: {reason}")
    pair.certificate.chmod(0o644)
    if for_service and os.geteuid() == 0:
        with contextlib.suppress(LookupError, OSError):
            shutil.chown(pair.key, group=GROUP)
            pair.key.chmod(0o640)
