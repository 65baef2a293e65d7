"""A session, as its port uses it; the sessions themselves are in `gatewayd.port.session`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gatewayd.line.api import Gathering
from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.proof import Proof
from gatewayd.port.seat import Seat
from gatewayd.typed import Protocol


class Holder(Protocol):
    """Who holds a line, or would like to."""

    face: str
    number: int
    peername: str
    since: datetime
    proof: Proof
    name: str
    """Who the client has proved to be, else what it calls itself."""
    heard: float
    """When the last byte came from it, by the clock."""
    bytes_in: int
    bytes_out: int
    seat: Seat
    only_watches: bool
    """It came to an address for watching: it never holds the port."""
    insists: bool
    """It takes the port over, whatever the file says of a second client."""

    @property
    def person(self) -> bool:
        """Whether a text among the data does no harm."""

    @property
    def missed(self) -> int:
        """Bytes from the device that it did not take while it watches."""

    @property
    def leaving(self) -> bool:
        """The client sends no more; it may still listen."""

    @property
    def ended(self) -> bool:
        """Whether the client sends no more than what is on its way already."""

    @property
    def unserved(self) -> bool:
        """Whether what it sent is not with the device yet, or was not answered."""

    def gathered(self, place: Gathering | None) -> None:
        """The line is read there, or no more."""

    def wait(self) -> None:
        """The line may be free soon: the device is being opened, or its session is at its end."""

    def admitted(self) -> None:
        """The line is yours."""

    def watches(self, reason: str) -> None:
        """It gets what the line says, and nothing that it sends has any effect; a person is told
        the reason, if there is one."""

    def refuse(self, reason: str) -> None:
        """The line is not to be had."""

    def tell(self, text: str) -> None:
        """Something for a person to read; on a face for machines nothing."""

    def end(self, reason: str = "") -> None:
        """Give the line back, and close."""

    def close(self, reason: str = "") -> None:
        """It is over, and the line not yours any more: close when everything is sent. A person is
        told the reason."""

    def reconfigured(self) -> None:
        """The settings of the port are others now."""

    def overfull(self, more: int) -> bool:
        """Whether so much waits for the client that `more` bytes are not to be added; for one that
        watches."""

    def missed_bytes(self, count: int) -> None:
        """So many bytes are missing here."""

    def abort(self) -> None:
        """Close at once."""

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""

    def line_lost(self) -> None:
        """The device is gone, the session stays."""

    def line_back(self) -> None:
        """The device is there again, set as it was."""

    def outbox_room(self) -> None:
        """Less waits for the line."""

    def snapshot(self) -> dict[str, Any]:
        """What a successor in another process needs, as values that JSON can hold."""
