"""Certificates for tests, made by the program `openssl`."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

EC: Final = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA: Final = ("rsa:2048",)
_DIRECTORY: Final = TemporaryDirectory(prefix="gatewayd-pki-")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path

    @property
    def both(self) -> Path:
        """One file with both, as socat and stunnel like it."""
        path = self.key.with_suffix(".pem")
        path.write_text(self.certificate.read_text() + self.key.read_text())
        path.chmod(0o600)
        return path


def openssl(*arguments: str | Path) -> str:
    """What `openssl ARGUMENTS` prints."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def make(
    name: str,
    *extra: str,
    directory: Path | None = None,
    kind: tuple[str, ...] = EC,
    signer: Pair | None = None,
    days: int = 30,
) -> Pair:
    """A certificate with the common name `name`: signed by `signer`, or by itself."""
    directory = directory or Path(_DIRECTORY.name)
    pair = Pair(directory / f"{name}.crt", directory / f"{name}.key")
    signed: tuple[str | Path, ...] = ()
    if signer is not None:
        signed = ("-CA", signer.certificate, "-CAkey", signer.key)
    openssl(
        *("req", "-x509", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-days", str(days)),
        *("-keyout", pair.key, "-out", pair.certificate, *signed, *extra),
    )
    pair.key.chmod(0o600)
    return pair


LEAF: Final = ("-addext", "basicConstraints=critical,CA:FALSE")
LOCAL: Final = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")


@cache
def server() -> Pair:
    """That of a gateway on this machine, signed by itself."""
    return make("localhost", *LOCAL)


@cache
def rsa_server() -> Pair:
    """The same with an RSA key."""
    return make("rsa-gateway", *LOCAL, kind=RSA)


@cache
def lab() -> Pair:
    """The CA of a lab."""
    return make("lab")


@cache
def alice() -> Pair:
    """A client that the lab knows."""
    return make("alice", *LEAF, signer=lab())


@cache
def alice_rsa() -> Pair:
    """The same with an RSA key."""
    return make("alice-rsa", *LEAF, signer=lab(), kind=RSA)


@cache
def mallory() -> Pair:
    """A client of another CA."""
    return make("mallory", *LEAF, signer=make("elsewhere"))


def expire(pair: Pair) -> None:
    """Have it signed anew, for a time that is over: `req` cannot."""
    help_ = subprocess.run(["openssl", "x509", "-help"], capture_output=True, text=True, check=True)
    over = ["-days", "-1"]  # which OpenSSL 3.5 refuses
    if "-not_before" in help_.stderr + help_.stdout:
        begin, end = (datetime.now(UTC) - timedelta(days=days) for days in (3, 1))
        over = ["-not_before", f"{begin:%Y%m%d%H%M%SZ}", "-not_after", f"{end:%Y%m%d%H%M%SZ}"]
    sign = ("x509", "-in", pair.certificate, "-signkey", pair.key)
    openssl(*sign, *over, "-out", pair.certificate)
