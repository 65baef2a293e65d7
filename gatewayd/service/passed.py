"""Listening sockets that the service manager passed: stored ones, and those of socket units."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Mapping, Sequence

from gatewayd.config.schema import Address
from gatewayd.log import Happening, note
from gatewayd.service.store import LISTENER


class PassedSockets:
    """Takes over descriptors by name: `listener.PORT` from the store, else a socket unit's
    FileDescriptorName=, which is the name of a port."""

    def __init__(self, passed: Mapping[str, Sequence[int]]) -> None:
        self._stored: list[socket.socket] = []
        self._activated: list[tuple[str, socket.socket]] = []
        for name, fds in passed.items():
            for fd in fds:
                sock = taken_socket(name, fd)
                if sock is None:
                    continue
                if name.startswith(LISTENER):
                    self._stored.append(sock)
                else:
                    self._activated.append((name, sock))

    def sort(self, addresses: Iterable[Address]) -> dict[Address, socket.socket]:
        """The sockets that have one of `addresses`. Stored ones that have none are closed."""
        wanted = set(addresses)
        sorted_: dict[Address, socket.socket] = {}
        rest: list[tuple[str, socket.socket]] = []
        for name, sock in self._activated:
            address = _address(sock)
            if address in wanted and address not in sorted_:
                sorted_[address] = sock
            else:
                rest.append((name, sock))
        self._activated = rest
        for sock in self._stored:
            address = _address(sock)
            if address in wanted and address not in sorted_:
                sorted_[address] = sock
            else:
                sock.close()
        self._stored = []
        return sorted_

    def named(self, port: str) -> list[socket.socket]:
        """The TCP sockets of socket units for a port that `sort` left; they are taken then."""
        taken = [entry for entry in self._activated if entry[0] == port and _address(entry[1])]
        self._activated = [entry for entry in self._activated if entry not in taken]
        return [sock for _, sock in taken]

    def close(self) -> list[str]:
        """Close what nobody took; return the names."""
        names = [name for name, _ in self._activated]
        for _, sock in self._activated:
            sock.close()
        self._activated = []
        return names


def taken_socket(name: str, fd: int) -> socket.socket | None:
    """A passed descriptor as a socket that does not block; None, and closed, when it is none."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError as error:
        text = "what was passed as %s is no socket (%s): it is closed"
        note(Happening.FAULT, text, name, error.strerror, level=logging.WARNING)
        os.close(fd)
        return None
    sock.setblocking(False)
    return sock


def _address(sock: socket.socket) -> Address | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return None
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return None
    host, port = sock.getsockname()[:2]
    return Address(str(host), int(port))
