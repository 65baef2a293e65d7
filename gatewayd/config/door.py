"""How clients come in at an address, and what the gateway proves itself with."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Tls(enum.Enum):
    """When the bytes of a connection are encrypted; the value is the word of the configuration."""

    NONE = "none"
    IMPLICIT = "implicit"
    """From the first byte on."""


class ClientCertificate(enum.Enum):
    """Whether a client proves itself by a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    """It is asked for one, and may have none."""
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Door:
    """How clients come in at an address."""

    tls: Tls = Tls.NONE
    client_certificate: ClientCertificate = ClientCertificate.NONE


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the keys are: paths, or `credential:NAME` for what the service manager passes.

    Empty where there is none.
    """

    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    def __bool__(self) -> bool:
        return bool(self.certificate)
