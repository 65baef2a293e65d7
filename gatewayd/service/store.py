"""The service manager's descriptor store, by what gatewayd keeps in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Final

from gatewayd.log import Happening, note
from gatewayd.service import systemd

DEVICE: Final = "tty."
LISTENER: Final = "listener."
SESSION: Final = "session."
GUEST: Final = "guest."
STATE: Final = "state"
LEASES: Final = "leases"
"""Names of stored descriptors; the port stands behind the dot. Others are those of socket units."""


class Store:
    """Keeps descriptors for the next process; does nothing without a service manager.

    The unit needs FileDescriptorStoreMax=.
    """

    def __init__(self) -> None:
        # Managers from 254 on say how much they keep.
        self.active = systemd.under_systemd() and os.environ.get("FDSTORE") != "0"

    def device(self, port: str, fd: int | None) -> None:
        """The open device of a port, or that it has none."""
        if self.active:
            systemd.unstore(DEVICE + port)
            if fd is not None:
                systemd.store(DEVICE + port, fd)

    def listeners(self, port: str, fds: Iterable[int]) -> None:
        """The listening sockets of a port."""
        if self.active:
            systemd.unstore(LISTENER + port)
            systemd.store(LISTENER + port, *fds)

    def session(self, port: str, fd: int) -> None:
        """The connection of the session that holds a port."""
        systemd.store(SESSION + port, fd)

    def guest(self, port: str, number: int, fd: int) -> None:
        """The connection of one who watches a port or waits for it."""
        systemd.store(f"{GUEST}{number}.{port}", fd)

    def state(self, text: bytes) -> None:
        """The description of all state, in a memory file. Raises OSError when there is none."""
        _store_text(STATE, text)

    def leases(self, text: bytes) -> None:
        """For whom ports are kept; empty for nobody."""
        if self.active:
            systemd.unstore(LEASES)
            if text:
                try:
                    _store_text(LEASES, text)
                except OSError as error:
                    why = "leases will not outlive a restart: %s"
                    note(Happening.FAULT, why, error, level=logging.WARNING)

    def taken(self, names: Iterable[str]) -> None:
        """The state, and the connections of these names, are in this process now."""
        if self.active:
            systemd.unstore(STATE)
            for name in names:
                systemd.unstore(name)


def _store_text(name: str, text: bytes) -> None:
    fd = os.memfd_create(f"gatewayd-{name}", os.MFD_CLOEXEC)
    with open(fd, "wb", buffering=0) as file:
        rest = memoryview(text)
        while rest:
            rest = rest[file.write(rest) :]
        file.seek(0)
        systemd.store(name, fd)
