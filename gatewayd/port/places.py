"""Where a client of a port may be, what may happen to it there, and what is then to be done.

The table has what may happen, and nothing else: whatever is not in it is an error of ours.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Final, Generic, TypeVar

from gatewayd.typed import Protocol
from gatewayd.value import Value


class Place(enum.StrEnum):
    """Where a client is."""

    WAITING = "waiting"
    """For the device to be open, or for the client before it to be done; in order."""
    WATCHING = "watching"
    """It gets what the line says, and nothing that it sends has any effect."""
    SEATED = "seated"
    """It holds the port."""
    LEAVING = "leaving"
    """It holds the port, sends no more, and may get an answer yet."""


class Cue(enum.IntEnum):
    """What may happen to a client."""

    TURN = enum.auto()
    """The port is free for it."""
    LOOKS_ON = enum.auto()
    """The port is not to be had, and it may watch meanwhile."""
    ENDS = enum.auto()
    """It sends no more."""
    STEPS_ASIDE = enum.auto()
    """It is taken over, and stays."""
    TAKEN_OVER = enum.auto()
    DISMISSED = enum.auto()
    """It has had its answer and somebody waits, or it was sent away."""
    TURNED_AWAY = enum.auto()
    GONE = enum.auto()


OUT: Final = None
TABLE: Final[dict[tuple[Place, Cue], Place | None]] = {
    (Place.WAITING, Cue.TURN): Place.SEATED,
    (Place.WAITING, Cue.LOOKS_ON): Place.WATCHING,
    (Place.WAITING, Cue.ENDS): Place.WAITING,
    (Place.WAITING, Cue.TURNED_AWAY): OUT,
    (Place.WAITING, Cue.GONE): OUT,
    (Place.WATCHING, Cue.TURN): Place.SEATED,
    (Place.WATCHING, Cue.DISMISSED): OUT,
    (Place.WATCHING, Cue.GONE): OUT,
    (Place.SEATED, Cue.ENDS): Place.LEAVING,
    (Place.SEATED, Cue.STEPS_ASIDE): Place.WATCHING,
    (Place.SEATED, Cue.TAKEN_OVER): OUT,
    (Place.SEATED, Cue.DISMISSED): OUT,
    (Place.SEATED, Cue.GONE): OUT,
    (Place.LEAVING, Cue.ENDS): Place.LEAVING,
    (Place.LEAVING, Cue.DISMISSED): OUT,
    (Place.LEAVING, Cue.GONE): OUT,
}


class Client(Protocol):
    """A client, as far as it matters here."""

    peername: str
    name: str
    """What it calls itself; never trusted."""
    since: datetime
    heard: float
    """When the last byte came from it, by the clock."""
    only_watches: bool
    """It came to an address for watching: it never holds the port."""
    insists: bool
    """It takes the port over, whatever the file says of a second client."""

    @property
    def unserved(self) -> bool:
        """Whether what it sent is not with the device yet, or was not answered."""

    @property
    def ended(self) -> bool:
        """Whether it sends no more than what is on its way already."""

    @property
    def person(self) -> bool:
        """Whether a text among the data does no harm: it can be told that it watches."""


C = TypeVar("C", bound=Client)


class Act(enum.Enum):
    """What to do with a client."""

    WAIT = enum.auto()
    """Leave what it sends where it is."""
    REFUSE = enum.auto()
    """Tell it why, and close."""
    WATCH = enum.auto()
    """Let it watch; tell it why, if there is a reason."""
    UNWATCH = enum.auto()
    """It has watched until now."""
    VACATE = enum.auto()
    """It has held the port until now: take its seat, for `other` if that takes it over."""
    CLOSE = enum.auto()
    """Tell it why, if there is a reason, and close after what was sent."""
    SEAT = enum.auto()
    """The port is its own; `other` had it before, if that was taken over."""


class Decision(Value, Generic[C]):
    """One of them. `text` is the reason, for the client."""

    act: Act
    client: C
    text: str = ""
    other: C | None = None
