"""Listening sockets that the service manager passed: stored ones, and those of socket units."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence

from gatewayd.config.schema import Address
from gatewayd.service.store import LISTENER


class PassedSockets:
    """Takes over descriptors by name: `listener.PORT` from the store, else a socket unit's
    FileDescriptorName=, which is the name of a port."""

    def __init__(self, passed: Mapping[str, Sequence[int]]) -> None:
        self._stored: list[socket.socket] = []
        self._activated: list[tuple[str, socket.socket]] = []
        for name, fds in passed.items():
            for fd in fds:
                sock = socket.socket(fileno=fd)
                sock.setblocking(False)
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


def _address(sock: socket.socket) -> Address | None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.type != socket.SOCK_STREAM:
        return None
    host, port = sock.getsockname()[:2]
    return Address(str(host), int(port))
