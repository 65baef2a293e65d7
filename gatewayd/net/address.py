"""Addresses to listen on."""

from __future__ import annotations

import errno
import socket
from typing import Final

from gatewayd.config.schema import Address
from gatewayd.errors import GatewayError

BACKLOG: Final = 64
_IP_FREEBIND: Final = 15
_IPV4_MAPPED: Final = bytes(10) + b"\xff\xff"
_LOOPBACK: Final = bytes(15) + b"\1"


class BindError(GatewayError):
    """An address cannot be listened on; the text names it and the cause."""


def bind(address: Address) -> socket.socket:
    """A listening socket; an address that the machine does not have yet is no error.

    Raises BindError.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `[::]` is every address, IPv4 too.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise BindError(f"cannot listen on {address}: {cause(error, address)}") from error
    return sock


def cause(error: OSError, address: Address) -> str:
    """Why an address cannot be listened on, in words that help."""
    if error.errno == errno.EADDRINUSE:
        return f"the address is in use; who has it is told by: ss -ltnp sport = :{address.port}"
    if error.errno == errno.EACCES:
        return "ports below 1024 are reserved; use a higher one, or socket activation"
    if error.errno == errno.EAFNOSUPPORT:
        return "this machine has no IPv6" if ":" in address.host else "this machine has no IPv4"
    # A link-local address of an interface that is not there has a code of another kind.
    return error.strerror or str(error)


def exposed(host: str) -> bool:
    """Whether other machines can reach a listener on this numeric address."""
    return not is_loopback(packed(host))


def packed(host: str) -> bytes:
    """The bytes of a numeric address; an IPv4 one may be written as IPv6. Raises ValueError.

    `ipaddress` is a quarter of a megabyte, for which there must be a reason: `allow`, for one.
    """
    host = host.partition("%")[0]
    try:
        address = socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        raise ValueError(f"{host!r} is no address") from None
    return address.removeprefix(_IPV4_MAPPED)


def is_loopback(address: bytes) -> bool:
    """Whether what `packed` has given is on this machine."""
    return address == _LOOPBACK if len(address) == len(_LOOPBACK) else address[0] == 127
