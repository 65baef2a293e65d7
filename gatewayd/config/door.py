"""How clients come in at an address, and what the gateway proves itself with."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TypeAlias

from gatewayd.value import Value

if TYPE_CHECKING:
    import ipaddress

Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"


class Tls(enum.Enum):
    """When the bytes of a connection are encrypted; the value is the word of the configuration."""

    NONE = "none"
    OPTIONAL = "optional"
    """Once a client has agreed to it by START_TLS; in clear text for others."""
    STARTTLS = "starttls"
    """Once a client has agreed to it by START_TLS, and nothing before."""
    IMPLICIT = "implicit"
    """From the first byte on."""


class ClientCertificate(enum.Enum):
    """Whether a client proves itself by a certificate."""

    NONE = "none"
    OPTIONAL = "optional"
    """It is asked for one, and may have none."""
    REQUIRED = "required"


class Login(enum.Enum):
    """Whether a person is asked for a name and a password."""

    NONE = "none"
    OFFERED = "offered"
    """Whoever gives no name goes on without one, and so do programs."""
    REQUIRED = "required"


class Door(Value):
    """How clients come in at an address."""

    tls: Tls = Tls.NONE
    client_certificate: ClientCertificate = ClientCertificate.NONE
    login: Login = Login.NONE
    users: tuple[str, ...] = ()
    """Who may come in there, by the name that he has proved; everybody if there are none. That of
    the port, where something is to be proved."""
    allow: tuple[Network, ...] = ()
    """Where clients may come from; from anywhere if there are none. That of the port or the gateway
    where the address has none of its own."""
    clear_text: bool = False
    """It is meant that anybody may come and that it can be read on the way."""

    @property
    def proves(self) -> bool:
        """Whether everybody who comes in has proved a name."""
        by_certificate = self.client_certificate is ClientCertificate.REQUIRED
        return by_certificate or self.login is Login.REQUIRED

    @property
    def asks(self) -> bool:
        """Whether a client can prove a name."""
        no_certificate = self.client_certificate is ClientCertificate.NONE
        return not no_certificate or self.login is not Login.NONE


class TlsFiles(Value):
    """Where the keys are: paths, or `credential:NAME` for what the service manager passes.

    Empty where there is none.
    """

    certificate: str = ""
    key: str = ""
    client_ca: str = ""

    def __bool__(self) -> bool:
        return bool(self.certificate)


class Kerberos(Value):
    """By which keys tickets are judged, and whose.

    `keytab` is a path, or `credential:NAME`; empty where there is none. `principals` are pairs of a
    principal and the name of that user.
    """

    keytab: str = ""
    principals: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keytab)
