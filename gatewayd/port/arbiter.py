"""Who is at a port: the one place where that is decided.

What happens to clients and to the device is told to the `Arbiter`. It changes its own state first
and then returns decisions, in the order in which they are to be carried out; carrying them out
tells it nothing that changes them. It has no clock: the time is given to it, and `next_look` says
when something is due by itself.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from gatewayd.config.schema import PortConfig

YOUNG_S: Final = 0.25
"""Who has just come may be gone in a moment, as the scripts that open a port for each command are:
nobody is turned away, and nobody taken over, because of a client that is younger."""
MOST_WAITING: Final = 16
"""Clients that may wait for a port."""


class Place(enum.Enum):
    """Where a client is."""

    WAITING = "waiting"
    """For the device to be open, or for the client before it to be done; in order."""
    SEATED = "seated"
    """It holds the port."""
    LEAVING = "leaving"
    """It holds the port, sends no more, and may get an answer yet."""


class Cue(enum.Enum):
    """What may happen to a client."""

    TURN = enum.auto()
    """The port is free for it."""
    ENDS = enum.auto()
    """It sends no more."""
    TAKEN_OVER = enum.auto()
    DISMISSED = enum.auto()
    """It has had its answer and somebody waits, or it was sent away."""
    TURNED_AWAY = enum.auto()
    GONE = enum.auto()


OUT: Final = None
# What is not here cannot happen, and is an error of ours.
TABLE: Final[dict[tuple[Place, Cue], Place | None]] = {
    (Place.WAITING, Cue.TURN): Place.SEATED,
    (Place.WAITING, Cue.ENDS): Place.WAITING,
    (Place.WAITING, Cue.TURNED_AWAY): OUT,
    (Place.WAITING, Cue.GONE): OUT,
    (Place.SEATED, Cue.ENDS): Place.LEAVING,
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
    since: datetime

    @property
    def unserved(self) -> bool:
        """Whether what it sent is not with the device yet, or was not answered."""
        ...

    @property
    def ended(self) -> bool:
        """Whether it sends no more than what is on its way already."""
        ...


C = TypeVar("C", bound=Client)


class Act(enum.Enum):
    """What to do with a client."""

    WAIT = enum.auto()
    """Leave what it sends where it is."""
    REFUSE = enum.auto()
    """Tell it why, and close."""
    VACATE = enum.auto()
    """It has held the port until now: take its seat, for `other` if that takes it over."""
    CLOSE = enum.auto()
    """Tell it why, if there is a reason, and close after what was sent."""
    SEAT = enum.auto()
    """The port is its own; `other` had it before, if that was taken over."""


@dataclass(frozen=True, slots=True)
class Decision(Generic[C]):
    """One of them. `text` is the reason, for the client."""

    act: Act
    client: C
    text: str = ""
    other: C | None = None


class Arbiter(Generic[C]):
    """The clients of one port. Each call returns what is to be done."""

    def __init__(self, config: PortConfig) -> None:
        self._config = config
        self._places: dict[C, Place] = {}
        self._order: list[C] = []
        """Those who wait."""
        self._ended: set[C] = set()
        """Those of them who send no more."""
        self._young_until = -math.inf
        self._away_since: float | None = None
        self._unable: str | None = "device is absent, not looked for yet"
        """Why nobody can be seated; empty while it is not known yet."""
        self.owner: C | None = None
        """Who holds the port."""

    def place(self, client: C) -> Place | None:
        """Where a client is; None if it is nowhere."""
        return self._places.get(client)

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._order)

    # ---- what clients do

    def arrive(self, client: C, now: float) -> list[Decision[C]]:
        """One came."""
        if len(self._order) >= MOST_WAITING:
            return [Decision(Act.REFUSE, client, self._reason(self.owner))]
        self._places[client] = Place.WAITING
        self._order.append(client)
        decisions = list(self._judge(now))
        if client in self._order:
            decisions.append(Decision(Act.WAIT, client))
        return decisions

    def inherit(self, client: C, now: float) -> list[Decision[C]]:
        """One who held the port in another process."""
        assert self.owner is None
        self._places[client] = Place.SEATED
        self.owner = client
        if self._unable is not None:
            self._away_since = now
        return []

    def ends(self, client: C, now: float) -> list[Decision[C]]:
        """One sends no more."""
        if client in self._order:
            self._ended.add(client)
        if client in self._places:
            self._move(client, Cue.ENDS)
        return list(self._judge(now))

    def leave(self, client: C, now: float, text: str = "") -> list[Decision[C]]:
        """One is gone, or, with a text or without one, is at its end."""
        if client not in self._places:
            return []
        return [*self._out(client, Cue.GONE, text), *self._judge(now)]

    def dismiss(self, now: float, text: str = "") -> list[Decision[C]]:
        """Send away the one who holds the port, if there is one."""
        if self.owner is None:
            return []
        return [*self._dismiss(self.owner, text), *self._judge(now)]

    # ---- what the device does

    def opening(self, now: float) -> list[Decision[C]]:
        """The device is being opened."""
        return self._device("", now)

    def ready(self, now: float) -> list[Decision[C]]:
        """The device is open."""
        return self._device(None, now)

    def unable(self, why: str, now: float) -> list[Decision[C]]:
        """The device is not to be had, for the reason `why`."""
        return self._device(why, now)

    def _device(self, unable: str | None, now: float) -> list[Decision[C]]:
        if unable is None:
            self._away_since = None
        elif self._unable is None:
            self._away_since = now
        self._unable = unable
        return list(self._judge(now))

    def close(self) -> list[Decision[C]]:
        """The port is closed by the gateway: all go, and nobody comes any more."""
        self._unable = "the port is closed by the gateway"
        decisions: list[Decision[C]] = []
        if self.owner is not None:
            decisions += self._dismiss(self.owner, self._unable)
        return decisions + list(self._judge(0.0))

    # ---- the file

    def reconfigure(self, config: PortConfig, now: float) -> list[Decision[C]]:
        """Other settings hold from now on, and what they say of a time begins now."""
        before, self._config = self._config, config
        if config.on_unplug != before.on_unplug and self._away_since is not None:
            self._away_since = now
        return list(self._judge(now))

    # ---- what time does

    def look(self, now: float) -> list[Decision[C]]:
        """Something may be due, or a client that leaves may have had its answer."""
        return list(self._judge(now))

    def next_look(self, now: float) -> float | None:
        """Seconds until something is due by itself; None for never."""
        due = [math.inf]
        if self._order and self._places_of_owner is Place.SEATED:
            due.append(self._young_until)
        if self.owner is not None and self._away_since is not None:
            due.append(self._away_since + self._config.on_unplug.hold)
        return None if math.isinf(min(due)) else max(min(due) - now, 0.0)

    # ---- the rules

    @property
    def _places_of_owner(self) -> Place | None:
        return self._places[self.owner] if self.owner is not None else None

    def _judge(self, now: float) -> Iterator[Decision[C]]:
        """Whatever follows from the state, until nothing does."""
        owner, hold = self.owner, self._config.on_unplug.hold
        away = self._away_since
        if owner is not None and away is not None and now >= away + hold:
            text = "the device did not come back" if hold else "the device is gone"
            yield from self._dismiss(owner, text)
        while self._order:
            first, owner = self._order[0], self.owner
            if self._unable is not None:
                if owner is None and not self._unable:
                    return
                yield self._turn_away(first, self._unable or "device is being opened")
                continue
            if owner is not None:
                if self._places[owner] is Place.SEATED and owner.ended:
                    self._move(owner, Cue.ENDS)
                if self._places[owner] is Place.LEAVING:
                    if owner.unserved:
                        return
                    yield from self._dismiss(owner, "")
                    owner = None
            if owner is None:
                yield from self._seat(first, now)
            elif now < self._young_until:
                return
            elif self._config.takeover:
                text = f"taken over by {first.peername}"
                yield from self._out(owner, Cue.TAKEN_OVER, text, first)
                yield Decision(Act.CLOSE, owner, text)
                yield from self._seat(first, now, owner)
            else:
                yield self._turn_away(first, self._reason(owner))

    def _reason(self, owner: C | None) -> str:
        if owner is None:
            return "too many clients wait"
        since = owner.since.strftime("%Y-%m-%d %H:%M:%S %Z").rstrip()
        return f"in use by {owner.peername} since {since}"

    def _move(self, client: C, cue: Cue) -> None:
        after = TABLE[self._places[client], cue]
        if after is OUT:
            del self._places[client]
        else:
            self._places[client] = after

    def _leave_order(self, client: C) -> bool:
        """Take a client out of those who wait; whether it sends no more."""
        self._order.remove(client)
        ended = client in self._ended
        self._ended.discard(client)
        return ended

    def _seat(self, client: C, now: float, other: C | None = None) -> Iterator[Decision[C]]:
        ended = self._leave_order(client)
        self._move(client, Cue.TURN)
        self.owner = client
        self._young_until = now + YOUNG_S
        if ended:
            self._move(client, Cue.ENDS)
        yield Decision(Act.SEAT, client, other=other)

    def _turn_away(self, client: C, text: str) -> Decision[C]:
        self._leave_order(client)
        self._move(client, Cue.TURNED_AWAY)
        return Decision(Act.REFUSE, client, text)

    def _dismiss(self, client: C, text: str) -> Iterator[Decision[C]]:
        yield from self._out(client, Cue.DISMISSED, text)
        yield Decision(Act.CLOSE, client, text)

    def _out(self, client: C, cue: Cue, text: str, other: C | None = None) -> Iterator[Decision[C]]:
        if client in self._order:
            self._leave_order(client)
        self._move(client, cue)
        if client is self.owner:
            self.owner = None
            yield Decision(Act.VACATE, client, text, other)
