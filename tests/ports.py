"""Free TCP ports for programs that listen on a port by number.

One that the kernel gives for `bind` to port 0, and that is closed again, may be somebody else's by
the time the program listens: some client's end, or a server's of another test. These are below
those that the kernel gives, every process has a range of its own, and gives all before one again.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterator
from typing import Final

FIRST: Final = 10_000
LAST: Final = 32_000
EACH: Final = 1_000


def _own_range() -> range:
    for first in range(FIRST, LAST, EACH):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as claim:
            claim.bind(f"\0gatewayd-test-ports-{first}")
            claim.detach()  # it is the claim as long as this process lives
            return range(first, first + EACH)
    raise OSError("all TCP ports are some process's")


_NUMBERS: Final[Iterator[int]] = itertools.cycle(_own_range())


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on. Raises OSError if there are not as
    many."""
    found: list[int] = []
    for number in itertools.islice(_NUMBERS, EACH):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))
            found.append(number)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free TCP ports")
