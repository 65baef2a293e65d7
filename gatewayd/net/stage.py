"""Stages of a connection: who takes what the client sends."""

from __future__ import annotations

from gatewayd.typed import Protocol


class Stage(Protocol):
    """What a connection is at: who takes its bytes. The last stage is a session.

    A stage owns the bytes while it lasts; it ends by `Connection.enter`, or with the connection.
    """

    takes_urgent: bool
    """Whether TCP urgent data means anything to it."""
    waits: bool
    """Whether it reads later what the client has sent, even if that is gone by then."""

    @property
    def read_size(self) -> int:
        """How many bytes to read from the client at once."""

    @property
    def vigilance(self) -> float:
        """Seconds after which a client that takes nothing of what was sent is looked at; 0 for not
        at all."""

    def start(self) -> None:
        """The connection is at this stage now."""

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""

    def urgent(self) -> None:
        """TCP urgent data is on its way."""

    def peer_full(self) -> None:
        """The client does not take what is sent."""

    def peer_ready(self) -> None:
        """The client takes it again."""

    def peer_eof(self) -> None:
        """The client sends no more, and all that it sent was read."""

    def peer_closing(self) -> None:
        """The client sends no more, and what it sent is not read yet."""

    def peer_gone(self) -> None:
        """The connection is closed."""
