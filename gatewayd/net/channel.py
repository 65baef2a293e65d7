"""What carries the bytes of a connection: the socket itself, or a layer upon it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from gatewayd.typed import Protocol


class Channel(Protocol):
    """Bytes both ways on one non-blocking socket.

    A connection asks for `recv` and `send` once, when it takes the channel: the plain one costs
    nothing per byte.
    """

    can_urgent: bool
    """Whether TCP urgent data means something: whether its bytes are those of the socket."""
    can_give: bool
    """Whether another process can go on with the socket alone."""

    @property
    def recv(self) -> Callable[[int], bytes]:
        """At most so many bytes; empty at the end. Raises BlockingIOError, or OSError at a failure.

        What is left then and would not make the socket readable is told by `Ties.read_again`.
        """

    @property
    def send(self) -> Callable[[bytes | bytearray], int]:
        """Send; return how many bytes were taken for good. Raises BlockingIOError or OSError.

        What is taken and did not go out is told by `Ties.wait_writable`.
        """

    def pending(self) -> bool:
        """Whether there may be something to receive though the socket is not readable."""

    def kept(self) -> int:
        """Bytes that were taken and did not go out."""

    def flush(self) -> bool:
        """Send what was kept; return whether nothing is left. Raises OSError."""

    def shutdown(self) -> None:
        """Say that nothing follows. Raises OSError."""


class Ties(Protocol):
    """What a layer needs of its connection."""

    def read_again(self) -> None:
        """There is something to receive, whatever the socket says."""

    def wait_writable(self) -> None:
        """Call `Channel.flush` when the socket takes bytes again."""


Carrier = Callable[[socket.socket, Ties], Channel]
"""Makes the channel of a connection."""


class PlainChannel:
    """The socket."""

    can_urgent = True
    can_give = True

    def __init__(self, sock: socket.socket, ties: Ties | None = None) -> None:
        self._sock = sock
        self.recv = sock.recv
        self.send = sock.send

    def pending(self) -> bool:
        """Nothing: the kernel tells of all."""
        return False

    def kept(self) -> int:
        """Nothing: what is taken is the kernel's."""
        return 0

    def flush(self) -> bool:
        """Nothing is left."""
        return True

    def shutdown(self) -> None:
        """Send FIN."""
        self._sock.shutdown(socket.SHUT_WR)


class LocalChannel(PlainChannel):
    """A Unix socket: there is no urgent data."""

    can_urgent = False
