"""Free TCP ports for programs that listen on a port by number.

One that the kernel gives for `bind` to port 0, and that is closed again, may be somebody else's by
the time the program listens: some client's end, or a server's of another test. These are below
those that the kernel gives, every process has ranges of its own, and gives all before one again.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Final

FIRST: Final = 10_000
LAST: Final = 32_000
EACH: Final = 1_000


def _claim() -> range:
    for first in range(FIRST, LAST, EACH):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as claim:
            claim.bind(f"\0gatewayd-test-ports-{first}")
            claim.detach()  # it is the claim as long as this process lives
            return range(first, first + EACH)
    raise OSError("all TCP ports are some process's")


_pool: Final[deque[int]] = deque(_claim())
"""Those of this process, in the order in which they are given; claimed before any test counts what
is open."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on. Raises OSError if there are not as
    many."""
    found: list[int] = []
    left = len(_pool)
    while len(found) < count:
        if not left:
            more = _claim()
            _pool.extendleft(reversed(more))
            left = len(more)
        number = _pool.popleft()
        _pool.append(number)
        left -= 1
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", number))
            found.append(number)
    return found
