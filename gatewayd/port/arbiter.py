"""Who is at a port: the one place where that is decided.

What happens to clients and to the device is told to the `Arbiter`. It changes its own state first
and then returns decisions, in the order in which they are to be carried out; carrying them out
tells it nothing that changes them. It has no clock: the time is given to it, and `next_look` says
when something is due by itself. Where clients may be is in `gatewayd.port.places`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Generic

from gatewayd.config.schema import OnBusy, PortConfig
from gatewayd.port.lease import TIME_FORMAT, Lease
from gatewayd.port.places import OUT, TABLE, Act, C, Cue, Decision, Place

YOUNG_S: Final = 0.25
"""Who has just come may be gone in a moment, as the scripts that open a port for each command are:
nobody is turned away, and nobody taken over, because of a client that is younger."""
MOST_WAITING: Final = 16
"""Clients that may wait for a port."""


class Arbiter(Generic[C]):
    """The clients of one port. Each call returns what is to be done."""

    _ended: frozenset[C] = frozenset()
    """Those of them who wait and send no more."""

    def __init__(self, config: PortConfig) -> None:
        self._config = config
        self._places: dict[C, Place] = {}
        self._order: dict[C, float] = {}
        """Those who wait, with the time at which they came."""
        self.heirs: list[C] = []
        """Those who watch and get the port when it is free, in order: who held it last first."""
        self._seated_at = -math.inf
        self._judged_at = -math.inf
        """When it was last seen what is due."""
        self._lease_until = math.inf
        self._away_since: float | None = None
        self._unable: str | None = "device is absent, not looked for yet"
        """Why nobody can be seated; empty while it is not known yet."""
        self.owner: C | None = None
        """Who holds the port."""
        self.lease: Lease | None = None
        """For whom the port is kept."""

    def place(self, client: C) -> Place | None:
        """Where a client is; None if it is nowhere."""
        return self._places.get(client)

    @property
    def waiting(self) -> list[C]:
        """Those who wait, in their order."""
        return list(self._order)

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._order)

    @property
    def watchers(self) -> list[C]:
        """Those who watch, in the order in which they began to."""
        return [one for one, place in self._places.items() if place is Place.WATCHING]

    # ---- what clients do

    def arrive(self, client: C, now: float) -> list[Decision[C]]:
        """One came."""
        if client.only_watches:
            if not self._may_watch():
                return [Decision(Act.REFUSE, client, "too many clients watch")]
            self._places[client] = Place.WATCHING
            return [Decision(Act.WATCH, client)]
        if len(self._order) >= MOST_WAITING:
            return [Decision(Act.REFUSE, client, self._reason(self.owner))]
        self._places[client] = Place.WAITING
        self._order[client] = now
        decisions = list(self._judge(now))
        if client in self._order:
            decisions.append(Decision(Act.WAIT, client))
        return decisions

    def inherit(self, client: C, now: float, place: Place, *, heir: bool = False) -> None:
        """One who held the port in another process, or watched there; the owner comes first."""
        self._places[client] = place
        if place is Place.WATCHING:
            if heir:
                self.heirs.append(client)
            return
        assert self.owner is None
        self.owner, self._seated_at = client, now
        if self._unable is not None:
            self._away_since = now

    def ends(self, client: C, now: float) -> list[Decision[C]]:
        """One sends no more."""
        if client in self._order:
            self._ended |= {client}
        if client in self._places:
            self._move(client, Cue.ENDS)
        return list(self._judge(now))

    def leave(self, client: C, now: float, text: str = "") -> list[Decision[C]]:
        """One is gone."""
        if client not in self._places:
            return []
        return [*self._out(client, Cue.GONE, text), *self._judge(now)]

    def dismiss(self, client: C | None, now: float, text: str = "") -> list[Decision[C]]:
        """Send away one who holds the port or watches; nothing for any other."""
        if client is None or self._places.get(client) in (None, Place.WAITING):
            return []
        return [*self._dismiss(client, text), *self._judge(now)]

    def let(self, lease: Lease | None, now: float, seconds: float = math.inf) -> list[Decision[C]]:
        """Keep the port for somebody for so long; or, without a lease, for nobody any more. Who
        holds it stays until the leaseholder comes."""
        self.lease, self._lease_until = lease, now + seconds
        return list(self._judge(now))

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
        for client in (self.owner, *self.watchers):
            if client is not None:
                decisions += self._dismiss(client, self._unable)
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
        due = [self._lease_until]
        if self._place_of_owner is Place.SEATED:
            idle, quiet_since = self._config.idle, self._quiet_since
            due.append(quiet_since + idle.close)
            if self._order:
                first = next(iter(self._order.values()))
                due += [self._seated_at + YOUNG_S, first + self._config.when_busy.wait]
                due.append(quiet_since + idle.steal)
        if self.owner is not None and self._away_since is not None:
            due.append(self._away_since + self._config.on_unplug.hold)
        # What became due since the last judgement, while that was carried out, is still to be seen.
        after = [when for when in due if self._judged_at < when < math.inf]
        return max(min(after) - now, 0.0) if after else None

    # ---- the rules

    @property
    def _place_of_owner(self) -> Place | None:
        return self._places[self.owner] if self.owner is not None else None

    @property
    def _quiet_since(self) -> float:
        """When the owner was heard last."""
        return max(self._seated_at, self.owner.heard if self.owner is not None else -math.inf)

    def _admits(self, client: C) -> bool:
        return self.lease is None or self.lease.admits(client)

    def _may_watch(self) -> bool:
        return len(self.watchers) < self._config.watchers

    def _judge(self, now: float) -> Iterator[Decision[C]]:
        """Whatever follows from the state, until nothing does."""
        self._judged_at = max(self._judged_at, now)
        if now >= self._lease_until:
            self.lease, self._lease_until = None, math.inf
        owner, hold, idle = self.owner, self._config.on_unplug.hold, self._config.idle
        away = self._away_since
        seated = self._place_of_owner is Place.SEATED
        if owner is not None and seated and now >= self._quiet_since + idle.close:
            yield from self._dismiss(owner, f"nothing came from you for {idle.close:g} s")
            owner = None
        if owner is not None and away is not None and now >= away + hold:
            text = "the device did not come back" if hold else "the device is gone"
            yield from self._dismiss(owner, text)
        while self._order:
            first, owner = next(iter(self._order)), self.owner
            if self._unable is not None:
                if owner is None and not self._unable:
                    return
                yield self._turn_away(first, self._unable or "device is being opened")
                continue
            if not self._admits(first):
                yield from self._no_seat(first, str(self.lease))
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
            elif now < self._seated_at + YOUNG_S:
                return
            elif first.insists or self._yields(owner, now):
                yield from self._take_over(owner, first, now)
            elif now < self._order[first] + self._config.when_busy.wait:
                return
            else:
                yield from self._no_seat(first, self._reason(owner))
        yield from self._promote(now)

    def _yields(self, owner: C, now: float) -> bool:
        """Whether a newcomer may have the port from its owner."""
        return (
            self._config.when_busy.then is OnBusy.TAKEOVER
            or not self._admits(owner)
            or now >= self._quiet_since + self._config.idle.steal
        )

    def _promote(self, now: float) -> Iterator[Decision[C]]:
        """Give a port that is free to one who watches and would like to have it."""
        if self.owner is None and self._unable is None:
            able = (one for one in self.heirs if not one.ended and self._admits(one))
            heir = next(able, None)
            if heir is not None:
                self.heirs.remove(heir)
                yield Decision(Act.UNWATCH, heir)
                yield from self._seat(heir, now)

    def _take_over(self, owner: C, first: C, now: float) -> Iterator[Decision[C]]:
        text = f"taken over by {first.peername}"
        if owner.person and self._may_watch():
            yield from self._out(owner, Cue.STEPS_ASIDE, text, first)
            self.heirs.insert(0, owner)
            yield Decision(Act.WATCH, owner, f"{text}; you watch until it goes")
        else:
            yield from self._out(owner, Cue.TAKEN_OVER, text, first)
            yield Decision(Act.CLOSE, owner, text)
        yield from self._seat(first, now, owner)

    def _no_seat(self, client: C, text: str) -> Iterator[Decision[C]]:
        """The port is not to be had: watch, or go."""
        if not (self._config.when_busy.then is OnBusy.WATCH and client.person):
            yield self._turn_away(client, text)
        elif not self._may_watch():
            yield self._turn_away(client, f"{text}, and too many clients watch")
        else:
            self._leave_order(client)
            self._move(client, Cue.LOOKS_ON)
            self.heirs.append(client)
            yield Decision(Act.WATCH, client, f"{text}; you watch")

    def _reason(self, owner: C | None) -> str:
        if owner is None:
            return "too many clients wait"
        since = owner.since.strftime(TIME_FORMAT).rstrip()
        return f"in use by {owner.peername} since {since}"

    def _move(self, client: C, cue: Cue) -> None:
        after = TABLE[self._places[client], cue]
        if after is OUT:
            del self._places[client]
        else:
            self._places[client] = after

    def _leave_order(self, client: C) -> bool:
        """Take a client out of those who wait; whether it sends no more."""
        del self._order[client]
        ended = client in self._ended
        self._ended -= {client}
        return ended

    def _seat(self, client: C, now: float, other: C | None = None) -> Iterator[Decision[C]]:
        ended = client in self._order and self._leave_order(client)
        self._move(client, Cue.TURN)
        self.owner, self._seated_at = client, now
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
        """Take a client from where it is."""
        watched = self._places[client] is Place.WATCHING
        if client in self._order:
            self._leave_order(client)
        if client in self.heirs:
            self.heirs.remove(client)
        self._move(client, cue)
        if watched:
            yield Decision(Act.UNWATCH, client)
        if client is self.owner:
            self.owner = None
            yield Decision(Act.VACATE, client, text, other)
