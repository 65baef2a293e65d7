"""Two hosts that a cable connects: network namespaces with a pair of virtual interfaces."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

GATEWAY, FAR = "192.0.2.1", "192.0.2.2"
_CLONE_NEWNET: Final = 0x40000000
_T = TypeVar("_T")


class Hosts:
    """The gateway's host and another one. Making them needs root, and iproute2."""

    def __init__(self) -> None:
        self._names = f"gwd{os.getpid()}a", f"gwd{os.getpid()}b"

    def make(self) -> None:
        """Raises CalledProcessError where the machine does not allow it."""
        one, other = self._names
        _ip("netns", "add", one)
        _ip("netns", "add", other)
        _ip("-n", one, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", other)
        for name, address in ((one, GATEWAY), (other, FAR)):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")

    def remove(self) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)

    def at_gateway(self, make: Callable[[], _T]) -> _T:
        """What `make` returns there; a socket stays there."""
        return _within(self._names[0], make)

    def far_away(self, make: Callable[[], _T]) -> _T:
        """What `make` returns at the other host."""
        return _within(self._names[1], make)

    def vanish(self) -> None:
        """The other host loses its interface; nobody says goodbye."""
        _ip("-n", self._names[1], "link", "set", "cable", "down")


def _within(name: str, make: Callable[[], _T]) -> _T:
    def there() -> _T:
        libc = ctypes.CDLL(None, use_errno=True)
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            if libc.setns(fd, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {name}")
        finally:
            os.close(fd)
        return make()

    # Of the thread alone, which ends with this.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(there).result()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
